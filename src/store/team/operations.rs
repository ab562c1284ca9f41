//! Operations: recorded before the cloud is called, and settled in one transaction with what they changed.

use crate::store::input::NewCreate;
use crate::store::input::NewOperation;
use crate::store::writes::holds;
use crate::store::writes::operations::begin_waiting;
use crate::store::writes::operations::unless_taken;
use crate::store::writes::owed_answers;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::image_caches;
use crate::domain::clock::Instant;
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::domain::operation::{Operation, OperationKind};
use crate::store::database::pool::PooledConnection;
use crate::store::input::CacheWrite;
use crate::store::rows::{OperationRow, OperationToWrite};
use crate::store::unreadable::alone;
use crate::store::values::jsonb;
use crate::store::writes::audit_entries;
use crate::store::writes::changes;
use crate::store::writes::idempotency::{self, Claimed};
use crate::store::writes::quota::{self, QuotaCheck};
use crate::store::{Store, StoreError};

/// The result of recording an intent to change a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Recorded, and held by whoever recorded it.
    Running,
    /// Recorded; it runs once the current operation has ended.
    Waiting,
    /// The row has changed, or the key was used at this moment: nothing was written.
    Moved,
    /// The team's quota does not allow it: nothing was written.
    OverQuota,
}

impl Store {
    /// Records a create: idempotency key, image cache, its first transition, operation, audit entry.
    pub async fn begin_create(
        &self,
        create: &NewCreate,
        mut quota: Option<QuotaCheck<'_>>,
    ) -> Result<Claimed, StoreError> {
        let mut repeats = self.requests.repeats();
        loop {
            let work = self.write_create(create, quota.as_mut().map(QuotaCheck::lent), repeats.again);
            let done = self.requests.limited(work).await;
            if !repeats.pass(&done).await {
                return if self.is_own_retry(create, &done).await? { Ok(Claimed::Fresh) } else { unless_taken(done) };
            }
        }
    }

    /// Whether the create met its own earlier attempt: a statement whose answer was lost went on and has just
    /// committed.
    async fn is_own_retry(&self, create: &NewCreate, done: &Result<Claimed, StoreError>) -> Result<bool, StoreError> {
        let id = create.new.operation.id;
        let taken =
            |error: &StoreError| ["image_caches_pkey", "operations_pkey"].iter().any(|name| error.is_constraint(name));
        let may_be = match done {
            Ok(Claimed::Earlier { operation, .. }) => *operation == id,
            Err(error) => taken(error),
            _ => false,
        };
        // Other creates with the same key may have the same id, but no other create is about this image cache.
        Ok(may_be && state_of(&mut self.requests.acquire().await?, &create.new.operation).await?.is_some())
    }

    async fn write_create(
        &self,
        create: &NewCreate,
        quota: Option<QuotaCheck<'_>>,
        again: bool,
    ) -> Result<Claimed, StoreError> {
        let NewCreate { new, cache, first } = create;
        let mut transaction = self.requests.begin().await?;
        if again && state_of(&mut transaction, &new.operation).await?.is_some() {
            return Ok(Claimed::Fresh);
        }
        if let Some(key) = &new.key {
            let claimed =
                idempotency::claim(&mut transaction, &cache.team, key, new.operation.id, cache.created_at).await?;
            if claimed != Claimed::Fresh {
                return Ok(claimed);
            }
        }
        if !quota::admits(&mut transaction, &cache.team, quota).await? {
            return Ok(Claimed::OverQuota);
        }
        if !holds::account(&mut transaction, new.account.as_deref()).await? {
            return Ok(Claimed::NoAccount);
        }
        image_caches::insert(&mut transaction, cache).await?;
        crate::store::writes::operations::insert(&mut transaction, &OperationToWrite::begun(new)).await?;
        owed_answers::insert(&mut transaction, create).await?;
        changes::insert_transition(&mut transaction, cache, first).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(&new.audit)).await?;
        transaction.commit().await?;
        Ok(Claimed::Fresh)
    }

    /// Records an update or delete of the row in the version that was read. A delete waits for a running operation. An
    /// update then violates the constraint `operations_one_running`, a second waiting delete `operations_one_waiting`.
    pub async fn begin_change(
        &self,
        new: &NewOperation,
        version: i64,
        mut quota: Option<QuotaCheck<'_>>,
    ) -> Result<Begun, StoreError> {
        let mut repeats = self.requests.repeats();
        loop {
            let work = self.write_intent(new, version, quota.as_mut().map(QuotaCheck::lent), repeats.again);
            let done = self.requests.limited(work).await;
            if !repeats.pass(&done).await {
                return done;
            }
        }
    }

    async fn write_intent(
        &self,
        new: &NewOperation,
        version: i64,
        quota: Option<QuotaCheck<'_>>,
        again: bool,
    ) -> Result<Begun, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if again && let Some(state) = state_of(&mut transaction, &new.operation).await? {
            return Ok(if state == "waiting" { Begun::Waiting } else { Begun::Running });
        }
        if let Some(key) = &new.key {
            let (operation, now) = (&new.operation, new.operation.created_at);
            let claimed = idempotency::claim(&mut transaction, &operation.team, key, operation.id, now).await?;
            if claimed != Claimed::Fresh {
                return Ok(Begun::Moved);
            }
        }
        if !quota::admits(&mut transaction, &new.operation.team, quota).await? {
            return Ok(Begun::OverQuota);
        }
        if new.operation.progress.kind == OperationKind::Update {
            owed_answers::claim(&mut transaction, new.operation.cache).await?;
        }
        // Operations first, then image caches: `settle` locks in that order, and another order would deadlock.
        let waits = crate::store::writes::operations::insert(&mut transaction, &OperationToWrite::begun(new)).await?;
        let done = sqlx::query(
            "UPDATE image_caches SET operation = $4, version = version + 1, updated_at = GREATEST(updated_at, $5)
             WHERE team = $1 AND id = $2 AND version = $3",
        )
        .bind(new.operation.team.as_str())
        .bind(new.operation.cache.uuid())
        .bind(version)
        .bind(new.operation.id.uuid())
        .bind(new.operation.created_at)
        .execute(&mut *transaction)
        .await?;
        // Also if the operation that it waits for ended at this moment: that raised the version.
        if done.rows_affected() == 0 {
            return Ok(Begun::Moved);
        }
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(&new.audit)).await?;
        transaction.commit().await?;
        Ok(if waits { Begun::Waiting } else { Begun::Running })
    }

    /// The first of these ids that no operation has. `None` if all are taken.
    pub async fn free_operation(&self, ids: &[OperationId]) -> Result<Option<OperationId>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let free: Option<Uuid> = sqlx::query_scalar(
            "SELECT u.id FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, place)
             WHERE NOT EXISTS (SELECT FROM operations o WHERE o.id = u.id) ORDER BY u.place LIMIT 1",
        )
        .bind(ids)
        .fetch_optional(&self.requests)
        .await?;
        Ok(free.map(OperationId::from))
    }

    /// One operation of the team, or of any team if none is named.
    pub async fn operation(&self, team: Option<&TeamId>, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let columns = OperationRow::columns("o");
        let sql = format!("SELECT {columns} FROM operations o WHERE ($1::text IS NULL OR team = $1) AND id = $2");
        let row: Option<OperationRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.map(TeamId::as_str))
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        alone(row)
    }

    /// Stores the answer to a request that did not wait for the end. `false` if the end came first.
    pub async fn answer_early(&self, operation: OperationId, answer: &serde_json::Value) -> Result<bool, StoreError> {
        let mut connection = self.requests.acquire().await?;
        idempotency::answer(&mut connection, operation, answer).await
    }

    /// Withdraws a create that was not sent and that nobody relies on, together with its idempotency key, so that the
    /// same request may come again. `false` if it has ended, may have been sent, or somebody relies on it; nothing was
    /// written then.
    ///
    /// Whoever holds it in the meantime can no longer send it: an attempt is only recorded for a running operation.
    pub async fn withdraw(
        &self,
        id: OperationId,
        error: &CloudError,
        at: Instant,
        write: &CacheWrite,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let abandoned: Option<bool> = sqlx::query_scalar(
            "SELECT abandoned FROM operations WHERE id = $1 AND kind = 'create' AND state = 'running' AND NOT in_doubt
             FOR UPDATE",
        )
        .bind(id.uuid())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(abandoned) = abandoned else { return Ok(false) };
        // Checked once nobody can join it any more.
        if !owed_answers::forget(&mut transaction, id).await? && !abandoned {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE operations SET state = 'refused', error = $2, finished_at = $3, credentials = NULL,
                 lease_token = NULL, lease_until = NULL
             WHERE id = $1",
        )
        .bind(id.uuid())
        .bind(jsonb(error))
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        // If a delete came at this moment, the row has changed, and that delete handles it.
        if !changes::apply(&mut transaction, &self.stamp, write).await? {
            return Ok(false);
        }
        sqlx::query("DELETE FROM idempotency_keys WHERE operation = $1")
            .bind(id.uuid())
            .execute(&mut *transaction)
            .await?;
        begin_waiting(&mut transaction, &write.next, at).await?;
        transaction.commit().await?;
        write.committed();
        Ok(true)
    }
}

/// The state of an operation whose commit may have been lost; `None` if it was not committed.
async fn state_of(connection: &mut PooledConnection, operation: &Operation) -> Result<Option<String>, StoreError> {
    let state = sqlx::query_scalar("SELECT state FROM operations WHERE id = $1 AND image_cache = $2")
        .bind(operation.id.uuid())
        .bind(operation.cache.uuid());
    Ok(state.fetch_optional(connection).await?)
}
