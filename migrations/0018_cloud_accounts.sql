-- Cloud accounts beside the one of the settings: each is one set of cloud credentials.

-- No foreign key leads here: image caches, tracker groups and budgets name their account as a text, because the account
-- of the settings has no row. A create holds the row that it is for (FOR KEY SHARE) until it is recorded, and whoever
-- removes an account locks it first: so no image cache comes about in an account that is gone.
CREATE TABLE cloud_accounts (
    name          text PRIMARY KEY,
    access_key_id text NOT NULL,
    secret        bytea NOT NULL,                      -- the key's secret, encrypted
    -- A role that the key assumes; none where the key signs by itself.
    role_arn      text,
    role_session  text,
    role_seconds  integer,
    external_id   bytea,                               -- what the role's owner demands, encrypted
    regions       text[] NOT NULL,                     -- where it may be used; empty: wherever the gateway may
    endpoint      text,                                -- the cloud's address; none: that of the settings
    version       bigint NOT NULL CHECK (version >= 1),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    disabled_at   timestamptz,                         -- since when nothing is sent with it
    CONSTRAINT cloud_accounts_role CHECK ((role_arn IS NULL) = (role_session IS NULL)
        AND (role_arn IS NULL) = (role_seconds IS NULL) AND (role_arn IS NOT NULL OR external_id IS NULL))
);

-- An account that is removed leaves no group behind that would be looked at for ever.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON cloud_accounts TO eci_runtime;
        GRANT DELETE ON tracker_groups, reconcile_groups TO eci_runtime;
    END IF;
END $$;
