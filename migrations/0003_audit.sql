-- Who did what, when, with what outcome. Written once: nobody changes or removes an entry, the table's
-- owner neither (only by first dropping this trigger, which is what the audit of the database is for).

CREATE TABLE audit_entries (
    id                  uuid PRIMARY KEY,
    seq                 bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    at                  timestamptz NOT NULL,
    team                text,                          -- none where the caller could not be told
    subject             text NOT NULL,
    credential          text,
    door                text NOT NULL,
    request_id          text NOT NULL,
    address             text,
    action              text NOT NULL,
    resource            text,
    outcome             text NOT NULL CHECK (outcome IN ('accepted', 'succeeded', 'refused', 'failed')),
    http_status         integer,
    code                text,
    duration_ms         integer,
    operation           uuid,
    provider_request_id text,
    parameters          jsonb NOT NULL
);
-- Newest first by number, not by id: ids made within one millisecond have no order.
CREATE INDEX audit_entries_list ON audit_entries (team, seq DESC);
CREATE INDEX audit_entries_resource ON audit_entries (team, resource, seq DESC) WHERE resource IS NOT NULL;

CREATE FUNCTION audit_entries_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or removed';
END $$;

CREATE TRIGGER audit_entries_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();

-- The runtime role, where the operator made one (deploy/postgres/roles.sql), owns nothing and can only
-- read and add audit entries.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT USAGE ON SCHEMA public TO eci_runtime;
        GRANT SELECT, INSERT, UPDATE ON image_caches, operations, operation_attempts, transitions, tracker_groups,
            worker_heartbeats, webhook_endpoints, webhook_endpoint_state, events, webhook_deliveries TO eci_runtime;
        GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys, webhook_attempts TO eci_runtime;
        GRANT SELECT, INSERT ON audit_entries TO eci_runtime;
        GRANT SELECT ON _sqlx_migrations TO eci_runtime;
    END IF;
END $$;
