-- What is kept for how long: events, deliveries, image caches that have ended, credentials and endpoints that were revoked
-- or removed are forgotten after their age, in small parts. And how much may wait for an endpoint that is not enabled.
--
-- Expands only. No index is made here: the parts are found by the order in which rows were written.

-- Up to where a team's events were removed: whoever still has a cursor from before that must be told.
CREATE TABLE events_removed (
    team text PRIMARY KEY,
    txid xid8 NOT NULL,
    seq  bigint NOT NULL
);

-- What an event was told under, once the event is forgotten and its image cache is not: it is told once, however long the
-- image cache lives.
CREATE TABLE event_keys (
    dedupe_key  text PRIMARY KEY,
    image_cache uuid NOT NULL
);
CREATE INDEX event_keys_of ON event_keys (image_cache);

CREATE FUNCTION events_told_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM event_keys k WHERE k.dedupe_key = NEW.dedupe_key) THEN
        RETURN NULL;                                   -- as ON CONFLICT DO NOTHING
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER events_told_before BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION events_told_before();

-- How far each kind of upkeep has come. Whoever holds the row does it; the others leave it to them.
CREATE TABLE retention_progress (
    part text PRIMARY KEY,
    seq  bigint,                                       -- the last event that was looked at
    id   uuid                                          -- the last image cache that was looked at
);
INSERT INTO retention_progress (part, seq, id) VALUES
    ('events', NULL, NULL), ('deliveries', 0, NULL), ('image_caches', NULL, '00000000-0000-0000-0000-000000000000'),
    ('endpoints', NULL, NULL);

ALTER TABLE webhook_endpoints
    ADD COLUMN deleted_at timestamptz;                 -- none: removed by a gateway that did not write it, or not at all

ALTER TABLE webhook_endpoint_state
    -- Events up to this number (`events.seq`) are queued while the endpoint is not enabled; none: it was not counted yet.
    ADD COLUMN queue_until       bigint,
    -- Events that were not queued since the last replay, and the first of them.
    ADD COLUMN passed_over       bigint NOT NULL DEFAULT 0,
    ADD COLUMN passed_over_since timestamptz;

-- Events that were just passed over, beside the endpoint's state: so no transaction with an event waits for another one.
-- The janitor adds them up.
CREATE TABLE webhook_passed_over (
    endpoint uuid NOT NULL,
    since    timestamptz NOT NULL,
    events   integer NOT NULL
);
CREATE INDEX webhook_passed_over_of ON webhook_passed_over (endpoint);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON events_removed TO eci_runtime;
        GRANT SELECT, UPDATE ON retention_progress TO eci_runtime;
        GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_passed_over, event_keys TO eci_runtime;
        GRANT DELETE ON events, webhook_deliveries, webhook_endpoints, webhook_endpoint_state, image_caches, operations,
            operation_attempts, transitions, api_keys, access_keys TO eci_runtime;
    END IF;
END $$;
