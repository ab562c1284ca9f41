-- The delivery engine: workers that show that they live, teams in one worker's hands, attempts by the day.
--
-- A worker is a row that it renews; what it holds is good as long as the row is. So nothing is renewed
-- delivery by delivery, and one statement finds everything that a dead worker held.

CREATE TABLE webhook_workers (
    worker      uuid PRIMARY KEY,
    alive_until timestamptz NOT NULL                   -- by the database's clock
);

-- A team's deliveries are in the hands of one worker at a time: what may be in flight to an endpoint or for a
-- team, its rate and its breaker are then counted in that worker's memory, and hold for all workers together.
CREATE TABLE webhook_holders (
    team   text PRIMARY KEY,
    worker uuid NOT NULL
);

ALTER TABLE webhook_deliveries
    ADD COLUMN leased_at timestamptz,                  -- by the database's clock
    -- The image cache, where the endpoint wants its events in their order; none where it does not.
    ADD COLUMN lane      uuid;
CREATE INDEX webhook_deliveries_lane ON webhook_deliveries (endpoint, lane, event) WHERE lane IS NOT NULL AND state IN (0, 1);
-- One index for what is in hand instead of two: each delivery passes through it.
CREATE INDEX webhook_deliveries_in_hand ON webhook_deliveries (endpoint, lease_token) INCLUDE (lease_until) WHERE state = 1;
DROP INDEX webhook_deliveries_leased;
DROP INDEX webhook_deliveries_expired;

ALTER TABLE webhook_endpoint_state
    ADD COLUMN warned_at timestamptz,                  -- when `webhook_endpoint.failing` was told of this row of failures
    ADD COLUMN free_at   timestamptz;                  -- before that, its rate lets nothing go

-- An event may be about an endpoint instead of an image cache.
ALTER TABLE events
    ALTER COLUMN image_cache DROP NOT NULL,
    ADD COLUMN endpoint uuid;

-- Attempts, by the day: forgetting a day is dropping a table. (`webhook_attempts` keeps what was written before,
-- until its time is over; nothing new comes into it.)
CREATE TABLE delivery_attempts (
    delivery         uuid NOT NULL,
    number           smallint NOT NULL,
    outcome          text NOT NULL,                    -- delivered, failed, gone, refused, worker_lost
    http_status      smallint,
    duration_ms      integer,
    remote_address   text,
    response_excerpt bytea CHECK (octet_length(response_excerpt) <= 16384),
    error            text,                             -- a coarse word: the log is no port scanner
    at               timestamptz NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX delivery_attempts_of ON delivery_attempts (delivery);
-- For what has no day of its own, such as the attempts of a gateway whose janitor has not run yet.
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;

-- Makes the days that are coming and drops those that are over; returns how many were dropped. Runs with its owner's
-- rights, for the runtime role owns nothing; it can do no more with it than this, and nothing younger than a day goes.
CREATE FUNCTION delivery_attempts_upkeep(today timestamptz, keep_from timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day     date;
    part    text;
    dropped integer := 0;
BEGIN
    IF keep_from > today - interval '1 day' THEN
        RAISE EXCEPTION 'delivery attempts are kept for a day at least';
    END IF;
    FOR day IN SELECT generate_series(today::date, today::date + 2, interval '1 day')::date LOOP
        part := 'delivery_attempts_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF delivery_attempts FOR VALUES FROM (%L) TO (%L)', part, day, day + 1);
        EXCEPTION WHEN check_violation OR duplicate_table THEN
            -- The default partition holds rows of that day, and may keep them; or another janitor was faster.
            NULL;
        END;
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'delivery_attempts'::regclass AND c.relname ~ '^delivery_attempts_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= keep_from::date
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM delivery_attempts_default WHERE at < keep_from;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION delivery_attempts_upkeep FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_workers, webhook_holders TO eci_runtime;
        GRANT SELECT, INSERT ON delivery_attempts TO eci_runtime;
        GRANT EXECUTE ON FUNCTION delivery_attempts_upkeep TO eci_runtime;
    END IF;
END $$;
