//! What the janitor cleans up, and the workers' heartbeats.

use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::database::heartbeats::{Heartbeats, MISSED_AFTER};
use crate::domain::image_cache::ImageCache;
use crate::store::columns::sql;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::readable;
use crate::store::words::{AT_REST, OVER};
use crate::store::{Store, StoreError};

impl Store {
    /// Deletes idempotency keys that were created before `before`, with the responses that are kept for them; those of
    /// operations only once these have ended. Returns how many.
    pub async fn forget_keys(&self, before: Instant) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "DELETE FROM idempotency_keys k USING operations o
             WHERE k.created_at < $1 AND o.id = k.operation AND o.state <> 'running'",
        )
        .bind(before)
        .execute(&self.workers)
        .await?;
        let responses = sqlx::query("DELETE FROM idempotent_responses WHERE created_at < $1").bind(before);
        Ok(done.rows_affected() + responses.execute(&self.workers).await?.rows_affected())
    }

    /// Creates the coming daily partitions of attempts, and drops those that are older than `keep` by the database's
    /// clock, together with attempts in an earlier form of the table. With `None`, nothing is dropped. The deliveries
    /// themselves stay. Returns how many days were dropped.
    pub async fn forget_attempts(&self, keep: Option<Duration>) -> Result<i32, StoreError> {
        let seconds = keep.map(|keep| keep.as_secs_f64());
        let days = sqlx::query_scalar("SELECT delivery_attempts_upkeep(make_interval(secs => $1))")
            .bind(seconds)
            .fetch_one(&self.workers)
            .await?;
        sqlx::query("DELETE FROM webhook_attempts WHERE at < now() - make_interval(secs => $1)")
            .bind(seconds)
            .execute(&self.workers)
            .await?;
        Ok(days)
    }

    /// Cancels deliveries that came to wait for an endpoint after it was deleted: an attempt in flight that failed, or
    /// an event of the same moment. Returns how many.
    pub async fn cancel_orphans(&self, now: Instant) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_deliveries d SET state = 4, finished_at = $1 FROM webhook_endpoints w
             WHERE w.deleted AND d.endpoint = w.id AND d.state = 0",
        )
        .bind(now)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Makes every group due that holds an expired cache, so that the tracker polls it.
    pub async fn wake_expired(&self, now: Instant) -> Result<u64, StoreError> {
        let done = sqlx::query(sql!(
            "INSERT INTO tracker_groups AS g (account, region, due_at)
             SELECT DISTINCT account, region, $1::timestamptz FROM image_caches
             WHERE expires_at <= $1 AND gone_at IS NULL AND status IN ({AT_REST})
             ON CONFLICT (account, region) DO UPDATE SET due_at = LEAST(g.due_at, EXCLUDED.due_at)"
        ))
        .bind(now)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Up to `limit` caches whose delete has ended, that have not changed since `before`, and that the cloud still
    /// shows.
    pub async fn undone_deletes(&self, before: Instant, limit: i64) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM image_caches c
             WHERE c.status = 'deleting' AND c.eci_cache_id IS NOT NULL AND c.misses = 0 AND c.updated_at <= $1
               AND NOT EXISTS (SELECT FROM operations o
                   WHERE o.image_cache = c.id AND o.state NOT IN ({OVER}))
             LIMIT $2",
            ImageCacheRow::columns("c")
        );
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(before).bind(limit);
        let rows: Vec<ImageCacheRow> = query.fetch_all(&self.workers).await?;
        Ok(readable(rows))
    }

    /// Records that `worker` is alive.
    pub async fn beat(&self, worker: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO worker_heartbeats (worker, beat_at) VALUES ($1, clock_timestamp())
             ON CONFLICT (worker) DO UPDATE SET beat_at = EXCLUDED.beat_at",
        )
        .bind(worker)
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// The heartbeats of all workers.
    pub async fn heartbeats(&self) -> Result<Heartbeats, StoreError> {
        let (fresh, print) = sqlx::query_as(
            // A heartbeat in the future is from before the clock jumped back, and means nothing.
            "SELECT COALESCE(bool_or(beat_at > clock_timestamp() - make_interval(secs => $1)
                 AND beat_at < clock_timestamp() + make_interval(secs => $1)), false),
                 COALESCE(string_agg(worker || ' ' || beat_at, ',' ORDER BY worker), '')
             FROM worker_heartbeats",
        )
        .bind(MISSED_AFTER.as_secs_f64())
        .fetch_one(&self.requests)
        .await?;
        Ok(Heartbeats { fresh, print })
    }
}
