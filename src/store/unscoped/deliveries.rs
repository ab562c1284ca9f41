//! The delivery queue: claimed in batches and fairly, finished in batches, never held across a call.

use chrono::Duration;
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::ids::{DeliveryId, EndpointId, EventId};
use crate::store::{Error, Store};

/// A delivery in this worker's hands.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub id: DeliveryId,
    /// What guards its end.
    pub lease_token: Uuid,
    /// Which attempt this is, from 1; counted already.
    pub attempt: i16,
    /// The event: the `webhook-id`.
    pub event: EventId,
    /// The exact bytes to sign and send.
    pub body: String,
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Its URL.
    pub url: String,
    /// Its encrypted secret.
    pub secret: Vec<u8>,
}

#[derive(FromRow)]
struct ClaimRow {
    id: Uuid,
    attempts: i16,
    event: Uuid,
    body: String,
    endpoint: Uuid,
    url: String,
    secret: Vec<u8>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Which delivery.
    pub id: DeliveryId,
    /// The claim's token: without it nothing is written.
    pub lease_token: Uuid,
    /// `delivered`, `failed`, `gone` or `refused`.
    pub outcome: &'static str,
    /// The number of the state that it goes to.
    pub state: i16,
    /// When it is due again, if it waits.
    pub next_attempt_at: Option<Instant>,
    /// Until when the whole endpoint pauses, if the receiver asked for it.
    pub pause_until: Option<Instant>,
    /// The HTTP status.
    pub http_status: Option<i16>,
    /// How long it took.
    pub duration: Duration,
    /// Where it went.
    pub remote: Option<std::net::IpAddr>,
    /// The first bytes of what came back.
    pub response: Vec<u8>,
    /// A coarse word of what went wrong.
    pub error: Option<&'static str>,
}

/// The bounds of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Free slots of this worker.
    pub slots: i64,
    /// Most in flight to one endpoint (1 after three failures in a row).
    pub per_endpoint: i64,
    /// How long the lease lasts.
    pub lease_seconds: f64,
}

impl Store {
    /// Claims due deliveries: endpoint by endpoint, the one served longest ago first.
    ///
    /// Two statements in one transaction, on purpose: the first locks the endpoints' state rows, the second
    /// counts what is in flight with a fresh snapshot. One statement would count with the snapshot from
    /// before the lock was won, and admit too many.
    pub async fn claim_deliveries(&self, now: Instant, lease_token: Uuid, bounds: Bounds) -> Result<Vec<Claim>, Error> {
        let mut transaction = self.workers.begin().await?;
        let endpoints: Vec<Uuid> = sqlx::query_scalar(
            "SELECT s.endpoint FROM webhook_endpoint_state s JOIN webhook_endpoints w ON w.id = s.endpoint
             WHERE w.enabled AND (s.paused_until IS NULL OR s.paused_until <= $1)
               AND EXISTS (SELECT FROM webhook_deliveries q WHERE q.endpoint = s.endpoint AND q.state = 0 AND q.next_attempt_at <= $1)
               -- One that is full would stand first in the queue for ever, and nobody behind it be served.
               AND (SELECT count(*) FROM webhook_deliveries l WHERE l.endpoint = s.endpoint AND l.state = 1)
                   < CASE WHEN s.consecutive_failures >= 3 THEN 1 ELSE $3 END
             ORDER BY s.last_claim_at LIMIT LEAST($2, 64) FOR NO KEY UPDATE OF s SKIP LOCKED",
        )
        .bind(now)
        .bind(bounds.slots)
        .bind(bounds.per_endpoint)
        .fetch_all(&mut *transaction)
        .await?;
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<ClaimRow> = sqlx::query_as(CLAIM)
            .bind(now)
            .bind(lease_token)
            .bind(bounds.slots)
            .bind(bounds.per_endpoint)
            .bind(bounds.lease_seconds)
            .bind(&endpoints)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(rows.into_iter().map(|row| row.with(lease_token)).collect())
    }

    /// Records how attempts ended, each guarded by its lease. Returns how many still held it.
    pub async fn finish_deliveries(&self, now: Instant, finished: &[Finished]) -> Result<u64, Error> {
        let column = |of: fn(&Finished) -> Option<String>| finished.iter().map(of).collect::<Vec<_>>();
        let done = sqlx::query(FINISH)
            .bind(now)
            .bind(finished.iter().map(|end| end.id.uuid()).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.lease_token).collect::<Vec<_>>())
            .bind(column(|end| Some(end.outcome.to_owned())))
            .bind(finished.iter().map(|end| end.state).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.next_attempt_at).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.pause_until).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.http_status).collect::<Vec<_>>())
            .bind(
                finished
                    .iter()
                    .map(|end| i32::try_from(end.duration.num_milliseconds()).unwrap_or(i32::MAX))
                    .collect::<Vec<_>>(),
            )
            .bind(column(|end| end.remote.map(|address| address.to_string())))
            .bind(finished.iter().map(|end| end.response.clone()).collect::<Vec<_>>())
            .bind(column(|end| end.error.map(str::to_owned)))
            .execute(&self.workers)
            .await?;
        Ok(done.rows_affected())
    }

    /// Returns what a dead worker held. Its attempt was counted at the claim, so a body that kills its
    /// worker still ends in the dead letter. Returns how many.
    pub async fn reclaim_deliveries(&self, now: Instant, max_attempts: i16) -> Result<u64, Error> {
        let done = sqlx::query(
            "WITH lost AS (
                 SELECT id FROM webhook_deliveries WHERE state = 1 AND lease_until < clock_timestamp()
                 ORDER BY lease_until LIMIT 500 FOR UPDATE SKIP LOCKED),
             returned AS (
                 UPDATE webhook_deliveries d SET state = CASE WHEN d.attempts >= $2 THEN 3 ELSE 0 END, next_attempt_at = $1,
                     finished_at = CASE WHEN d.attempts >= $2 THEN $1 END, lease_token = NULL, lease_until = NULL,
                     last_error = 'worker_lost'
                 FROM lost WHERE d.id = lost.id RETURNING d.id, d.attempts)
             INSERT INTO webhook_attempts (delivery, number, outcome, error, at)
             SELECT id, attempts, 'worker_lost', 'worker_lost', $1 FROM returned",
        )
        .bind(now)
        .bind(max_attempts)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }
}

impl ClaimRow {
    fn with(self, lease_token: Uuid) -> Claim {
        Claim {
            id: self.id.into(),
            lease_token,
            attempt: self.attempts,
            event: self.event.into(),
            body: self.body,
            endpoint: self.endpoint.into(),
            url: self.url,
            secret: self.secret,
        }
    }
}

/// $1 now, $2 token, $3 slots, $4 per endpoint, $5 lease in seconds, $6 the locked endpoints.
const CLAIM: &str = "
    WITH room AS MATERIALIZED (
        SELECT s.endpoint, CASE WHEN s.consecutive_failures >= 3 THEN 1 ELSE $4 END
            - (SELECT count(*) FROM webhook_deliveries l WHERE l.endpoint = s.endpoint AND l.state = 1) AS free
        FROM webhook_endpoint_state s WHERE s.endpoint = ANY ($6)),
    picked AS (
        SELECT due.id, room.endpoint FROM room CROSS JOIN LATERAL (
            SELECT q.id FROM webhook_deliveries q
            WHERE q.endpoint = room.endpoint AND q.state = 0 AND q.next_attempt_at <= $1
            ORDER BY q.next_attempt_at, q.event LIMIT GREATEST(room.free, 0) FOR UPDATE SKIP LOCKED) due
        LIMIT $3),
    served AS (
        UPDATE webhook_endpoint_state s SET last_claim_at = clock_timestamp()
        WHERE s.endpoint IN (SELECT endpoint FROM picked)),
    claimed AS (
        UPDATE webhook_deliveries d SET state = 1, attempts = d.attempts + 1, lease_token = $2,
            lease_until = clock_timestamp() + make_interval(secs => $5)
        FROM picked WHERE d.id = picked.id RETURNING d.id, d.attempts, d.event, d.endpoint)
    SELECT c.id, c.attempts, e.id AS event, e.body, c.endpoint, w.url, w.secret
    FROM claimed c JOIN events e ON e.seq = c.event JOIN webhook_endpoints w ON w.id = c.endpoint";

/// $1 now, then one array for each field of [`Finished`].
const FINISH: &str = "
    WITH ends AS (
        SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::smallint[], $6::timestamptz[], $7::timestamptz[],
            $8::smallint[], $9::int[], $10::text[], $11::bytea[], $12::text[])
            AS t (id, token, outcome, state, next_at, pause_until, status, ms, remote, response, error)),
    done AS (
        UPDATE webhook_deliveries d SET state = ends.state, next_attempt_at = COALESCE(ends.next_at, d.next_attempt_at),
            finished_at = CASE WHEN ends.state = 0 THEN NULL ELSE $1 END, lease_token = NULL, lease_until = NULL,
            last_http_status = ends.status, last_error = ends.error
        FROM ends WHERE d.id = ends.id AND d.state = 1 AND d.lease_token = ends.token
        RETURNING d.id, d.endpoint, d.attempts, ends.outcome, ends.pause_until, ends.status, ends.ms, ends.remote,
            ends.response, ends.error),
    health AS (
        SELECT endpoint, bool_or(outcome = 'delivered') AS good, count(*) FILTER (WHERE outcome <> 'delivered') AS bad,
            max(pause_until) AS pause_until, bool_or(outcome = 'gone') AS gone FROM done GROUP BY endpoint),
    counted AS (
        UPDATE webhook_endpoint_state s SET
            consecutive_failures = CASE WHEN h.good THEN 0 ELSE s.consecutive_failures + h.bad END,
            first_failure_at = CASE WHEN h.good THEN NULL ELSE COALESCE(s.first_failure_at, $1) END,
            last_success_at = CASE WHEN h.good THEN $1 ELSE s.last_success_at END,
            paused_until = GREATEST(s.paused_until, h.pause_until)
        FROM health h WHERE s.endpoint = h.endpoint),
    switched_off AS (
        UPDATE webhook_endpoints w SET enabled = false, disabled_reason = 'gone'
        FROM health h WHERE w.id = h.endpoint AND h.gone)
    INSERT INTO webhook_attempts (delivery, number, outcome, http_status, duration_ms, remote_address, response_excerpt, error, at)
    SELECT id, attempts, outcome, status, ms, remote, response, error, $1 FROM done";
