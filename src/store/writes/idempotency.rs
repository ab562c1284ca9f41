//! Idempotency keys: a request with a key happens once.

use crate::store::input::NewKey;
use std::sync::LazyLock;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::columns::{ColumnSet, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{IdempotencyKeys, KeyToWrite};
use crate::store::{Store, StoreError};

/// The result of claiming a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// The request is new, and is now recorded.
    Fresh,
    /// The same request was recorded earlier.
    Earlier {
        /// Its operation.
        operation: OperationId,
        /// Its answer; `None` while it is running.
        answer: Option<serde_json::Value>,
    },
    /// Another request has used this key.
    Mismatch,
    /// The request is new, but the team's quota does not allow it: nothing was written.
    OverQuota,
    /// The request is new, but the cloud account was just deleted or disabled: nothing was written.
    NoAccount,
    /// The request is new, but another create has the operation's id, from when it had the same key: nothing was
    /// written.
    IdTaken,
}

impl Store {
    /// The operation that a key refers to, and the fingerprint of its request.
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

    /// How a key was used before: by the same request or by another. `None` if it is new.
    pub async fn earlier_of_key(&self, team: &TeamId, key: &NewKey) -> Result<Option<Claimed>, StoreError> {
        let query = sqlx::query(EARLIER).bind(team.as_str()).bind(key.action).bind(&key.key);
        query.fetch_optional(&self.requests).await?.map(|row| read(key, &row)).transpose()
    }
}

const EARLIER: &str =
    "SELECT fingerprint, operation, answer FROM idempotency_keys WHERE team = $1 AND action = $2 AND key = $3";

static CLAIM: LazyLock<String> = LazyLock::new(|| format!("{} ON CONFLICT DO NOTHING", IdempotencyKeys::insert_one()));

/// Claims the key for `operation`; waits for a concurrent request with the same key to end its transaction.
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
    let query = sqlx::query(EARLIER).bind(team.as_str()).bind(key.action).bind(&key.key);
    read(key, &query.fetch_one(connection).await?)
}

fn read(key: &NewKey, row: &PgRow) -> Result<Claimed, StoreError> {
    if !key.is_of(&row.try_get::<Vec<u8>, _>("fingerprint")?) {
        return Ok(Claimed::Mismatch);
    }
    let operation: uuid::Uuid = row.try_get("operation")?;
    Ok(Claimed::Earlier { operation: operation.into(), answer: row.try_get("answer")? })
}

/// Stores the answer of the first request. The first stored answer counts: `false` means that it is not this one.
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
