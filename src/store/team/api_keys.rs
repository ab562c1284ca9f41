//! One team's API keys.

use crate::store::rows::api_keys::ApiKeyRow;
use sqlx::AssertSqlSafe;

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::api_key::{ApiKey, MAX_API_KEYS, RETIRED_SECRETS};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::ids::ApiKeyId;
use crate::store::rows::access_keys::words;
use crate::store::writes::audit_entries;
use crate::store::writes::makers::{self, Added, RotationOutcome};
use crate::store::{Store, StoreError};

impl Store {
    /// Adds a key of `maker`'s with the hash of its secret; [`Added::Full`]: the team has [`MAX_API_KEYS`] already.
    pub async fn add_api_key(
        &self,
        key: &ApiKey,
        maker: &Caller,
        hash: &[u8],
        entry: &AuditEntry,
    ) -> Result<Added, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !makers::hold(&mut transaction, maker, entry.at).await? {
            return Ok(Added::MakerRevoked);
        }
        // One team's additions queue up, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('api_keys:' || $1, 0))")
            .bind(key.team.as_str())
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query(
            "INSERT INTO api_keys (id, team, name, scopes, hash, created_by, created_at, expires_at, made_with)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $10
             WHERE (SELECT count(*) FROM api_keys WHERE team = $2 AND revoked_at IS NULL
                    AND (expires_at IS NULL OR expires_at > $7)) < $9",
        )
        .bind(key.id.uuid())
        .bind(key.team.as_str())
        .bind(&key.name)
        .bind(words(&key.scopes))
        .bind(hash)
        .bind(&key.created_by)
        .bind(key.created_at)
        .bind(key.expires_at)
        .bind(MAX_API_KEYS)
        .bind(&key.made_with)
        .execute(&mut *transaction)
        .await?;
        Ok(if self.end_audited(transaction, &done, entry).await? { Added::Added } else { Added::Full })
    }

    /// Up to `limit` keys of the team, newest first, after `place`.
    pub async fn api_keys(
        &self,
        team: &TeamId,
        place: Option<ApiKeyId>,
        limit: i64,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let sql = format!(
            "SELECT {} FROM api_keys k WHERE team = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            ApiKeyRow::columns("k")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(team.as_str()).bind(place.map(ApiKeyId::uuid)).bind(limit);
        let rows: Vec<ApiKeyRow> = query.fetch_all(&self.requests).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// A key of the team, or of whichever where none is named.
    pub async fn api_key(&self, team: Option<&TeamId>, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let sql = format!(
            "SELECT {} FROM api_keys k WHERE ($1::text IS NULL OR team = $1) AND id = $2",
            ApiKeyRow::columns("k")
        );
        let row: Option<ApiKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.map(TeamId::as_str))
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Gives a key of `maker`'s team that is not revoked another secret; the one before is taken until
    /// `previous_until`, and not at all where that has passed already; then it is only known, as those before it, to
    /// have been the key's. [`RotationOutcome::Absent`]: the team has no such key.
    pub async fn rotate_api_key(
        &self,
        maker: &Caller,
        id: ApiKeyId,
        hash: &[u8],
        previous_until: Instant,
        entry: &AuditEntry,
    ) -> Result<RotationOutcome<ApiKey>, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !makers::hold(&mut transaction, maker, entry.at).await? {
            return Ok(RotationOutcome::MakerRevoked);
        }
        let sql = format!(
            "UPDATE api_keys SET hash = $3, rotated_at = $4, rotated_by = $6,
                 rotated_with = COALESCE(rotated_with, '{{}}') || $7,
                 previous_hash = hash, previous_until = $5,
                 retired_hashes = CASE WHEN previous_hash IS NULL THEN retired_hashes
                     ELSE (ARRAY[previous_hash] || COALESCE(retired_hashes, '{{}}'))[1:$8] END
             WHERE team = $1 AND id = $2 AND revoked_at IS NULL RETURNING {}",
            ApiKeyRow::columns("api_keys")
        );
        let row: Option<ApiKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(maker.team.as_str())
            .bind(id.uuid())
            .bind(hash)
            .bind(entry.at)
            .bind(previous_until)
            .bind(&maker.subject)
            .bind(maker.known_as())
            .bind(RETIRED_SECRETS)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(RotationOutcome::Absent) };
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        row.try_into().map(RotationOutcome::Turned)
    }

    /// Revokes a key of the team, or of whichever where none is named. The row stays: audit entries name it. `false`:
    /// there is no such key.
    pub async fn revoke_api_key(
        &self,
        team: Option<&TeamId>,
        id: ApiKeyId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $3)
             WHERE ($1::text IS NULL OR team = $1) AND id = $2",
        )
        .bind(team.map(TeamId::as_str))
        .bind(id.uuid())
        .bind(entry.at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }
}
