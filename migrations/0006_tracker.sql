-- The tracker at scale: which caches may be read together, how long builds take, what the cloud bears.

-- The value of the tag by which builds that were begun together are listed together (about one page of 20).
-- None where the team's own tags leave no room for it, and for caches that were made without the gateway.
ALTER TABLE image_caches ADD COLUMN poll_bucket text;
CREATE INDEX image_caches_buckets ON image_caches (account, region, poll_bucket)
    WHERE poll_bucket IS NOT NULL AND status NOT IN ('deleted', 'expired', 'evicted', 'lost');

-- Fairness: the operations that each team has waiting, oldest first.
CREATE INDEX operations_fair ON operations (team, due_at) WHERE state = 'running';

-- A round over a group may need more calls than the account's budget gives at once: it goes on where it stopped.
ALTER TABLE tracker_groups
    ADD COLUMN looked_at timestamptz,                  -- when the last whole round began
    ADD COLUMN round_at  timestamptz,                  -- when the present round began; none between rounds
    ADD COLUMN cursor    text;                         -- what was read last in the present round

-- How long builds took, by kind and number of images: a histogram that forgets. Written by the group's holder alone.
CREATE TABLE build_history (
    account text NOT NULL,
    region  text NOT NULL,
    class   text NOT NULL,
    counts  integer[] NOT NULL,                        -- by eighths of an octave, from 1 s
    PRIMARY KEY (account, region, class)
);

-- One budget of calls per cloud account, drawn from by every gateway in batches; compare-and-set by version.
CREATE TABLE cloud_budgets (
    account      text PRIMARY KEY,
    version      bigint NOT NULL,
    rate         double precision NOT NULL,            -- calls per second, as the cloud bears them now
    common       double precision NOT NULL,            -- calls that anyone may make now
    reserve      double precision NOT NULL,            -- calls that only changes may make now
    refilled_at  timestamptz NOT NULL,
    throttled_at timestamptz
) WITH (fillfactor = 50);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON build_history, cloud_budgets TO eci_runtime;
    END IF;
END $$;
