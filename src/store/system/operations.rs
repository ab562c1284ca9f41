//! Operations that nobody is carrying out: claimed, attempted, postponed. [`crate::store::team::operations`] records
//! them, one team at a time.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::domain::clock::{Instant, Uptime};
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::{HoldReason, Operation, Progress};
use crate::store::columns::sql;
use crate::store::rows::OperationRow;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::values::jsonb;
use crate::store::words::ENDED;
use crate::store::{Store, StoreError, Waiter};

/// An operation that this worker has leased.
#[derive(Debug, Clone)]
pub struct LeasedOperation {
    /// The operation as it was when it was claimed.
    pub operation: Operation,
    /// Its registry logins, encrypted.
    pub credentials: Option<Vec<u8>>,
    /// The lease token, which guards every write.
    pub lease_token: Uuid,
    /// A moment before the lease was requested, by the machine's uptime.
    pub taken: Uptime,
    /// Whether it may have an idempotency key.
    pub keyed: bool,
    /// For a create that this process started: the caller that must get the ids in this answer or never.
    pub waiter: Option<Arc<Waiter>>,
}

#[derive(FromRow)]
struct LeasedRow {
    #[sqlx(flatten)]
    operation: OperationRow,
    credentials: Option<Vec<u8>>,
}

impl LeasedRow {
    /// The columns for a statement that writes `operations`.
    fn columns() -> String {
        format!("{}, operations.credentials", OperationRow::columns("operations"))
    }
}

/// How an attempt ended that did not end its operation.
#[derive(Debug, Clone)]
pub struct Postponed {
    /// `throttled`, `not_sent` or `unknown`.
    pub outcome: &'static str,
    /// A description for people, without secrets.
    pub detail: String,
    /// What is now known about the operation.
    pub progress: Progress,
    /// The refusal to keep, if one came with this attempt.
    pub error: Option<CloudError>,
    /// When to continue.
    pub due_at: Instant,
}

/// A condition for operations whose image cache is in the account given by this parameter. Used only if there are
/// several accounts: an operation has no account of its own, and otherwise everybody would pay for the extra lookup.
fn of_account(account: Option<&str>, place: u8) -> String {
    if account.is_none() {
        return String::new();
    }
    format!(
        " AND (SELECT c.account FROM image_caches c
               WHERE c.team = operations.team AND c.id = operations.image_cache) = ${place}"
    )
}

impl Store {
    /// How many operations are due and not held, counted up to `limit`; if an account is given, only in that one.
    pub async fn operations_due(&self, account: Option<&str>, now: Instant, limit: i64) -> Result<i64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM operations
                 WHERE state = 'running' AND (in_doubt OR NOT abandoned) AND due_at <= $1
                   AND (lease_until IS NULL OR lease_until < clock_timestamp()){} LIMIT $2) AS due",
            of_account(account, 3)
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(now).bind(limit);
        let query = if let Some(account) = account { query.bind(account) } else { query };
        Ok(query.fetch_one(&self.workers).await?)
    }

    /// Claims up to `limit` operations that are due and not held: first every team's oldest, then every team's second,
    /// and so on, so that a team with ten thousand of them does not make another one wait. If an account is given, only
    /// in that one.
    pub async fn claim_operations(
        &self,
        account: Option<&str>,
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
        limit: i64,
        taken: Uptime,
    ) -> Result<Vec<LeasedOperation>, StoreError> {
        let sql = format!(
            "WITH RECURSIVE teams AS (
                 -- One step through the index for each team that has any, however many operations it has.
                 (SELECT team FROM operations WHERE state = 'running' ORDER BY team LIMIT 1)
                 UNION ALL
                 SELECT (SELECT team FROM operations WHERE state = 'running' AND team > t.team ORDER BY team LIMIT 1)
                 FROM teams t WHERE t.team IS NOT NULL),
             turns AS (
                 SELECT mine.id, row_number() OVER (PARTITION BY t.team ORDER BY mine.due_at, mine.id) AS turn, mine.due_at
                 FROM teams t CROSS JOIN LATERAL (
                     SELECT id, due_at FROM operations
                     -- What was abandoned and is in doubt no more is withdrawn, not sent again.
                     WHERE state = 'running' AND team = t.team AND (in_doubt OR NOT abandoned) AND due_at <= $1
                       AND (lease_until IS NULL OR lease_until < clock_timestamp()){}
                     ORDER BY due_at LIMIT $4) AS mine)
             UPDATE operations SET lease_token = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id IN (SELECT id FROM operations
                 WHERE id IN (SELECT id FROM turns ORDER BY turn, due_at LIMIT $4)
                   -- Again: another worker may have had them in the meantime.
                   AND state = 'running' AND (in_doubt OR NOT abandoned) AND due_at <= $1
                   AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 FOR UPDATE SKIP LOCKED)
             RETURNING {}",
            of_account(account, 5),
            LeasedRow::columns()
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(now).bind(lease_token).bind(lease_seconds).bind(limit);
        let query = if let Some(account) = account { query.bind(account) } else { query };
        let rows: Vec<LeasedRow> = query.fetch_all(&self.workers).await?;
        // A row that cannot be read stays leased, so that nobody tries again until the lease runs out; then perhaps a
        // gateway that can read it.
        let leased = rows.into_iter().filter_map(|row| {
            let operation = unreadable::read(row.operation.key(), row.operation.try_into())?;
            let credentials = row.credentials;
            Some(LeasedOperation { operation, credentials, lease_token, taken, keyed: true, waiter: None })
        });
        Ok(leased.collect())
    }

    /// Renews the lease of an operation from now on. `false` if it is no longer held, or the operation has ended.
    pub async fn renew_operation(
        &self,
        id: OperationId,
        lease_token: Uuid,
        lease_seconds: f64,
    ) -> Result<bool, StoreError> {
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

    /// Claims one operation that is running, not held and not in doubt. `None` if it is not so.
    pub async fn claim_operation(
        &self,
        id: OperationId,
        lease_token: Uuid,
        lease_seconds: f64,
        taken: Uptime,
    ) -> Result<Option<LeasedOperation>, StoreError> {
        let sql = format!(
            "UPDATE operations SET lease_token = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND state = 'running' AND NOT in_doubt AND (lease_until IS NULL OR lease_until < clock_timestamp())
             RETURNING {}",
            LeasedRow::columns()
        );
        let row: Option<LeasedRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(id.uuid())
            .bind(lease_token)
            .bind(lease_seconds)
            .fetch_optional(&self.workers)
            .await?;
        row.map(|row| {
            let (operation, credentials) = (row.operation.try_into()?, row.credentials);
            Ok(LeasedOperation { operation, credentials, lease_token, taken, keyed: true, waiter: None })
        })
        .transpose()
    }

    /// The operation that is running on a cache.
    pub async fn running_on(&self, team: &TeamId, cache: CacheId) -> Result<Option<Operation>, StoreError> {
        let sql = format!(
            "SELECT {} FROM operations o WHERE team = $1 AND image_cache = $2 AND state = 'running'",
            OperationRow::columns("o")
        );
        let row: Option<OperationRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(cache.uuid())
            .fetch_optional(&self.requests)
            .await?;
        unreadable::alone(row)
    }

    /// Records an attempt before it is signed; recording it twice changes nothing. `false` if the lease is lost. From
    /// here on the operation is in doubt: a crash now means an unknown outcome.
    pub async fn note_attempt(
        &self,
        id: OperationId,
        lease_token: Uuid,
        signed: &Progress,
        lease_seconds: f64,
    ) -> Result<bool, StoreError> {
        let noted: i64 = sqlx::query_scalar(
            "WITH noted AS (
                 UPDATE operations SET attempts = $5, last_signed_at = $3, window_opened_at = $6, in_doubt = true,
                     lease_until = clock_timestamp() + make_interval(secs => $4)
                 WHERE id = $1 AND lease_token = $2 AND state = 'running' AND lease_until > clock_timestamp()
                 RETURNING id),
             kept AS (
                 INSERT INTO operation_attempts (operation, number, signed_at) SELECT id, $5, $3 FROM noted
                 ON CONFLICT (operation, number) DO NOTHING)
             SELECT count(*) FROM noted",
        )
        .bind(id.uuid())
        .bind(lease_token)
        .bind(signed.last_signed_at)
        .bind(lease_seconds)
        .bind(signed.attempts)
        .bind(signed.window_opened_at)
        .fetch_one(&self.workers)
        .await?;
        Ok(noted == 1)
    }

    /// Puts an operation back until later. `number` is the attempt that ended, if there was one. Returns whether its
    /// outcome was recorded.
    pub async fn postpone(
        &self,
        id: OperationId,
        lease_token: Uuid,
        number: Option<i32>,
        now: Instant,
        how: &Postponed,
    ) -> Result<bool, StoreError> {
        let ended = sqlx::query(
            "WITH put_back AS (
                 UPDATE operations SET in_doubt = $3, due_at = $4, lease_token = NULL, lease_until = NULL,
                     held = $9, error = COALESCE($10, error), unseen_since = $11, window_opened_at = $12
                 WHERE id = $1 AND lease_token = $2 AND state = 'running' AND lease_until > clock_timestamp()
                 RETURNING id)
             UPDATE operation_attempts a SET finished_at = $6, outcome = $7, detail = left($8, 500)
             FROM put_back WHERE a.operation = put_back.id AND a.number = $5",
        )
        .bind(id.uuid())
        .bind(lease_token)
        .bind(how.progress.in_doubt)
        .bind(how.due_at)
        .bind(number)
        .bind(now)
        .bind(how.outcome)
        .bind(&how.detail)
        .bind(how.progress.held.map(HoldReason::as_str))
        .bind(how.error.as_ref().map(jsonb))
        .bind(how.progress.unseen_since)
        .bind(how.progress.window_opened_at)
        .execute(&self.workers)
        .await?;
        Ok(ended.rows_affected() == 1)
    }

    /// Abandoned creates of which nothing was done so far, and which must not be sent any more.
    pub async fn abandoned_unsent(&self, limit: i64) -> Result<Vec<Operation>, StoreError> {
        let sql = format!(
            "SELECT {} FROM operations o WHERE abandoned AND state = 'running' AND NOT in_doubt ORDER BY id LIMIT $1",
            OperationRow::columns("o")
        );
        let rows: Vec<OperationRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(limit).fetch_all(&self.workers).await?;
        Ok(unreadable::readable(rows))
    }

    /// Image caches that an abandoned create created after all, and whose deletion has not started. After a refused
    /// delete each one pauses: for the first of `rests`, doubled after each further refusal, at most for the second.
    pub async fn abandoned_caches(
        &self,
        now: Instant,
        rests: (Duration, Duration),
        limit: i64,
    ) -> Result<Vec<(Operation, ImageCache)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM operations o JOIN image_caches c ON c.team = o.team AND c.id = o.image_cache
             WHERE o.abandoned AND o.state = 'succeeded' AND c.status NOT IN ('deleting', {ENDED})
               AND NOT EXISTS (SELECT FROM operations r WHERE r.image_cache = c.id AND r.state = 'running')
               AND NOT EXISTS (
                   SELECT FROM operations r WHERE r.image_cache = c.id AND r.kind = 'delete' AND r.state = 'refused'
                   HAVING max(r.finished_at)
                       + make_interval(secs => LEAST($3 * 2 ^ (LEAST(count(*), 30) - 1), $4)) > $2)
             ORDER BY o.id LIMIT $1",
            OperationRow::columns("o")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(limit).bind(now);
        let query = query.bind(rests.0.as_secs_f64()).bind(rests.1.as_secs_f64());
        let rows: Vec<OperationRow> = query.fetch_all(&self.workers).await?;
        let mut found = Vec::new();
        for operation in unreadable::readable::<OperationRow, Operation>(rows) {
            let cache = self.image_cache(&operation.team, operation.cache).await;
            if let Some(Some(cache)) = unreadable::passed_over(operation.cache.to_string(), cache)? {
                found.push((operation, cache));
            }
        }
        Ok(found)
    }

    /// How many image caches of abandoned creates still exist because the cloud refused to delete them.
    pub async fn abandoned_unremoved(&self) -> Result<i64, StoreError> {
        let unremoved = sqlx::query_scalar(
            "SELECT count(*) FROM operations o WHERE o.abandoned AND o.state = 'succeeded' AND EXISTS (
                 SELECT FROM operations r
                 WHERE r.image_cache = o.image_cache AND r.kind = 'delete' AND r.state = 'refused')",
        );
        Ok(unremoved.fetch_one(&self.workers).await?)
    }

    /// Clears the mark of abandoned creates whose caches are gone or never existed, and what is owed for them.
    pub async fn forget_abandoned(&self) -> Result<u64, StoreError> {
        let done = sqlx::query(sql!(
            "UPDATE operations o SET abandoned = false FROM image_caches c
             WHERE o.abandoned AND o.state <> 'running' AND c.team = o.team AND c.id = o.image_cache
               AND (o.state = 'refused' OR c.status IN ({ENDED}))"
        ))
        .execute(&self.workers)
        .await?;
        sqlx::query(sql!(
            "DELETE FROM owed_answers w USING image_caches c
             WHERE c.id = w.image_cache AND c.status IN ({ENDED})"
        ))
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }
}
