-- Audit entries by month, so that old months can be dropped whole. What is there becomes the first part, unchanged and
-- uncopied; the months begin behind it.

ALTER TABLE audit_entries RENAME TO audit_entries_before;
ALTER INDEX audit_entries_list RENAME TO audit_entries_before_list;
ALTER INDEX audit_entries_resource RENAME TO audit_entries_before_resource;
ALTER INDEX audit_entries_to_seal RENAME TO audit_entries_before_to_seal;
-- A part cannot have a numbering of its own: the sequence goes to the whole.
ALTER TABLE audit_entries_before ALTER COLUMN seq DROP IDENTITY;

CREATE SEQUENCE audit_entries_number;
SELECT setval('audit_entries_number', (SELECT coalesce(max(seq), 0) + 1 FROM audit_entries_before), false);

CREATE TABLE audit_entries (
    id                  uuid NOT NULL,
    seq                 bigint NOT NULL DEFAULT nextval('audit_entries_number'),
    at                  timestamptz NOT NULL,
    team                text,                          -- none where the caller could not be told
    subject             text NOT NULL,
    credential          text,
    door                text NOT NULL,
    request_id          text NOT NULL,
    address             text,
    action              text NOT NULL,
    resource            text,
    outcome             text NOT NULL CONSTRAINT audit_entries_outcome_check
        CHECK (outcome IN ('accepted', 'succeeded', 'refused', 'failed')),
    http_status         integer,
    code                text,
    duration_ms         integer,
    operation           uuid,
    provider_request_id text,
    parameters          jsonb NOT NULL,
    stamp               bytea,
    txid                bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    cloud_ms            integer,
    CONSTRAINT audit_entries_stamped CHECK (stamp IS NOT NULL OR txid = 0)
) PARTITION BY RANGE (at);
ALTER SEQUENCE audit_entries_number OWNED BY audit_entries.seq;

CREATE UNIQUE INDEX audit_entries_id ON audit_entries (id, at);
-- Newest first by number, not by id: ids made within one millisecond have no order.
CREATE INDEX audit_entries_list ON audit_entries (team, seq DESC);
CREATE INDEX audit_entries_resource ON audit_entries (team, resource, seq DESC) WHERE resource IS NOT NULL;
CREATE INDEX audit_entries_to_seal ON audit_entries (txid, seq);
CREATE TRIGGER audit_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();

-- What no month takes: a clock that is far off. Never dropped.
CREATE TABLE audit_entries_other PARTITION OF audit_entries DEFAULT;
CREATE TRIGGER audit_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries_other
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();

-- Rows from before, if there are any: up to the end of this month, or of their newest one.
DO $$
DECLARE
    newest timestamptz := (SELECT max(at) FROM audit_entries_before);
BEGIN
    IF newest IS NULL THEN
        DROP TABLE audit_entries_before;
    ELSE
        EXECUTE format('ALTER TABLE audit_entries ATTACH PARTITION audit_entries_before FOR VALUES FROM (MINVALUE) TO (%L)',
            (date_trunc('month', greatest(newest, now()) AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
    END IF;
END $$;

-- Makes the parts of this month and the next three. The gateway calls it, whose role owns nothing: it can add an empty
-- month, and nothing else. A month that is there, or that has rows elsewhere already, is left as it is.
CREATE FUNCTION audit_make_months() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
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
REVOKE EXECUTE ON FUNCTION audit_make_months() FROM PUBLIC;
SELECT audit_make_months();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT ON audit_entries TO eci_runtime;
        GRANT USAGE ON SEQUENCE audit_entries_number TO eci_runtime;
        GRANT EXECUTE ON FUNCTION audit_make_months() TO eci_runtime;
        -- Rows are read and added through the whole.
        IF to_regclass('audit_entries_before') IS NOT NULL THEN
            REVOKE ALL ON audit_entries_before FROM eci_runtime;
        END IF;
    END IF;
END $$;
