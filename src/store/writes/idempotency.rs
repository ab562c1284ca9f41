//! Idempotency keys: one request with one key happens once.

use crate::store::input::NewKey;
use std::sync::LazyLock;

use sqlx::Row;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::columns::{ColumnSet, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{IdempotencyKeys, KeyToWrite};
use crate::store::{Store, StoreError};

/// What a claim found.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// Nothing: the request is new, and now recorded.
    Fresh,
    /// The same request, earlier.
    Earlier {
        /// Its operation.
        operation: OperationId,
        /// What it was told; none while it runs.
        answer: Option<serde_json::Value>,
    },
    /// Another request with this key.
    Mismatch,
    /// Nothing, and the team may not have more: nothing was written.
    OverQuota,
    /// Nothing, and the cloud account was removed or disabled in this moment: nothing was written.
    NoAccount,
    /// Nothing, and another create has the operation's id, from when it had the same key: nothing was written.
    IdTaken,
}

impl Store {
    /// The operation that a key stands for, and the fingerprint of its request.
    pub async fn operation_of_key(
        &self,
        team: &TeamId,
        action: &str,
        key: &str,
    ) -> Result<Option<(OperationId, Vec<u8>)>, StoreError> {
        let row: Option<(uuid::Uuid, Vec<u8>)> = sqlx::query_as(
            "SELECT operation, fingerprint FROM idempotency_keys WHERE team = $1 AND action = $2 AND key = $3",
        )
        .bind(team.as_str())
        .bind(action)
        .bind(key)
        .fetch_optional(&self.requests)
        .await?;
        Ok(row.map(|(operation, fingerprint)| (operation.into(), fingerprint)))
    }
}

static CLAIM: LazyLock<String> = LazyLock::new(|| format!("{} ON CONFLICT DO NOTHING", IdempotencyKeys::insert_one()));

/// Claims the key for `operation`; waits for a racing request with the same key to end its transaction.
pub(in crate::store) async fn claim(
    connection: &mut PooledConnection,
    team: &TeamId,
    key: &NewKey,
    operation: OperationId,
    now: Instant,
) -> Result<Claimed, StoreError> {
    let new = KeyToWrite { team, key, operation, at: now };
    let parameters = StatementParameters::default().one::<IdempotencyKeys>(ColumnSet::All, &new);
    let done = parameters.query(&CLAIM)?.execute(&mut *connection).await?;
    if done.rows_affected() == 1 { Ok(Claimed::Fresh) } else { earlier(connection, team, key).await }
}

async fn earlier(connection: &mut PooledConnection, team: &TeamId, key: &NewKey) -> Result<Claimed, StoreError> {
    let row = sqlx::query(
        "SELECT fingerprint, operation, answer FROM idempotency_keys WHERE team = $1 AND action = $2 AND key = $3",
    )
    .bind(team.as_str())
    .bind(key.action)
    .bind(&key.key)
    .fetch_one(connection)
    .await?;
    if !key.is_of(&row.try_get::<Vec<u8>, _>("fingerprint")?) {
        return Ok(Claimed::Mismatch);
    }
    let operation: uuid::Uuid = row.try_get("operation")?;
    Ok(Claimed::Earlier { operation: operation.into(), answer: row.try_get("answer")? })
}

/// Keeps what the first request was told. The first telling counts: `false` means that it is not this one.
pub(in crate::store) async fn answer(
    connection: &mut PooledConnection,
    operation: OperationId,
    answer: &serde_json::Value,
) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE idempotency_keys SET answer = $2 WHERE operation = $1 AND answer IS NULL")
        .bind(operation.uuid())
        .bind(answer)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}
