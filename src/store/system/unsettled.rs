//! Operations that have ended while a copy of one of their attempts could still be carried out.
//!
//! What must stay true: the lease that guards a running operation also guards its follow-up; the audit entry of what is
//! about to be deleted is written first.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::operations::LeasedOperation;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::{Instant, Uptime};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{CacheId, OperationId};
use crate::store::rows::OperationRow;
use crate::store::unreadable::readable;
use crate::store::writes::audit_entries;
use crate::store::{Store, StoreError};

impl Store {
    /// Claims up to `limit` ended operations of which no copy can be carried out any more.
    pub async fn claim_unsettled(
        &self,
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
        limit: i64,
        taken: Uptime,
    ) -> Result<Vec<LeasedOperation>, StoreError> {
        let sql = format!(
            "UPDATE operations SET lease_token = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id IN (SELECT id FROM operations
                 WHERE unsettled_until <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 ORDER BY unsettled_until LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING {}",
            OperationRow::columns("operations")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(now).bind(lease_token).bind(lease_seconds).bind(limit);
        let rows: Vec<OperationRow> = query.fetch_all(&self.workers).await?;
        let leased =
            |operation| LeasedOperation { operation, credentials: None, lease_token, taken, keyed: true, waiter: None };
        Ok(readable(rows).into_iter().map(leased).collect())
    }

    /// Writes audit entries while the lease is held, and puts the follow-up back until `until`; with `None` it is
    /// finished. `false` if the lease is lost; nothing was written then.
    pub async fn note_unsettled(
        &self,
        leased: &LeasedOperation,
        until: Option<Instant>,
        keep_lease: bool,
        entries: &[AuditEntry],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query(
            "UPDATE operations SET unsettled_until = $3, lease_token = CASE WHEN $4 THEN lease_token END,
                 lease_until = CASE WHEN $4 THEN lease_until END
             WHERE id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()",
        )
        .bind(leased.operation.id.uuid())
        .bind(leased.lease_token)
        .bind(until)
        .bind(keep_lease)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit_entries::insert(&mut transaction, &self.stamp, entries).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The time until which a copy of an earlier update of the cache may still be carried out.
    pub async fn overtaken_until(
        &self,
        team: &TeamId,
        cache: CacheId,
        operation: OperationId,
    ) -> Result<Option<Instant>, StoreError> {
        let until = sqlx::query_scalar(
            "SELECT max(unsettled_until) FROM operations
             WHERE team = $1 AND image_cache = $2 AND id <> $3 AND kind = 'update'",
        )
        .bind(team.as_str())
        .bind(cache.uuid())
        .bind(operation.uuid())
        .fetch_one(&self.workers)
        .await?;
        Ok(until)
    }
}
