-- Places in the feed of events hold only within one life of the database: transactions are numbered anew where a dump
-- is restored into another server, and again from an earlier number where a standby takes over that lacks the last of
-- them.
--
-- Expands only. A gateway of before reads its feed as it did; so the first life takes over on a server that runs on.

CREATE TABLE feed_lives (
    first_seq bigint PRIMARY KEY,                      -- its events have this number (`events.seq`) or a higher one
    server    text NOT NULL,                           -- who numbers its transactions: `feed_server()`
    begun_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which numbering of transactions is in use: the server's identifier, and its timeline, which is another one after each
-- promotion and each recovery to a point in time. What a service does not tell is left out, always.
CREATE FUNCTION feed_server() RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    identifier text := '';
    timeline   text := '';
BEGIN
    BEGIN
        SELECT system_identifier::text INTO identifier FROM pg_control_system();
    EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN NULL;
    END;
    BEGIN
        timeline := substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
    EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN NULL;
    END;
    RETURN identifier || '/' || timeline;
END $$;

-- The life that an event's number is of.
CREATE FUNCTION feed_life(number bigint) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT max(first_seq) FROM feed_lives WHERE first_seq <= number';

-- Begins a life where the server is another one than that of the last. Each session does this before it writes, so that
-- no event of a new life has a number of the old one. Numbers leap: of two databases that were restored from one dump,
-- neither takes a place of the other's for its own.
CREATE FUNCTION feed_begin_life() RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public AS $$
DECLARE
    numbers text := pg_get_serial_sequence('public.events', 'seq');
    here    text := feed_server();
BEGIN
    IF here = (SELECT server FROM feed_lives ORDER BY first_seq DESC LIMIT 1) THEN
        RETURN;
    END IF;
    LOCK TABLE feed_lives IN SHARE ROW EXCLUSIVE MODE;
    IF here = (SELECT server FROM feed_lives ORDER BY first_seq DESC LIMIT 1) THEN
        RETURN;                                        -- another session was first
    END IF;
    INSERT INTO feed_lives (first_seq, server)
        SELECT setval(numbers, nextval(numbers) + 1 + floor(random() * 1073741824)::bigint), here;
    -- These are numbers of events, too: they are counted again.
    UPDATE webhook_endpoint_state SET queue_until = NULL WHERE queue_until IS NOT NULL;
END $$;
REVOKE ALL ON FUNCTION feed_server(), feed_begin_life() FROM PUBLIC;

-- All that there is is of one life, unless it was restored before: then it has transactions that this server is still
-- to come to.
INSERT INTO feed_lives (first_seq, server)
    SELECT 0, CASE WHEN EXISTS (SELECT FROM events WHERE txid >= pg_snapshot_xmax(pg_current_snapshot()))
        THEN 'another' ELSE feed_server() END;
SELECT feed_begin_life();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT ON feed_lives TO eci_runtime;
        GRANT EXECUTE ON FUNCTION feed_begin_life TO eci_runtime;
    END IF;
END $$;
