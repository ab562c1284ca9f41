//! What is owed, within the transactions that record a create, end one, or come to rely on its cache.

use crate::domain::ids::{CacheId, OperationId};
use crate::domain::operation::Owed;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;
use crate::store::input::{NewCreate, OwedAnswer, Settlement};

/// Records what is owed for a create that is recorded in the same transaction.
pub(in crate::store) async fn insert(connection: &mut PooledConnection, create: &NewCreate) -> Result<(), StoreError> {
    if create.new.waiter.is_none() {
        return Ok(());
    }
    sqlx::query("INSERT INTO owed_answers (image_cache, operation, state, created_at) VALUES ($1, $2, $3, $4)")
        .bind(create.cache.id.uuid())
        .bind(create.new.operation.id.uuid())
        .bind(Owed::Unsent.as_str())
        .bind(create.cache.created_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Records what is owed after an end, in its transaction. Returns whether it is [`Owed::Sending`] now.
pub(in crate::store) async fn settle(
    connection: &mut PooledConnection,
    settlement: &Settlement,
) -> Result<bool, StoreError> {
    match settlement.owed {
        OwedAnswer::Untouched | OwedAnswer::Now(Some(Owed::Unsent)) => Ok(false),
        OwedAnswer::Now(Some(Owed::Sending)) => set_sending(connection, settlement.operation).await,
        OwedAnswer::Now(None) => forget(connection, settlement.operation).await.map(|_| false),
    }
}

pub(in crate::store) async fn set_sending(
    connection: &mut PooledConnection,
    id: OperationId,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE owed_answers SET state = 'sending' WHERE operation = $1 AND state = ANY($2)")
        .bind(id.uuid())
        .bind(known());
    Ok(done.execute(connection).await?.rows_affected() == 1)
}

/// Records that somebody relies on the cache from now on, so that nobody abandons it. `false` if its create was already
/// abandoned.
pub(in crate::store) async fn rely_on(connection: &mut PooledConnection, cache: CacheId) -> Result<bool, StoreError> {
    let stands: Option<bool> = sqlx::query_scalar(
        "SELECT NOT abandoned AND state <> 'refused' FROM operations
         WHERE image_cache = $1 AND kind = 'create' FOR UPDATE",
    )
    .bind(cache.uuid())
    .fetch_optional(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM owed_answers WHERE image_cache = $1").bind(cache.uuid()).execute(connection).await?;
    Ok(stands != Some(false))
}

/// The same, for a request that changes the cache by its name, whatever its create's caller was told.
pub(in crate::store) async fn claim(connection: &mut PooledConnection, cache: CacheId) -> Result<(), StoreError> {
    if !rely_on(connection, cache).await? {
        sqlx::query("UPDATE operations SET abandoned = false WHERE image_cache = $1 AND kind = 'create'")
            .bind(cache.uuid())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Deletes what is owed for an operation; returns whether anything was.
pub(in crate::store) async fn forget(connection: &mut PooledConnection, id: OperationId) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM owed_answers WHERE operation = $1").bind(id.uuid()).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// The states that this version knows.
pub(in crate::store) fn known() -> Vec<&'static str> {
    Owed::ALL.map(Owed::as_str).to_vec()
}
