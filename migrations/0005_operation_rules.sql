-- Operations that wait for another one, refusals that are held, and what is looked after when an operation has ended.

ALTER TABLE operations
    -- Why nothing more is sent although it runs: a refusal that came while an earlier attempt was in doubt, or a
    -- token that the cloud knows with other parameters. `error` holds what the cloud said.
    ADD COLUMN held            text CHECK (held IN ('refusal', 'mismatch')),
    -- Ended, but a copy of an attempt may still be carried out until then; none once that is settled.
    ADD COLUMN unsettled_until timestamptz;

-- A delete that came while another operation runs: it becomes `running` in the transaction that ends that one.
ALTER TABLE operations
    DROP CONSTRAINT operations_state_check,
    ADD CONSTRAINT operations_state_check CHECK (state IN ('waiting', 'running', 'succeeded', 'refused'));

-- One waits at most; operations_one_running stays as it is.
CREATE UNIQUE INDEX operations_one_waiting ON operations (image_cache) WHERE state = 'waiting';
CREATE INDEX operations_unsettled ON operations (unsettled_until) WHERE unsettled_until IS NOT NULL;
