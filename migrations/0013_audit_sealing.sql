-- Sealing of the audit: every entry becomes a leaf of one Merkle tree (RFC 6962), whose root is signed again and
-- again. Expands only: what was there stays as it is, 0014 puts it into months.
--
-- Nothing in these tables is ever changed or removed. The tree is kept so that sealing n entries writes O(n) rows and a
-- proof reads O(log n): leaves, and every complete subtree once.

ALTER TABLE audit_entries
    -- Who wrote it: a keyed hash of everything that the gateway knew when it wrote the row. Whoever owns the table, but
    -- not the audit key, cannot add a row that gets sealed.
    ADD COLUMN stamp    bytea,
    -- Readers of logs stay behind the oldest running transaction: numbers are given out before their commit. Rows from
    -- before this migration have 0, so they are sealed first, without a stamp.
    ADD COLUMN txid     bigint NOT NULL DEFAULT 0,
    -- Milliseconds from the signing of the last call to the cloud to its outcome, where there was one.
    ADD COLUMN cloud_ms integer;
ALTER TABLE audit_entries ALTER COLUMN txid SET DEFAULT pg_current_xact_id()::text::bigint;
ALTER TABLE audit_entries ADD CONSTRAINT audit_entries_stamped CHECK (stamp IS NOT NULL OR txid = 0);
-- What the sealer reads next.
CREATE INDEX audit_entries_to_seal ON audit_entries (txid, seq);

-- The leaf outlives its entry: when a month is dropped, what was in it can still be proved.
CREATE TABLE audit_leaves (
    leaf  bigint PRIMARY KEY CHECK (leaf >= 0),        -- its index in the tree, without gaps
    entry uuid NOT NULL UNIQUE,                        -- sealed once
    hash  bytea NOT NULL                               -- SHA-256 of 0 and the entry's canonical bytes
);

-- The subtree of 2^level leaves that ends with this leaf; levels from 1 on.
CREATE TABLE audit_nodes (
    leaf  bigint NOT NULL,
    level smallint NOT NULL CHECK (level >= 1),
    hash  bytea NOT NULL,                              -- SHA-256 of 1 and the two halves' hashes
    PRIMARY KEY (leaf, level)
);

-- One for each batch that was sealed: a signed note (C2SP signed-note and tlog-checkpoint).
CREATE TABLE audit_checkpoints (
    size bigint PRIMARY KEY CHECK (size > 0),          -- how many leaves it covers
    note text NOT NULL
);

CREATE TRIGGER audit_leaves_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();
CREATE TRIGGER audit_nodes_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();
CREATE TRIGGER audit_checkpoints_final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN
        GRANT SELECT, INSERT ON audit_leaves, audit_nodes, audit_checkpoints TO eci_runtime;
    END IF;
END $$;
