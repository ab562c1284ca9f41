//! Repairs times that are further in the future than anything is ever postponed: they were written before a clock
//! jumped back.
//!
//! What must stay true: a lease is shortened, never taken away: its holder renews it, and a dead holder loses it within
//! its usual length. What is due too far in the future becomes due now; whoever picks it up decides anew.
//!
//! The janitor calls it.

use uuid::Uuid;

use crate::domain::clock::{FARTHEST_DUE, Instant, LONGEST_LEASE};
use crate::domain::webhooks::retry::LONGEST_PAUSE;
use crate::store::{Store, StoreError};

/// How many image caches one statement looks at: reading a whole large table takes longer than a statement may.
const PIECE: i64 = 1_000;

/// How far in the future something may be due.
#[derive(Debug, Clone, Copy)]
pub struct Farthest {
    /// An operation, and the follow-up after its end.
    pub operation: chrono::Duration,
    /// A comparison with the cloud.
    pub comparison: chrono::Duration,
    /// A poll of what is in motion.
    pub look: chrono::Duration,
}

impl Store {
    /// Shortens leases that end later than any lease may. Returns how many.
    pub async fn shorten_leases(&self) -> Result<u64, StoreError> {
        let mut shortened = 0;
        for sql in [
            "UPDATE operations SET lease_until = clock_timestamp() + make_interval(secs => $1)
             WHERE state = 'running' AND lease_until > clock_timestamp() + make_interval(secs => $1)",
            "UPDATE operations SET lease_until = clock_timestamp() + make_interval(secs => $1)
             WHERE unsettled_until IS NOT NULL AND lease_until > clock_timestamp() + make_interval(secs => $1)",
            "UPDATE tracker_groups SET lease_until = clock_timestamp() + make_interval(secs => $1)
             WHERE lease_until > clock_timestamp() + make_interval(secs => $1)",
            "UPDATE reconcile_groups SET lease_until = clock_timestamp() + make_interval(secs => $1)
             WHERE lease_until > clock_timestamp() + make_interval(secs => $1)",
            "UPDATE webhook_workers SET alive_until = clock_timestamp() + make_interval(secs => $1)
             WHERE alive_until > clock_timestamp() + make_interval(secs => $1)",
            "UPDATE webhook_deliveries SET leased_at = clock_timestamp()
             WHERE state = 1 AND leased_at > clock_timestamp() + make_interval(secs => $1)",
        ] {
            let done = sqlx::query(sql).bind(LONGEST_LEASE.as_secs_f64()).execute(&self.workers).await?;
            shortened += done.rows_affected();
        }
        Ok(shortened)
    }

    /// Sets times of image caches that are too far in the future to now, so that the caches are compared with the cloud
    /// and their builds are judged. Looks at the next caches after the id `after`. Returns how many were changed, and
    /// the id after which to continue.
    pub async fn void_far_caches(&self, now: Instant, after: Uuid) -> Result<(u64, Option<Uuid>), StoreError> {
        let (far, next): (Vec<Uuid>, Option<Uuid>) = sqlx::query_as(
            "WITH piece AS (
                 SELECT id, updated_at > $2 OR (evidence ->> 'accepted_at')::timestamptz > $2 AS far
                 FROM image_caches WHERE id > $1 ORDER BY id LIMIT $3)
             SELECT ARRAY(SELECT id FROM piece WHERE far), (SELECT id FROM piece OFFSET $3 - 1)",
        )
        .bind(after)
        .bind(now + FARTHEST_DUE)
        .bind(PIECE)
        .fetch_one(&self.workers)
        .await?;
        if far.is_empty() {
            return Ok((0, next));
        }
        let done = sqlx::query(
            "UPDATE image_caches SET updated_at = LEAST(updated_at, $1), version = version + 1,
                 evidence = CASE WHEN (evidence ->> 'accepted_at')::timestamptz > $2
                     THEN jsonb_set(evidence, '{accepted_at}', to_jsonb($1::timestamptz)) ELSE evidence END
             WHERE id = ANY($3) AND (updated_at > $2 OR (evidence ->> 'accepted_at')::timestamptz > $2)",
        )
        .bind(now)
        .bind(now + FARTHEST_DUE)
        .bind(far);
        Ok((done.execute(&self.workers).await?.rows_affected(), next))
    }

    /// The same for operations that are not finished, and for owed answers: what was left behind is deleted from now
    /// on. Returns how many.
    pub async fn void_far_progress(&self, now: Instant) -> Result<u64, StoreError> {
        let running = "UPDATE operations SET created_at = LEAST(created_at, $1),
                last_signed_at = LEAST(last_signed_at, $1), window_opened_at = LEAST(window_opened_at, $1)
            WHERE state = 'running' AND (created_at > $2 OR last_signed_at > $2)";
        let unsettled = "UPDATE operations SET created_at = LEAST(created_at, $1),
                last_signed_at = LEAST(last_signed_at, $1)
            WHERE unsettled_until IS NOT NULL AND (created_at > $2 OR last_signed_at > $2)";
        let owed = "UPDATE owed_answers SET created_at = $1 WHERE created_at > $2";
        let far = now + FARTHEST_DUE;
        self.made_present(now, [(running, far), (unsettled, far), (owed, far)]).await
    }

    /// Makes operations due that are due too far in the future. Returns how many.
    pub async fn void_far_operations(&self, now: Instant, farthest: Farthest) -> Result<u64, StoreError> {
        let operation = now + farthest.operation.max(FARTHEST_DUE);
        // A signing time in the future would make the lookup wait until then. What was signed was signed by now.
        let operations = "UPDATE operations SET due_at = $1, last_signed_at = LEAST(last_signed_at, $1),
                window_opened_at = LEAST(window_opened_at, $1)
            WHERE state = 'running' AND due_at > $2";
        let aftercare = "UPDATE operations SET unsettled_until = $2, last_signed_at = LEAST(last_signed_at, $1)
            WHERE unsettled_until > $2";
        self.made_present(now, [(operations, operation), (aftercare, operation)]).await
    }

    /// Makes polls, comparisons and deliveries due that are due too far in the future; by any clock, doing them early
    /// is harmless. Returns how many.
    pub async fn void_far_looks(&self, now: Instant, farthest: Farthest) -> Result<u64, StoreError> {
        let comparison = now + farthest.comparison.max(FARTHEST_DUE);
        let groups = "UPDATE tracker_groups SET due_at = $1 WHERE due_at > $2";
        let comparisons = "UPDATE reconcile_groups SET due_at = $1, list_at = LEAST(list_at, $1)
            WHERE due_at > $2 OR list_at > $2";
        let deliveries = "UPDATE webhook_deliveries d SET next_attempt_at = $1 FROM webhook_endpoint_state s
            WHERE d.endpoint = s.endpoint AND d.state = 0 AND d.next_attempt_at > $2";
        // A pause of a day may be extended by a few percent.
        let delivery = now + LONGEST_PAUSE * 2;
        let look = now + farthest.look;
        self.made_present(now, [(groups, look), (comparisons, comparison), (deliveries, delivery)]).await
    }

    async fn made_present<const N: usize>(
        &self,
        now: Instant,
        all: [(&'static str, Instant); N],
    ) -> Result<u64, StoreError> {
        let mut made_present = 0;
        for (sql, limit) in all {
            let done = sqlx::query(sql).bind(now).bind(limit).execute(&self.workers).await?;
            made_present += done.rows_affected();
        }
        Ok(made_present)
    }
}
