//! API keys looked up by id, before it is known whose request it is.

use sqlx::{AssertSqlSafe, FromRow};

use crate::domain::clock::Instant;
use crate::domain::identity::api_key::ApiKey;
use crate::domain::ids::ApiKeyId;
use crate::store::rows::api_keys::ApiKeyRow;
use crate::store::{Store, StoreError};

/// A key with the hashes of its secrets.
#[derive(Debug, Clone)]
pub struct HashedKey {
    /// The key.
    pub key: ApiKey,
    /// The hash of the current secret.
    pub hash: Vec<u8>,
    /// The hash of the secret before the last rotation.
    pub previous_hash: Option<Vec<u8>>,
    /// The hashes of older secrets, which are no longer accepted.
    pub retired_hashes: Vec<Vec<u8>>,
}

#[derive(FromRow)]
struct HashedRow {
    #[sqlx(flatten)]
    key: ApiKeyRow,
    hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    retired_hashes: Option<Vec<Vec<u8>>>,
}

impl Store {
    /// The key with this id, of any team.
    pub async fn hashed_key(&self, id: ApiKeyId) -> Result<Option<HashedKey>, StoreError> {
        let columns = ApiKeyRow::columns("k");
        let sql = format!("SELECT {columns}, k.hash, k.previous_hash, k.retired_hashes FROM api_keys k WHERE id = $1");
        let row: Option<HashedRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(&self.requests).await?;
        let read = |row: HashedRow| {
            let HashedRow { key, hash, previous_hash, retired_hashes } = row;
            let retired_hashes = retired_hashes.unwrap_or_default();
            Ok(HashedKey { key: key.try_into()?, hash, previous_hash, retired_hashes })
        };
        row.map(read).transpose()
    }

    /// Up to `most` keys that are valid at `now`, newest first.
    pub async fn usable_api_keys(&self, now: Instant, most: i64) -> Result<Vec<ApiKeyId>, StoreError> {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
            "SELECT id FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
             ORDER BY id DESC LIMIT $2",
        )
        .bind(now)
        .bind(most)
        .fetch_all(&self.requests)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Up to `most` keys that are valid at `now` and have a scope that is not in `known`, newest first.
    pub async fn keys_of_other_scopes(
        &self,
        known: &[&str],
        now: Instant,
        most: i64,
    ) -> Result<Vec<ApiKeyId>, StoreError> {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
            "SELECT id FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
                 AND NOT scopes <@ $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(now)
        .bind(known)
        .bind(most)
        .fetch_all(&self.requests)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Replaces the hash `was` by `is`, for the current secret or the previous one; a rotation in the meantime wins.
    pub async fn rehash_api_key(&self, id: ApiKeyId, was: &[u8], is: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE api_keys SET hash = CASE WHEN hash = $2 THEN $3 ELSE hash END,
                 previous_hash = CASE WHEN previous_hash = $2 THEN $3 ELSE previous_hash END
             WHERE id = $1 AND (hash = $2 OR previous_hash = $2)",
        )
        .bind(id.uuid())
        .bind(was)
        .bind(is)
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// Records that a key was used at `now`, unless a use since `before` is already recorded.
    pub async fn note_api_key_use(&self, id: ApiKeyId, now: Instant, before: Instant) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
        )
        .bind(id.uuid())
        .bind(now)
        .bind(before)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
