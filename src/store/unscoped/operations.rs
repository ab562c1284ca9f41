//! Operations that nobody drives any more: claimed, attempted, postponed. Settling is the team's own
//! ([`super::super::operations`]).

use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::Operation;
use crate::store::rows::OperationRow;
use crate::store::{Error, Store};

/// An operation in this worker's hands.
#[derive(Debug, Clone)]
pub struct LeasedOperation {
    /// The operation as it was when it was claimed.
    pub operation: Operation,
    /// Its registry logins, encrypted.
    pub credentials: Option<Vec<u8>>,
    /// What guards every write.
    pub lease_token: Uuid,
    /// A moment before the lease was asked for, by the monotonic clock.
    pub taken: std::time::Instant,
}

#[derive(FromRow)]
struct LeasedRow {
    #[sqlx(flatten)]
    operation: OperationRow,
    credentials: Option<Vec<u8>>,
}

/// How an attempt ended that did not end its operation.
#[derive(Debug, Clone)]
pub struct Postponed {
    /// `throttled`, `not_sent` or `unknown`.
    pub outcome: &'static str,
    /// In words, without secrets.
    pub detail: String,
    /// Whether any attempt so far may have been carried out.
    pub in_doubt: bool,
    /// When to go on.
    pub due_at: Instant,
}

impl Store {
    /// Claims up to `limit` operations that are due and in nobody's hands, oldest first.
    pub async fn claim_operations(
        &self,
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
        limit: i64,
    ) -> Result<Vec<LeasedOperation>, Error> {
        let taken = std::time::Instant::now();
        let rows: Vec<LeasedRow> = sqlx::query_as(
            "UPDATE operations SET lease_token = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id IN (SELECT id FROM operations
                 -- What was abandoned and is in doubt no more is withdrawn, not sent again.
                 WHERE state = 'running' AND (in_doubt OR NOT abandoned) AND due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING *",
        )
        .bind(now)
        .bind(lease_token)
        .bind(lease_seconds)
        .bind(limit)
        .fetch_all(&self.workers)
        .await?;
        rows.into_iter()
            .map(|row| {
                let (operation, credentials) = (row.operation.try_into()?, row.credentials);
                Ok(LeasedOperation { operation, credentials, lease_token, taken })
            })
            .collect()
    }

    /// Makes the lease of an operation last from now on. `false`: it is not held any more, or the operation has ended.
    pub async fn renew_operation(&self, id: OperationId, lease_token: Uuid, lease_seconds: f64) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE operations SET lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND lease_token = $2 AND state = 'running' AND lease_until > clock_timestamp()",
        )
        .bind(id.uuid())
        .bind(lease_token)
        .bind(lease_seconds)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Records an attempt before it is signed, and returns its number; none if the lease is lost. The
    /// operation is in doubt from here on: a crash now is an unknown outcome.
    pub async fn note_attempt(
        &self,
        id: OperationId,
        lease_token: Uuid,
        signed_at: Instant,
        lease_seconds: f64,
    ) -> Result<Option<i32>, Error> {
        let number = sqlx::query_scalar(
            "WITH noted AS (
                 UPDATE operations SET attempts = attempts + 1, last_signed_at = $3, in_doubt = true,
                     -- A window opens with the first attempt, and again once all doubt was resolved.
                     window_opened_at = CASE WHEN in_doubt THEN window_opened_at ELSE $3 END,
                     lease_until = clock_timestamp() + make_interval(secs => $4)
                 WHERE id = $1 AND lease_token = $2 AND state = 'running' AND lease_until > clock_timestamp()
                 RETURNING id, attempts)
             INSERT INTO operation_attempts (operation, number, signed_at) SELECT id, attempts, $3 FROM noted RETURNING number",
        )
        .bind(id.uuid())
        .bind(lease_token)
        .bind(signed_at)
        .bind(lease_seconds)
        .fetch_optional(&self.workers)
        .await?;
        Ok(number)
    }

    /// Puts an operation back until later. `number` is the attempt that ended, if there was one.
    pub async fn postpone(
        &self,
        id: OperationId,
        lease_token: Uuid,
        number: Option<i32>,
        now: Instant,
        how: &Postponed,
    ) -> Result<(), Error> {
        sqlx::query(
            "WITH put_back AS (
                 UPDATE operations SET in_doubt = $3, due_at = $4, lease_token = NULL, lease_until = NULL
                 WHERE id = $1 AND lease_token = $2 AND state = 'running' AND lease_until > clock_timestamp() RETURNING id)
             UPDATE operation_attempts a SET finished_at = $6, outcome = $7, detail = left($8, 500)
             FROM put_back WHERE a.operation = put_back.id AND a.number = $5",
        )
        .bind(id.uuid())
        .bind(lease_token)
        .bind(how.in_doubt)
        .bind(how.due_at)
        .bind(number)
        .bind(now)
        .bind(how.outcome)
        .bind(&how.detail)
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// Abandoned creates of which nothing was done so far, and nothing may be any more.
    pub async fn abandoned_unsent(&self, limit: i64) -> Result<Vec<Operation>, Error> {
        let rows: Vec<OperationRow> = sqlx::query_as(
            "SELECT * FROM operations WHERE abandoned AND state = 'running' AND NOT in_doubt ORDER BY id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.workers)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Image caches that an abandoned create brought about after all, and whose removal is not begun.
    pub async fn abandoned_caches(&self, limit: i64) -> Result<Vec<(Operation, ImageCache)>, Error> {
        let rows: Vec<OperationRow> = sqlx::query_as(
            "SELECT o.* FROM operations o JOIN image_caches c ON c.team = o.team AND c.id = o.image_cache
             WHERE o.abandoned AND o.state = 'succeeded' AND c.status NOT IN ('deleting', 'deleted', 'expired', 'evicted', 'lost')
               AND NOT EXISTS (SELECT FROM operations r WHERE r.image_cache = c.id AND r.state = 'running')
             ORDER BY o.id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.workers)
        .await?;
        let mut found = Vec::new();
        for row in rows {
            let operation: Operation = row.try_into()?;
            if let Some(cache) = self.image_cache(&operation.team, operation.cache).await? {
                found.push((operation, cache));
            }
        }
        Ok(found)
    }

    /// Forgets the mark of abandoned creates whose caches are gone, or never were.
    pub async fn forget_abandoned(&self) -> Result<u64, Error> {
        let done = sqlx::query(
            "UPDATE operations o SET abandoned = false FROM image_caches c
             WHERE o.abandoned AND o.state <> 'running' AND c.team = o.team AND c.id = o.image_cache
               AND (o.state = 'refused' OR c.status IN ('deleted', 'expired', 'evicted', 'lost'))",
        )
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }
}
