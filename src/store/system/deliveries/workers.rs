//! Which workers deliver: their heartbeats, and what happens to the deliveries of dead ones.
//!
//! A worker that has not renewed itself in time is dead for good: its row is deleted, and with it everything it held is
//! released. If it wakes up, it finds no row, and starts again under another id.

use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::webhooks::retry::MAX_ATTEMPTS;
use crate::store::{Store, StoreError};

/// A delivery that its own worker does not know after this many seconds was lost on the way into its memory: the answer
/// to a commit did not arrive.
const LOST_SECONDS: f64 = 10.0;

impl Store {
    /// Adds a new worker.
    pub async fn enter_worker(&self, worker: Uuid, lease_seconds: f64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO webhook_workers (worker, alive_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))",
        )
        .bind(worker)
        .bind(lease_seconds)
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// Renews a worker. `false` if the others consider it dead.
    pub async fn renew_worker(&self, worker: Uuid, lease_seconds: f64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_workers SET alive_until = clock_timestamp() + make_interval(secs => $2)
             WHERE worker = $1 AND alive_until > clock_timestamp()",
        )
        .bind(worker)
        .bind(lease_seconds)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a worker: its teams are free for others at once.
    pub async fn leave_worker(&self, worker: Uuid) -> Result<(), StoreError> {
        sqlx::query(
            "WITH free AS (DELETE FROM webhook_holders WHERE worker = $1)
             DELETE FROM webhook_workers WHERE worker = $1",
        )
        .bind(worker)
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// Returns deliveries that were claimed and never sent; their attempt does not count.
    pub async fn give_back(&self, worker: Uuid, ids: &[DeliveryId]) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_deliveries SET state = 0, attempts = attempts - 1, lease_token = NULL, leased_at = NULL
             WHERE id = ANY ($2) AND state::int = 1 AND lease_token = $1",
        )
        .bind(worker)
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Returns deliveries that this worker holds according to the database, but not in its memory.
    pub async fn give_back_unknown(&self, worker: Uuid, known: &[DeliveryId]) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_deliveries SET state = 0, attempts = attempts - 1, lease_token = NULL, leased_at = NULL
             WHERE state = 1 AND lease_token = $1 AND NOT EXISTS (SELECT FROM unnest($2::uuid[]) AS known (one) WHERE known.one = id)
               AND leased_at < clock_timestamp() - make_interval(secs => $3)",
        )
        .bind(worker)
        .bind(known.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(LOST_SECONDS)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Which of these endpoints (each with its known revision) somebody has changed since, with their current revision.
    pub async fn changed_endpoints(&self, known: &[(EndpointId, i64)]) -> Result<Vec<(EndpointId, i64)>, StoreError> {
        let changed: Vec<(Uuid, i64)> = sqlx::query_as(
            "SELECT w.id, w.version + s.epoch FROM unnest($1::uuid[], $2::bigint[]) AS k (id, revision)
                 JOIN webhook_endpoints w ON w.id = k.id JOIN webhook_endpoint_state s ON s.endpoint = w.id
             WHERE w.version + s.epoch <> k.revision",
        )
        .bind(known.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
        .bind(known.iter().map(|(_, revision)| *revision).collect::<Vec<_>>())
        .fetch_all(&self.workers)
        .await?;
        Ok(changed.into_iter().map(|(id, revision)| (id.into(), revision)).collect())
    }

    /// Returns the deliveries of dead workers to the queue. Their attempt was counted when they were claimed, so a body
    /// that kills its worker still ends in the dead letter. Returns how many.
    pub async fn reclaim_deliveries(&self, now: Instant) -> Result<u64, StoreError> {
        let done = sqlx::query(
            // The worker first: once its row is deleted it cannot renew itself, whatever happens in between.
            "WITH dead AS (
                 DELETE FROM webhook_workers WHERE alive_until < clock_timestamp() RETURNING worker),
             lost AS (
                 SELECT d.id FROM webhook_deliveries d WHERE d.state = 1 AND CASE
                     -- Leased by a gateway of before, which leased each by itself.
                     WHEN d.lease_until IS NOT NULL THEN d.lease_until < clock_timestamp()
                     ELSE d.lease_token IN (SELECT worker FROM dead)
                         OR NOT EXISTS (SELECT FROM webhook_workers a WHERE a.worker = d.lease_token) END
                 LIMIT 500 FOR UPDATE SKIP LOCKED),
             returned AS (
                 UPDATE webhook_deliveries d SET state = CASE WHEN d.attempts >= most.attempts THEN 3 ELSE 0 END,
                     next_attempt_at = $1, finished_at = CASE WHEN d.attempts >= most.attempts THEN $1 END,
                     lease_token = NULL, lease_until = NULL, leased_at = NULL, last_error = 'worker_lost'
                 FROM lost, LATERAL (SELECT COALESCE(array_length(w.retry_schedule, 1) + 1, $2) AS attempts
                     FROM webhook_deliveries o JOIN webhook_endpoints w ON w.id = o.endpoint WHERE o.id = lost.id) most
                 WHERE d.id = lost.id RETURNING d.id, d.attempts)
             INSERT INTO delivery_attempts (delivery, number, outcome, error, at)
             SELECT id, attempts, 'worker_lost', 'worker_lost', $1 FROM returned",
        )
        .bind(now)
        .bind(i32::from(MAX_ATTEMPTS))
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }
}
