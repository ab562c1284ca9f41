-- Fewer and narrower indexes on deliveries. Each delivery is written three times (told, taken in hand, ended), and each
-- time into every index, whatever changed: that was the larger half of what a delivery cost the database.
--
-- A gateway of before goes on as it was, but for one thing: its replay names the old constraint, and fails until that
-- gateway has been replaced.

-- One index says that an endpoint gets an event once, and lists a team's deliveries, the newest event first. (An event
-- is of one team, so the team changes nothing about what is unique.)
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (team, event DESC, endpoint);
ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_event_endpoint_key;
DROP INDEX webhook_deliveries_list;

-- What is in hand is only ever asked for by its worker, or all of it.
CREATE INDEX webhook_deliveries_held ON webhook_deliveries (lease_token) WHERE state = 1;
DROP INDEX webhook_deliveries_in_hand;

-- New ids begin with the time (UUIDv7), so that deliveries of one moment lie together in the indexes on them, here and
-- on the attempts, instead of each on a page of its own. Bits 52 and 53 make the version 4 a 7.
ALTER TABLE webhook_deliveries ALTER COLUMN id SET DEFAULT encode(set_bit(set_bit(overlay(
    uuid_send(gen_random_uuid())
    PLACING substring(int8send((date_part('epoch', clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6
), 52, 1), 53, 1), 'hex')::uuid;
