-- Comparing the cloud with the rows, and asking for a content instead of a cache.

-- A cache that the cloud dropped to make room at the quota has a status of its own: it was neither asked for nor
-- anybody's mistake.
ALTER TABLE image_caches DROP CONSTRAINT image_caches_status;
ALTER TABLE image_caches ADD CONSTRAINT image_caches_status CHECK (status IN ('pending', 'preparing', 'creating',
    'ready', 'failed', 'updating', 'update_failed', 'deleting', 'deleted', 'expired', 'evicted', 'lost', 'unknown'));

ALTER TABLE image_caches
    ADD COLUMN drift       jsonb,                      -- what was changed past the gateway; none: nothing was
    ADD COLUMN expiry_told timestamptz,                -- the end of retention that consumers were warned of
    ADD COLUMN gone_at     timestamptz,                -- a failed cache that the cloud no longer keeps
    -- A hash of what it holds (domain::content), written with every change of the row. Rows from before have none until
    -- they next change: `ensure` does not see them.
    ADD COLUMN content     bytea;

-- What `ensure` looks for. Not unique: a plain create of the same content is allowed, and a status that comes back
-- (unknown, update_failed) must never fail on an index. That `ensure` itself makes only one is the work of a lock that
-- its transactions take in turn.
CREATE INDEX image_caches_content ON image_caches (team, region, content)
    WHERE status IN ('pending', 'preparing', 'creating', 'updating', 'ready');
-- What the cloud should list, without the long history of what is gone.
CREATE INDEX image_caches_at_rest ON image_caches (account, region, eci_cache_id)
    WHERE eci_cache_id IS NOT NULL AND gone_at IS NULL AND status IN ('ready', 'update_failed', 'failed');
CREATE INDEX image_caches_drifted ON image_caches (team, id DESC) WHERE drift IS NOT NULL;
-- What is warned of, and looked at a second time.
CREATE INDEX image_caches_missed ON image_caches (account, region)
    WHERE misses > 0 AND status IN ('ready', 'update_failed', 'failed') AND gone_at IS NULL;

-- One row for each (account, region): the schedule, the lease and the last result of the comparison.
CREATE TABLE reconcile_groups (
    account      text NOT NULL,
    region       text NOT NULL,
    due_at       timestamptz NOT NULL,                 -- when to take it up: for a list, or for second looks
    list_at      timestamptz NOT NULL,                 -- when to read the whole list again
    since        timestamptz NOT NULL,                 -- when it joined
    completed_at timestamptz,                          -- when a whole list was last compared
    listed       bigint NOT NULL DEFAULT 0,            -- caches in that list
    lease_token  uuid,
    lease_until  timestamptz,                          -- by the database's clock
    PRIMARY KEY (account, region)
);

-- Caches that the cloud lists and no row knows. Belongs to no team: the account is shared.
CREATE TABLE found_caches (
    id             uuid PRIMARY KEY,                   -- version 7: sorts by the time of finding
    account        text NOT NULL,
    region         text NOT NULL,
    eci_cache_id   text NOT NULL,
    name           text NOT NULL,
    images         text[] NOT NULL,
    size_gib       integer,
    status         text NOT NULL,                      -- the cloud's word, when it was found
    created_at     timestamptz,                        -- the cloud's
    found_at       timestamptz NOT NULL,
    -- Left behind by this create of ours, and to be removed. None: offered for adoption.
    orphan_of      uuid REFERENCES operations (id),
    ended_at       timestamptz,                        -- when it was no longer there, or no longer a stranger
    UNIQUE (account, region, eci_cache_id)
);
CREATE INDEX found_caches_list ON found_caches (id DESC) WHERE ended_at IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON reconcile_groups, found_caches TO eci_runtime;
    END IF;
END $$;
