//! Deletes what is past its retention in small parts: each a statement that looks at a few hundred rows in the order in
//! which they were written, however large the tables are. Only one process works on each kind at a time; the audit log
//! is never touched.
//!
//! The janitor in `app` calls it, and decides how long things are kept.

use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::store::columns::sql;
use crate::store::database::pool::PooledConnection;
use crate::store::words::{ENDED, OPEN};
use crate::store::{Store, StoreError};

/// How many rows one statement looks at.
const PART: i64 = 200;
/// How many endpoints one statement deletes.
const FEW: i64 = 10;

/// The result of one part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many rows of the kind were deleted.
    pub rows: u64,
    /// Whether there may be more to do at once.
    pub more: bool,
}

impl Store {
    /// Deletes the oldest events that happened before `before`, with their deliveries, and records for each team how
    /// far. Their deduplication keys stay as long as their image cache, so that none is sent again. An event with a
    /// delivery in flight stays until that has ended.
    pub async fn forget_events(&self, before: Instant) -> Result<Forgotten, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !hold(&mut transaction, "events").await? {
            return Ok(Forgotten::default());
        }
        let gone: i64 = sqlx::query_scalar(
            "WITH first AS MATERIALIZED (SELECT seq, team, occurred_at FROM events ORDER BY seq LIMIT $2),
             old AS MATERIALIZED (
                 SELECT f.seq, f.team FROM first f WHERE f.occurred_at < $1 AND NOT EXISTS (
                     SELECT FROM webhook_deliveries d WHERE d.team = f.team AND d.event = f.seq AND d.state = 1)),
             deliveries AS (
                 DELETE FROM webhook_deliveries d USING old WHERE d.team = old.team AND d.event = old.seq AND d.state <> 1
                 RETURNING d.id),
             attempts AS (DELETE FROM webhook_attempts a USING deliveries d WHERE a.delivery = d.id),
             gone AS (
                 DELETE FROM events e USING old WHERE e.seq = old.seq
                 RETURNING e.team, e.txid, e.seq, e.dedupe_key, e.image_cache),
             keys AS (
                 INSERT INTO event_keys (dedupe_key, image_cache)
                 SELECT dedupe_key, image_cache FROM gone WHERE image_cache IS NOT NULL ON CONFLICT DO NOTHING),
             noted AS (
                 INSERT INTO events_removed AS r (team, txid, seq)
                 SELECT DISTINCT ON (team) team, txid, seq FROM gone ORDER BY team, feed_life(seq) DESC, txid DESC, seq DESC
                 ON CONFLICT (team) DO UPDATE SET txid = EXCLUDED.txid, seq = EXCLUDED.seq
                     WHERE (feed_life(EXCLUDED.seq), EXCLUDED.txid, EXCLUDED.seq) > (feed_life(r.seq), r.txid, r.seq))
             SELECT count(*) FROM gone",
        )
        .bind(before)
        .bind(PART)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(forgotten(gone))
    }

    /// Deletes finished deliveries whose event happened before `before`; those that still wait stay until the event is
    /// deleted.
    pub async fn forget_deliveries(&self, before: Instant) -> Result<Forgotten, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !hold(&mut transaction, "deliveries").await? {
            return Ok(Forgotten::default());
        }
        let (seen, gone): (i64, i64) = sqlx::query_as(
            "WITH next AS MATERIALIZED (
                 SELECT e.seq, e.team, e.occurred_at FROM events e
                 WHERE e.seq > (SELECT seq FROM retention_progress WHERE part = 'deliveries') ORDER BY e.seq LIMIT $2),
             -- As far as all are old: a younger one stops it, so that none is passed by.
             old AS MATERIALIZED (
                 SELECT seq, team FROM next WHERE seq < COALESCE((SELECT min(seq) FROM next WHERE occurred_at >= $1), 9223372036854775807)),
             gone AS (
                 DELETE FROM webhook_deliveries d USING old
                 WHERE d.team = old.team AND d.event = old.seq AND d.state IN (2, 3, 4) RETURNING d.id),
             attempts AS (DELETE FROM webhook_attempts a USING gone WHERE a.delivery = gone.id),
             moved AS (
                 UPDATE retention_progress SET seq = COALESCE((SELECT max(seq) FROM old), seq) WHERE part = 'deliveries')
             SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM gone)",
        )
        .bind(before)
        .bind(PART)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Forgotten { rows: gone.unsigned_abs(), more: seen == PART })
    }

    /// Deletes image caches that ended before `before`, with their transitions, operations and attempts. One that
    /// something else still refers to stays: an operation that has not ended or whose caller has not been answered, an
    /// event, an idempotency key, a finding in the cloud.
    pub async fn forget_image_caches(&self, before: Instant) -> Result<Forgotten, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !hold(&mut transaction, "image_caches").await? {
            return Ok(Forgotten::default());
        }
        let (last, gone): (Option<Uuid>, i64) = sqlx::query_as(sql!(
            "WITH page AS MATERIALIZED (
                 SELECT c.id, c.team, c.status, c.updated_at FROM image_caches c
                 WHERE c.id > (SELECT id FROM retention_progress WHERE part = 'image_caches') AND c.id < $2
                 ORDER BY c.id LIMIT $3),
             old AS MATERIALIZED (
                 SELECT p.id, p.team FROM page p
                 WHERE p.status IN ({ENDED}) AND p.updated_at < $1
                   AND NOT EXISTS (SELECT FROM operations o WHERE o.image_cache = p.id AND (
                       o.state IN ({OPEN}) OR o.abandoned OR o.unsettled_until IS NOT NULL OR o.finished_at >= $1
                       OR EXISTS (SELECT FROM idempotency_keys k WHERE k.operation = o.id)
                       OR EXISTS (SELECT FROM found_caches f WHERE f.orphan_of = o.id)))
                   AND NOT EXISTS (SELECT FROM events e WHERE e.team = p.team AND e.image_cache = p.id)
                   AND NOT EXISTS (SELECT FROM owed_answers w WHERE w.image_cache = p.id)),
             keys AS (DELETE FROM event_keys k USING old WHERE k.image_cache = old.id),
             transitions AS (DELETE FROM transitions t USING old WHERE t.image_cache = old.id),
             operations AS (DELETE FROM operations o USING old WHERE o.image_cache = old.id RETURNING o.id),
             attempts AS (DELETE FROM operation_attempts a USING operations o WHERE a.operation = o.id),
             gone AS (DELETE FROM image_caches c USING old WHERE c.id = old.id RETURNING c.id),
             -- At the end it begins anew.
             moved AS (
                 UPDATE retention_progress SET id = CASE WHEN (SELECT count(*) FROM page) < $3
                     THEN '00000000-0000-0000-0000-000000000000' ELSE (SELECT id FROM page ORDER BY id DESC LIMIT 1) END
                 WHERE part = 'image_caches')
             SELECT (SELECT id FROM page ORDER BY id OFFSET $3 - 1), (SELECT count(*) FROM gone)"
        ))
        .bind(before)
        .bind(lowest_id(before))
        .bind(PART)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Forgotten { rows: gone.unsigned_abs(), more: last.is_some() && gone > 0 })
    }

    /// Deletes API keys and access keys that were revoked or expired before `before`.
    pub async fn forget_credentials(&self, before: Instant) -> Result<u64, StoreError> {
        let mut gone = 0;
        for sql in [
            "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < $1 OR expires_at < $1 LIMIT $2)",
            "DELETE FROM access_keys WHERE id IN (SELECT id FROM access_keys WHERE revoked_at < $1 LIMIT $2)",
        ] {
            gone += sqlx::query(sql).bind(before).bind(PART).execute(&self.workers).await?.rows_affected();
        }
        Ok(gone)
    }

    /// Deletes what is left of endpoints that were deleted before `before` and that have no deliveries any more.
    pub async fn forget_endpoints(&self, before: Instant) -> Result<u64, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !hold(&mut transaction, "endpoints").await? {
            return Ok(0);
        }
        let gone: i64 = sqlx::query_scalar(
            "WITH old AS MATERIALIZED (
                 SELECT w.id FROM webhook_endpoints w
                 WHERE w.deleted AND COALESCE(w.deleted_at, w.created_at) < $1
                   AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.team = w.team AND d.endpoint = w.id) LIMIT $2),
             states AS (DELETE FROM webhook_endpoint_state s USING old WHERE s.endpoint = old.id),
             passed AS (DELETE FROM webhook_passed_over p USING old WHERE p.endpoint = old.id),
             gone AS (DELETE FROM webhook_endpoints w USING old WHERE w.id = old.id RETURNING w.id)
             SELECT count(*) FROM gone",
        )
        .bind(before)
        .bind(FEW)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(gone.unsigned_abs())
    }
}

/// Takes over a kind until the end of the transaction. `false` if another process is working on it.
async fn hold(connection: &mut PooledConnection, part: &str) -> Result<bool, StoreError> {
    let held: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM retention_progress WHERE part = $1 FOR UPDATE SKIP LOCKED")
            .bind(part)
            .fetch_optional(connection)
            .await?;
    Ok(held.is_some())
}

/// A part that was full is followed by another.
fn forgotten(gone: i64) -> Forgotten {
    Forgotten { rows: gone.unsigned_abs(), more: gone == PART }
}

/// The lowest id of anything requested at `instant` or later: ids begin with the time.
fn lowest_id(instant: Instant) -> Uuid {
    let milliseconds = u128::from(instant.timestamp_millis().max(0).unsigned_abs());
    Uuid::from_u128(milliseconds << 80)
}
