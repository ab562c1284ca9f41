-- What a deliverer remembers of an endpoint (that it rests, how often it failed, where it is) holds only while nobody
-- has acted upon the endpoint since. Expands only: a gateway of before raises `version` alone, which counts as well.

ALTER TABLE webhook_endpoint_state
    -- Rises whenever what is remembered of the endpoint no longer holds: it was changed, paused, resumed, switched off or
    -- removed, a test arrived, deliveries were sent again. Together with the endpoint's version it is its revision.
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
