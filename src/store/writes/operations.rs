//! Operations within the transaction that records or ends them.

use std::sync::LazyLock;

use sqlx::Row as _;

use super::idempotency::Claimed;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::store::StoreError;
use crate::store::columns::{ColumnSet, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{OperationRow, OperationToWrite};

/// An operation id that an earlier create already has is a result, not an error.
pub(in crate::store) fn unless_taken(done: Result<Claimed, StoreError>) -> Result<Claimed, StoreError> {
    match done {
        Err(error) if error.is_constraint("operations_pkey") => Ok(Claimed::IdTaken),
        done => done,
    }
}

/// Starts the delete that waited for this operation to end.
pub(in crate::store) async fn begin_waiting(
    connection: &mut PooledConnection,
    cache: &ImageCache,
    at: Instant,
) -> Result<(), StoreError> {
    // Held by nobody: whoever recorded it answered its caller long ago.
    sqlx::query(
        "UPDATE operations SET state = 'running', due_at = $2, lease_token = NULL, lease_until = NULL
         WHERE image_cache = $1 AND state = 'waiting'",
    )
    .bind(cache.id.uuid())
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Also writes its first attempt, if that is recorded with it.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH made AS ({} RETURNING id, state, attempts, last_signed_at),
        noted AS (
            INSERT INTO operation_attempts (operation, number, signed_at)
            SELECT id, attempts, last_signed_at FROM made WHERE attempts > 0)
        SELECT state = 'waiting' FROM made",
        OperationRow::insert_one()
    )
});

/// Writes a new operation. `true` if it waits for the running operation.
pub(in crate::store) async fn insert(
    connection: &mut PooledConnection,
    new: &OperationToWrite<'_>,
) -> Result<bool, StoreError> {
    let parameters = StatementParameters::default().one::<OperationRow>(ColumnSet::All, new);
    Ok(parameters.query(&INSERT)?.fetch_one(connection).await?.try_get(0)?)
}
