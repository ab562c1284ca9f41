-- A cloud that shows nothing for a while, or another account: what it says then is not taken for a fact.

-- The regions of accounts where so much is missing at once that nothing is judged; a row goes once the caches are shown
-- again.
CREATE TABLE mass_vanishings (
    account          text NOT NULL,
    region           text NOT NULL,
    since            timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,             -- when the cloud was last looked at
    known            bigint NOT NULL,                  -- image caches that it should have shown then
    missing          bigint NOT NULL,                  -- those of them that it did not show
    listed           bigint NOT NULL,                  -- image caches that it showed, whoever's
    accepted_missing bigint,                           -- so many missing ones an operator has said to be gone
    PRIMARY KEY (account, region)
);

-- Until then a removal of an orphan that was begun may be carried out: nobody may take it over before.
ALTER TABLE found_caches ADD COLUMN removing_until timestamptz;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON mass_vanishings TO eci_runtime;
    END IF;
END $$;
