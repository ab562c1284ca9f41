-- Events, the endpoints that want them, and the queue in between.
--
-- An event and one delivery for each endpoint that wants it are written in the transaction of the change
-- that they tell of. The body is text, not jsonb: the exact bytes are signed.

CREATE TABLE webhook_endpoints (
    id              uuid PRIMARY KEY,
    team            text NOT NULL,
    url             text NOT NULL,
    description     text,
    event_types     text[] NOT NULL,                   -- empty means all
    secret          bytea NOT NULL,                    -- encrypted
    enabled         boolean NOT NULL DEFAULT true,
    disabled_reason text,
    deleted         boolean NOT NULL DEFAULT false,    -- kept for the deliveries that name it
    created_at      timestamptz NOT NULL,
    UNIQUE (team, id)
);
CREATE INDEX webhook_endpoints_list ON webhook_endpoints (team, id DESC) WHERE NOT deleted;

-- Hot counters, kept off the row that people edit.
CREATE TABLE webhook_endpoint_state (
    endpoint             uuid PRIMARY KEY REFERENCES webhook_endpoints (id),
    paused_until         timestamptz,
    consecutive_failures integer NOT NULL DEFAULT 0,
    first_failure_at     timestamptz,
    last_success_at      timestamptz,
    last_claim_at        timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE events (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    txid        xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- readers stay below the oldest running one
    team        text NOT NULL,
    type        text NOT NULL,
    image_cache uuid NOT NULL,
    dedupe_key  text NOT NULL UNIQUE,
    body        text NOT NULL CHECK (octet_length(body) <= 65536),
    occurred_at timestamptz NOT NULL,
    UNIQUE (team, seq),
    FOREIGN KEY (team, image_cache) REFERENCES image_caches (team, id)
);
CREATE INDEX events_feed ON events (team, txid, seq);

CREATE TABLE webhook_deliveries (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    team             text NOT NULL,
    event            bigint NOT NULL,
    endpoint         uuid NOT NULL,
    state            smallint NOT NULL DEFAULT 0,      -- 0 waiting, 1 leased, 2 delivered, 3 exhausted, 4 cancelled
    attempts         smallint NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL,
    lease_token      uuid,
    lease_until      timestamptz,                      -- by the database's clock
    finished_at      timestamptz,
    last_http_status smallint,
    last_error       text,
    UNIQUE (event, endpoint),
    FOREIGN KEY (team, event) REFERENCES events (team, seq),
    FOREIGN KEY (team, endpoint) REFERENCES webhook_endpoints (team, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, next_attempt_at, event) WHERE state = 0;
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint) INCLUDE (lease_until) WHERE state = 1;
CREATE INDEX webhook_deliveries_expired ON webhook_deliveries (lease_until) WHERE state = 1;
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (team, event DESC, id DESC);

CREATE TABLE webhook_attempts (
    delivery         uuid NOT NULL REFERENCES webhook_deliveries (id),
    number           smallint NOT NULL,
    outcome          text NOT NULL,                    -- delivered, failed, gone, refused, worker_lost
    http_status      smallint,
    duration_ms      integer,
    remote_address   text,
    response_excerpt bytea CHECK (octet_length(response_excerpt) <= 16384),
    error            text,                             -- a coarse word: the log is no port scanner
    at               timestamptz NOT NULL,
    PRIMARY KEY (delivery, number)
);
CREATE INDEX webhook_attempts_age ON webhook_attempts (at);
