-- What a team may say about an endpoint of its own. Every default is what endpoints did before.

ALTER TABLE webhook_endpoints
    ADD COLUMN name_pattern       text,                -- as it was written: web-*
    ADD COLUMN name_like          text,                -- the same for LIKE: web-%
    ADD COLUMN tags               jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN rate_per_second    integer CHECK (rate_per_second BETWEEN 1 AND 1000),
    ADD COLUMN ordered            boolean NOT NULL DEFAULT false,
    ADD COLUMN header_names       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN headers            bytea,               -- names and values, encrypted
    ADD COLUMN format             text NOT NULL DEFAULT 'native' CHECK (format IN ('native', 'cloudevents')),
    ADD COLUMN timeout_seconds    integer CHECK (timeout_seconds BETWEEN 5 AND 30),
    ADD COLUMN retry_schedule     integer[],           -- pauses in seconds
    ADD COLUMN public_key         text,                -- whpk_…, where it signs with ed25519, too
    ADD COLUMN old_secret         bytea,               -- encrypted; signs beside the new one until its time is over
    ADD COLUMN old_secret_until   timestamptz,
    ADD COLUMN version            bigint NOT NULL DEFAULT 1;
