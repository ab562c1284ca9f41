//! Access keys looked up by id, before it is known whose request it is; and their nonces.

use sqlx::{AssertSqlSafe, FromRow};

use crate::domain::clock::Instant;
use crate::domain::identity::access_key::{AccessKey, AccessKeyId};
use crate::store::rows::access_keys::{AccessKeyRow, words};
use crate::store::{Store, StoreError};

/// A key with its encrypted secret.
#[derive(Debug, Clone)]
pub struct SealedKey {
    /// The key.
    pub key: AccessKey,
    /// Its secret, encrypted; empty once the key is revoked.
    pub secret: Vec<u8>,
    /// The secret before the last rotation, encrypted, as long as it may be accepted.
    pub previous_secret: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct SealedRow {
    #[sqlx(flatten)]
    key: AccessKeyRow,
    secret: Vec<u8>,
    previous_secret: Option<Vec<u8>>,
}

impl SealedRow {
    fn read(self) -> Result<SealedKey, StoreError> {
        Ok(SealedKey { key: self.key.try_into()?, secret: self.secret, previous_secret: self.previous_secret })
    }
}

impl Store {
    /// The key with this id, of any team.
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<SealedKey>, StoreError> {
        let columns = AccessKeyRow::columns("k");
        let sql = format!("SELECT {columns}, k.secret, k.previous_secret FROM access_keys k WHERE id = $1");
        let row: Option<SealedRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(&self.requests).await?;
        row.map(SealedRow::read).transpose()
    }

    /// Up to `most` keys that are not revoked, newest first.
    pub async fn usable_access_keys(&self, most: i64) -> Result<Vec<SealedKey>, StoreError> {
        let columns = AccessKeyRow::columns("k");
        let sql = format!(
            "SELECT {columns}, k.secret, k.previous_secret FROM access_keys k WHERE revoked_at IS NULL
             ORDER BY created_at DESC LIMIT $1"
        );
        let rows: Vec<SealedRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(most).fetch_all(&self.requests).await?;
        // A key that another version wrote is looked up when it is used.
        Ok(rows.into_iter().filter_map(|row| row.read().ok()).collect())
    }

    /// Stores a key exactly as given, whatever was there: for `dev`, whose keys are in a file.
    pub async fn put_access_key(&self, key: &AccessKey, secret: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO access_keys (id, team, secret, scopes, description, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET team = EXCLUDED.team, secret = EXCLUDED.secret, scopes = EXCLUDED.scopes,
                 description = EXCLUDED.description, revoked_at = NULL, revoked_with = NULL, previous_secret = NULL, previous_until = NULL",
        )
        .bind(key.id.as_str())
        .bind(key.team.as_str())
        .bind(secret)
        .bind(words(&key.scopes))
        .bind(&key.description)
        .bind(key.created_at)
        .execute(&self.requests)
        .await?;
        Ok(())
    }

    /// Spends a nonce of a key. `false` if it was spent before, at any gateway.
    pub async fn spend_nonce(&self, id: &AccessKeyId, nonce: &str, now: Instant) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO access_key_nonces (access_key, nonce, used_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(id.as_str())
        .bind(nonce)
        .bind(now)
        .execute(&self.requests)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Wipes secrets from before a rotation that are no longer accepted. Returns how many.
    pub async fn forget_previous_secrets(&self, now: Instant) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE access_keys SET previous_secret = NULL, previous_until = NULL WHERE previous_until <= $1",
        )
        .bind(now)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes nonces that were spent before `before`. Returns how many.
    pub async fn forget_nonces(&self, before: Instant) -> Result<u64, StoreError> {
        let done =
            sqlx::query("DELETE FROM access_key_nonces WHERE used_at < $1").bind(before).execute(&self.workers).await?;
        Ok(done.rows_affected())
    }
}
