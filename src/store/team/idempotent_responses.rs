//! Responses that are kept for requests with an idempotency key ([`crate::domain::idempotency`] says what they mean).
//! Those of operations are with their keys ([`crate::store::writes::idempotency`]).
//!
//! What must stay true: the first response of a key stays; a response that belongs to a change commits with it or not
//! at all; the row of a request that died without a response stays, so that nobody repeats it.

use std::time::Duration;

use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::idempotency::RecordedKey;
use crate::domain::identity::caller::TeamId;
use crate::store::database::pool::{HeldCommit, PooledConnection};
use crate::store::input::NewKey;
use crate::store::{Store, StoreError};

/// A key with which a request comes.
#[derive(Debug, Clone)]
pub struct ResponseKey {
    /// The row that is written if the key is new.
    pub id: Uuid,
    /// The team that owns the key: keys of two teams are never the same.
    pub team: TeamId,
    /// The key and the fingerprint of the request.
    pub key: NewKey,
    /// When the request came.
    pub at: Instant,
}

/// What is recorded about a key.
#[derive(Debug, Clone)]
pub struct KeptResponse {
    /// The id of the row, to which the sealed response is bound.
    pub id: Uuid,
    /// What it means.
    pub recorded: RecordedKey,
    /// The encrypted response, if there is one.
    pub response: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct ResponseRow {
    id: Uuid,
    fingerprint: Vec<u8>,
    response: Option<Vec<u8>>,
    is_running: bool,
}

/// $7: the response, $8: for how many seconds the request may run.
const KEEP: &str = "INSERT INTO idempotent_responses
        (id, team, action, key, fingerprint, created_at, response, running_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + make_interval(secs => $8)) ON CONFLICT DO NOTHING";

impl Store {
    /// What is recorded about a key.
    pub async fn kept_response(&self, asked: &ResponseKey) -> Result<Option<KeptResponse>, StoreError> {
        let row: Option<ResponseRow> = sqlx::query_as(
            "SELECT id, fingerprint, response, COALESCE(running_until > clock_timestamp(), false) AS is_running
             FROM idempotent_responses WHERE team = $1 AND action = $2 AND key = $3",
        )
        .bind(asked.team.as_str())
        .bind(asked.key.action)
        .bind(&asked.key.key)
        .fetch_optional(&self.requests)
        .await?;
        Ok(row.map(|ResponseRow { id, fingerprint, response, is_running }| {
            let is_same_request = asked.key.is_of(&fingerprint);
            let recorded = RecordedKey { is_same_request, has_response: response.is_some(), is_running };
            KeptResponse { id, recorded, response }
        }))
    }

    /// Commits what a request has changed, if anything, with its encrypted response; then does what follows. `false` if
    /// the key was used in the meantime: nothing is committed then.
    pub async fn commit_with_response(
        &self,
        held: &HeldCommit,
        asked: &ResponseKey,
        sealed: &[u8],
    ) -> Result<bool, StoreError> {
        let mut transaction = match held.take().await {
            Some(transaction) => transaction,
            None => self.requests.begin().await?,
        };
        // Waits for a request with the same key to end its transaction.
        if !keep(&mut transaction, asked, Some(sealed), None).await? {
            return Ok(false);
        }
        transaction.commit_now().await?;
        held.committed().await;
        Ok(true)
    }

    /// Announces a request whose effect is outside the database, and which runs no longer than `within`. `false` if the
    /// key was used before.
    pub async fn announce_request(&self, asked: &ResponseKey, within: Duration) -> Result<bool, StoreError> {
        keep(&mut self.requests.acquire().await?, asked, None, Some(within)).await
    }

    /// Keeps the encrypted response of an announced request.
    pub async fn keep_response(&self, id: Uuid, sealed: &[u8]) -> Result<(), StoreError> {
        sqlx::query("UPDATE idempotent_responses SET response = $2 WHERE id = $1 AND response IS NULL")
            .bind(id)
            .bind(sealed)
            .execute(&self.requests)
            .await?;
        Ok(())
    }

    /// Forgets an announced request that had no effect.
    pub async fn withdraw_request(&self, id: Uuid) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotent_responses WHERE id = $1 AND response IS NULL")
            .bind(id)
            .execute(&self.requests)
            .await?;
        Ok(())
    }
}

async fn keep(
    connection: &mut PooledConnection,
    asked: &ResponseKey,
    response: Option<&[u8]>,
    within: Option<Duration>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(KEEP)
        .bind(asked.id)
        .bind(asked.team.as_str())
        .bind(asked.key.action)
        .bind(&asked.key.key)
        .bind(&asked.key.fingerprint)
        .bind(asked.at)
        .bind(response)
        .bind(within.map(|within| within.as_secs_f64()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}
