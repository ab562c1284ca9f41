-- Image caches, the operations that make them, and every status change that was observed.
--
-- The team stands in every key that another table refers to: a row of one team cannot point at a row of
-- another, whatever the code does.

CREATE TABLE image_caches (
    id                 uuid PRIMARY KEY,               -- version 7: sorts by the time of the request
    team               text NOT NULL,
    account            text NOT NULL,
    region             text NOT NULL,
    name               text NOT NULL,
    images             text[] NOT NULL,
    spec               jsonb NOT NULL,                 -- what was asked for, with all updates; no secret
    status             text NOT NULL,
    provider_status    text,
    generation         integer NOT NULL CHECK (generation >= 1),
    version            bigint NOT NULL CHECK (version >= 1),   -- compare-and-set
    sequence           bigint NOT NULL CHECK (sequence >= 0),  -- of the newest transition
    operation          uuid NOT NULL,                  -- the newest
    eci_cache_id       text,
    container_group_id text,
    snapshot_id        text,
    flash_snapshot_id  text,
    progress_percent   integer,
    failure            jsonb,
    evidence           jsonb NOT NULL,
    misses             integer NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    ready_at           timestamptz,
    expires_at         timestamptz,
    UNIQUE (team, id),
    CONSTRAINT image_caches_status CHECK (status IN ('pending', 'preparing', 'creating', 'ready', 'failed',
        'updating', 'update_failed', 'deleting', 'deleted', 'expired', 'lost', 'unknown'))
);

-- One cloud cache belongs to one row for ever: adopting it twice is impossible.
CREATE UNIQUE INDEX image_caches_provider ON image_caches (account, region, eci_cache_id)
    WHERE eci_cache_id IS NOT NULL;
-- A team's list, newest first.
CREATE INDEX image_caches_list ON image_caches (team, id DESC);
-- What the tracker follows.
CREATE INDEX image_caches_in_motion ON image_caches (account, region)
    WHERE status IN ('preparing', 'creating', 'updating', 'deleting', 'unknown');
-- What may have ended by itself.
CREATE INDEX image_caches_expiring ON image_caches (expires_at)
    WHERE expires_at IS NOT NULL AND status IN ('ready', 'update_failed', 'failed');

CREATE TABLE operations (
    id                  uuid PRIMARY KEY,
    team                text NOT NULL,
    image_cache         uuid NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('create', 'update', 'delete')),
    state               text NOT NULL CHECK (state IN ('running', 'succeeded', 'refused')),
    generation          integer NOT NULL,
    spec                jsonb NOT NULL,
    credentials         bytea,                         -- registry logins, encrypted; gone once the outcome is known
    attempts            integer NOT NULL DEFAULT 0,
    window_opened_at    timestamptz,
    last_signed_at      timestamptz,
    in_doubt            boolean NOT NULL DEFAULT false,
    due_at              timestamptz NOT NULL,
    lease_token         uuid,
    lease_until         timestamptz,                   -- by the database's clock
    error               jsonb,
    provider_request_id text,
    subject             text NOT NULL,
    credential          text,
    request_id          text NOT NULL,
    created_at          timestamptz NOT NULL,
    finished_at         timestamptz,
    FOREIGN KEY (team, image_cache) REFERENCES image_caches (team, id),
    CONSTRAINT operations_secrets_shredded CHECK (state = 'running' OR credentials IS NULL)
);

-- One intent at a time: two updates of one cache would race at the cloud.
CREATE UNIQUE INDEX operations_one_running ON operations (image_cache) WHERE state = 'running';
CREATE INDEX operations_due ON operations (due_at) WHERE state = 'running';
CREATE INDEX operations_of_cache ON operations (image_cache, id);

-- Written before the attempt is signed: after a crash we know that it may have been sent.
CREATE TABLE operation_attempts (
    operation           uuid NOT NULL REFERENCES operations (id),
    number              integer NOT NULL,
    signed_at           timestamptz NOT NULL,
    finished_at         timestamptz,
    outcome             text,                          -- succeeded, refused, throttled, not_sent, unknown
    detail              text,
    provider_request_id text,
    PRIMARY KEY (operation, number)
);

CREATE TABLE transitions (
    id              uuid PRIMARY KEY,
    team            text NOT NULL,
    image_cache     uuid NOT NULL,
    sequence        bigint NOT NULL,
    generation      integer NOT NULL,
    from_status     text,
    to_status       text NOT NULL,
    provider_status text,
    reason          text NOT NULL,
    at              timestamptz NOT NULL,
    UNIQUE (image_cache, sequence),
    FOREIGN KEY (team, image_cache) REFERENCES image_caches (team, id)
);

CREATE TABLE idempotency_keys (
    team        text NOT NULL,
    action      text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,                        -- keyed hash of the request
    -- Deferred: the key is claimed first, so that the second of two racing requests waits for the first.
    operation   uuid NOT NULL REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
    answer      jsonb,                                 -- what the first request was told; none while it runs
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (team, action, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_operation ON idempotency_keys (operation);

-- One row for each (account, region) with caches in motion: the tracker's schedule and lease.
CREATE TABLE tracker_groups (
    account     text NOT NULL,
    region      text NOT NULL,
    due_at      timestamptz,                           -- none while nothing is in motion, or while it is read
    lease_token uuid,
    lease_until timestamptz,                           -- by the database's clock
    PRIMARY KEY (account, region)
);

CREATE TABLE worker_heartbeats (
    worker  text PRIMARY KEY,
    beat_at timestamptz NOT NULL                       -- by the database's clock
);
