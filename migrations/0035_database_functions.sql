-- What the runtime role may call takes no time from it, and runs nothing that it put in the way; what it may add to the
-- audit's tree has to continue the tree.
--
-- Expands only. A gateway of before calls what it called: its clock is no longer asked.

-- Functions that run with their owner's rights find names in the server's own schema alone, temporary relations last;
-- everything of ours is written with its schema. With `public` in the path, a function there that fits a call better
-- than the server's own would be taken, and without `pg_temp` at its end a temporary table of the caller's with the name
-- of ours: either would run with the owner's rights.

-- Makes the days that are coming and drops those that are over; returns how many were dropped. `keep`: how old an
-- attempt has to be, 30 days at least whatever is asked; none: nothing is forgotten.
CREATE FUNCTION delivery_attempts_upkeep(keep interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    today     date := now()::date;
    keep_from timestamptz := CASE WHEN keep IS NOT NULL THEN now() - greatest(keep, interval '30 days') END;
    day       date;
    part      text;
    dropped   integer := 0;
BEGIN
    FOR day IN SELECT (today + number)::date FROM generate_series(0, 2) AS number LOOP
        part := 'delivery_attempts_' || to_char(day::timestamp, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.delivery_attempts FOR VALUES FROM (%L) TO (%L)',
                part, day, day + 1);
        EXCEPTION WHEN check_violation OR duplicate_table THEN
            -- The default partition holds rows of that day, and may keep them; or another janitor was faster.
            NULL;
        END;
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.delivery_attempts'::regclass AND c.relnamespace = 'public'::regnamespace
          AND c.relname ~ '^delivery_attempts_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= keep_from::date
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM public.delivery_attempts_default WHERE at < keep_from;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION delivery_attempts_upkeep(interval) FROM PUBLIC;

-- As a gateway of before calls it. What it takes for today is not asked.
CREATE OR REPLACE FUNCTION delivery_attempts_upkeep(today timestamptz, keep_from timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN public.delivery_attempts_upkeep(now() - keep_from);
END $$;

-- As 0014 has it, but for where names lead.
CREATE OR REPLACE FUNCTION audit_make_months() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    made  integer := 0;
    month timestamp;
    name  text;
BEGIN
    FOR number IN 0..3 LOOP
        month := first + make_interval(months => number);
        name := 'audit_entries_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('public.' || name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_entries FOR VALUES FROM (%L) TO (%L)', name,
                month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('CREATE TRIGGER audit_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%I
                FOR EACH STATEMENT EXECUTE FUNCTION public.audit_entries_are_final()', name);
            made := made + 1;
        EXCEPTION
            -- Rows of that month lie in audit_entries_other; or in audit_entries_before; or another gateway was faster.
            WHEN check_violation OR invalid_object_definition OR duplicate_table THEN NULL;
        END;
    END LOOP;
    RETURN made;
END $$;

-- As 0031 has them, but for where names lead.
CREATE OR REPLACE FUNCTION feed_server() RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

CREATE OR REPLACE FUNCTION feed_begin_life() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    numbers regclass := pg_get_serial_sequence('public.events', 'seq');
    here    text := public.feed_server();
BEGIN
    IF here = (SELECT server FROM public.feed_lives ORDER BY first_seq DESC LIMIT 1) THEN
        RETURN;
    END IF;
    LOCK TABLE public.feed_lives IN SHARE ROW EXCLUSIVE MODE;
    IF here = (SELECT server FROM public.feed_lives ORDER BY first_seq DESC LIMIT 1) THEN
        RETURN;                                        -- another session was first
    END IF;
    INSERT INTO public.feed_lives (first_seq, server)
        SELECT setval(numbers, nextval(numbers) + 1 + floor(random() * 1073741824)::bigint), here;
    -- These are numbers of events, too: they are counted again.
    UPDATE public.webhook_endpoint_state SET queue_until = NULL WHERE queue_until IS NOT NULL;
END $$;

-- What is added to the audit's tree, whoever adds it: leaves one behind the other, nodes that are the hash of their two
-- halves, checkpoints of as many leaves as there are. The signature of a checkpoint is beyond the database: the sealer
-- passes one over that does not hold.
CREATE FUNCTION audit_leaves_continue() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lowest  bigint;
    highest bigint;
    number  bigint;
BEGIN
    SELECT min(leaf), max(leaf), count(*) INTO lowest, highest, number FROM added;
    IF number > 0 AND (highest - lowest <> number - 1
        OR lowest > 0 AND NOT EXISTS (SELECT FROM public.audit_leaves WHERE leaf = lowest - 1)) THEN
        RAISE EXCEPTION 'the audit''s leaves have no gaps' USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_leaves_continue';
    END IF;
    IF EXISTS (SELECT FROM added WHERE octet_length(hash) <> 32) THEN
        RAISE EXCEPTION 'a hash has 32 bytes' USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_leaves_continue';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_leaves_continue AFTER INSERT ON audit_leaves REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_leaves_continue();

CREATE FUNCTION audit_nodes_follow() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT leaf, level::integer AS level, hash, 1::bigint << (level::integer - 1) AS half FROM added) n
        WHERE level NOT BETWEEN 1 AND 62 OR (leaf & (2 * half - 1)) <> 2 * half - 1
           OR hash IS DISTINCT FROM sha256('\x01'::bytea || CASE WHEN level = 1
                THEN (SELECT l.hash FROM public.audit_leaves l WHERE l.leaf = n.leaf - 1)
                ELSE (SELECT o.hash FROM public.audit_nodes o WHERE o.leaf = n.leaf - n.half AND o.level = n.level - 1)
              END || CASE WHEN level = 1
                THEN (SELECT l.hash FROM public.audit_leaves l WHERE l.leaf = n.leaf)
                ELSE (SELECT o.hash FROM public.audit_nodes o WHERE o.leaf = n.leaf AND o.level = n.level - 1)
              END)
    ) THEN
        RAISE EXCEPTION 'a node of the audit''s tree is not the hash of its two halves'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_nodes_follow';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_nodes_follow AFTER INSERT ON audit_nodes REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_nodes_follow();

CREATE FUNCTION audit_checkpoints_cover() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Not by the highest leaf: one that was added far away, before this was looked at, would stop every other.
    IF EXISTS (
        SELECT FROM added c
        WHERE NOT EXISTS (SELECT FROM public.audit_leaves WHERE leaf = c.size - 1)
           OR EXISTS (SELECT FROM public.audit_leaves WHERE leaf = c.size)
           OR split_part(c.note, E'\n', 2) <> c.size::text
    ) THEN
        RAISE EXCEPTION 'a checkpoint covers the leaves that there are, and says how many'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_checkpoints_cover';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_checkpoints_cover AFTER INSERT ON audit_checkpoints REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_checkpoints_cover();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT EXECUTE ON FUNCTION delivery_attempts_upkeep(interval) TO eci_runtime;
    END IF;
END $$;
