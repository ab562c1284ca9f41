-- What a caller was not told is durable. A table of its own: nothing that runs meanwhile reads another form of what it knows.

-- A create through the cloud's own API whose caller is owed its ids, as the answer must come now or never. The row goes when they
-- were told, when a repeat with the same key is told them, when the cloud refused, when nobody will be told
-- (operations.abandoned), and when somebody else relies on the cache.
CREATE TABLE owed_answers (
    image_cache uuid PRIMARY KEY,
    operation   uuid NOT NULL UNIQUE REFERENCES operations (id) ON DELETE CASCADE,
    state       text NOT NULL CHECK (state IN ('unsent', 'sending')),  -- surely not told; may have been told
    -- Whether it was said that nobody knows if the caller was told: its gateway ended in that moment.
    reported    boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL
);
CREATE INDEX owed_answers_age ON owed_answers (created_at);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON owed_answers TO eci_runtime;
    END IF;
END $$;
