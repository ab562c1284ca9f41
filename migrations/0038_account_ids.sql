-- Which account of the cloud the image caches of a cloud account belong to: the key of another one shows nothing of
-- them, and must not be believed.

-- By the gateway's own name of the account; no foreign key leads away, because the account of the settings has no row.
-- It is written when it is first known, and changes only by an operator's word (`accept-account`).
CREATE TABLE account_ids (
    account    text PRIMARY KEY,
    account_id text NOT NULL CHECK (account_id ~ '^[0-9]{1,20}$'),  -- AccountId, as STS tells it
    pinned_at  timestamptz NOT NULL
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON account_ids TO eci_runtime;
    END IF;
END $$;
