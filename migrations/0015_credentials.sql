-- Credentials of the gateway's own, and the end of others': API keys of teams, revoked tokens, and access keys with
-- two secrets while one replaces the other.

-- A team's key for the REST API. Its secret is not here: a keyed hash tells whether one that is presented is it, and
-- cannot be searched without the master key.
CREATE TABLE api_keys (
    id             uuid PRIMARY KEY,
    team           text NOT NULL,
    name           text NOT NULL,
    scopes         text[] NOT NULL,
    hash           bytea NOT NULL,
    -- The secret before the last rotation, which is good until then.
    previous_hash  bytea,
    previous_until timestamptz,
    created_by     text NOT NULL,                      -- the subject of who made it
    created_at     timestamptz NOT NULL,
    rotated_at     timestamptz,
    expires_at     timestamptz,
    last_used_at   timestamptz,                        -- to the minute
    revoked_at     timestamptz,                        -- the row stays: audit entries name it
    CONSTRAINT api_keys_previous CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);
-- Ids sort by the time they were made.
CREATE INDEX api_keys_list ON api_keys (team, id DESC);

-- Tokens that are refused although their issuer's signature is good: one by its jti, or all of a subject that were
-- issued before an instant. Every gateway reads all of them every second, so they are few, and forgotten once every
-- token that they can be about has ended.
CREATE TABLE revocations (
    id            uuid PRIMARY KEY,
    jti           text,
    subject       text,
    issued_before timestamptz,
    reason        text,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL,
    kept_until    timestamptz NOT NULL,
    CONSTRAINT revocations_of_one CHECK ((jti IS NULL) <> (subject IS NULL)),
    CONSTRAINT revocations_before CHECK ((subject IS NULL) = (issued_before IS NULL))
);
CREATE INDEX revocations_age ON revocations (kept_until);

-- While a new secret comes into use, the old one is taken beside it.
ALTER TABLE access_keys
    ADD COLUMN previous_secret bytea,                  -- encrypted
    ADD COLUMN previous_until  timestamptz,
    ADD COLUMN rotated_at      timestamptz,
    ADD CONSTRAINT access_keys_previous CHECK ((previous_secret IS NULL) = (previous_until IS NULL));

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE ON api_keys TO eci_runtime;
        GRANT SELECT, INSERT, DELETE ON revocations TO eci_runtime;
    END IF;
END $$;
