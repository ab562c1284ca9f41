-- A webhook's URL may hold a secret, so it is kept encrypted. And where it was verified is known.
--
-- Expands only. A version of before reads and writes `url` alone: on a database that one has used, `url` keeps the whole
-- URL beside the encrypted one, until the operator says that no such version comes back (`rotate-keys --seal-urls`). On a
-- new database it never holds more than scheme and host, behind `sealed:`, which no version takes for a URL.

ALTER TABLE webhook_endpoints
    ADD COLUMN url_sealed        bytea,                -- counts where it is there; else `url` does
    -- The networks in which it echoed its challenge (10.1.2.0/24), the oldest first; none where it was never asked, or
    -- before this was kept.
    ADD COLUMN verified_networks text[];

CREATE TABLE webhook_url_storage (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    plain_beside boolean NOT NULL                      -- whether `url` keeps the whole URL
);
-- Every version writes an audit entry before its first answer.
INSERT INTO webhook_url_storage (plain_beside) SELECT EXISTS (SELECT FROM audit_entries);

-- Who writes another `url` and no encrypted one beside it is a version of before: what was encrypted no longer holds.
CREATE FUNCTION webhook_url_written() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF NEW.url IS DISTINCT FROM OLD.url AND NEW.url_sealed IS NOT DISTINCT FROM OLD.url_sealed THEN
        NEW.url_sealed := NULL;
        NEW.verified_networks := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_url_written BEFORE UPDATE OF url ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION webhook_url_written();

-- Nobody sends to these any more.
UPDATE webhook_endpoints SET url = COALESCE(substring(url FROM '^[^/]*//[^/?#]*'), '') WHERE deleted;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, UPDATE ON webhook_url_storage TO eci_runtime;
    END IF;
END $$;
