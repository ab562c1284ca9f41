-- Issuers of tokens beside the one of the settings: identity providers, and what the claims of their tokens mean.

-- Each is one document, read and written as a whole: its form is the API's. Nothing in it is secret: keys of issuers are
-- public. Every gateway reads all of them every second, so they are few; one that holds what a gateway does not know (a
-- later version wrote it) is passed over there, so that nobody gets in by a rule that is only half understood.
CREATE TABLE issuers (
    name       text PRIMARY KEY,
    document   jsonb NOT NULL,
    version    bigint NOT NULL CHECK (version >= 1), -- compare-and-set
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
-- A token says by its `iss` which issuer it is of: two cannot share one.
CREATE UNIQUE INDEX issuers_iss ON issuers ((document ->> 'issuer'));

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON issuers TO eci_runtime;
    END IF;
END $$;
