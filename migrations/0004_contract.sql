-- The whole ECI contract: the cloud's own object as last seen, updates that send only what was given, and
-- access keys for the RPC front.

ALTER TABLE image_caches
    ADD COLUMN last_matched_at timestamptz,
    ADD COLUMN provider jsonb;                         -- the cloud's object, whole: unknown fields survive in it

ALTER TABLE operations
    ADD COLUMN changes   jsonb,                        -- of an update: what shall be different
    -- A create whose caller was told that nothing was done, and who can never learn its id: should it turn out
    -- to have been done, the cache is removed again.
    ADD COLUMN abandoned boolean NOT NULL DEFAULT false;
CREATE INDEX operations_abandoned ON operations (id) WHERE abandoned;

-- A team's key for the RPC front: unmodified SDKs sign with it.
CREATE TABLE access_keys (
    id           text PRIMARY KEY,                     -- the AccessKeyId
    team         text NOT NULL,
    secret       bytea NOT NULL,                       -- encrypted
    scopes       text[] NOT NULL,
    description  text,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX access_keys_list ON access_keys (team, created_at DESC, id DESC);

-- Every nonce of the last half hour: a request that was seen is not taken again, by whichever gateway.
CREATE TABLE access_key_nonces (
    access_key text NOT NULL,
    nonce      text NOT NULL,
    used_at    timestamptz NOT NULL,
    PRIMARY KEY (access_key, nonce)
);
CREATE INDEX access_key_nonces_age ON access_key_nonces (used_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON access_keys TO eci_runtime;
        GRANT SELECT, INSERT, DELETE ON access_key_nonces TO eci_runtime;
    END IF;
END $$;
