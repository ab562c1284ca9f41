-- Responses that are kept for requests with an Idempotency-Key, so that a repeat gets the same one and does nothing.
-- (Creates, ensures and updates of image caches have theirs in idempotency_keys, with their operation.)

CREATE TABLE idempotent_responses (
    id            uuid PRIMARY KEY,
    team          text NOT NULL,
    action        text NOT NULL,                                          -- the API operation: a key is scoped to it
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),    -- as the caller sent it
    fingerprint   bytea NOT NULL,    -- a keyed hash of who asked for what: subject, path, query, body
    -- The response, encrypted, because it may hold a secret. None while a request runs that was recorded before it began
    -- because its effect is outside this database, and none for ever if that request died.
    response      bytea,
    running_until timestamptz,       -- by the database's clock: until then such a request may still be running
    created_at    timestamptz NOT NULL,
    CHECK (response IS NOT NULL OR running_until IS NOT NULL)
);
CREATE UNIQUE INDEX idempotent_responses_key ON idempotent_responses (team, action, key);
CREATE INDEX idempotent_responses_age ON idempotent_responses (created_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON idempotent_responses TO eci_runtime;
    END IF;
END $$;
