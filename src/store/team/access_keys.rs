//! One team's access keys.

use crate::store::rows::access_keys::AccessKeyRow;
use crate::store::rows::access_keys::words;
use sqlx::AssertSqlSafe;

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::access_key::{AccessKey, AccessKeyId, MAX_ACCESS_KEYS};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::store::writes::audit_entries;
use crate::store::writes::makers::{self, Added, RotationOutcome};
use crate::store::{Store, StoreError};

impl Store {
    /// Adds a key for `maker`'s team with its encrypted secret. [`Added::Full`] if the team already has
    /// [`MAX_ACCESS_KEYS`].
    pub async fn add_access_key(
        &self,
        key: &AccessKey,
        maker: &Caller,
        secret: &[u8],
        entry: &AuditEntry,
    ) -> Result<Added, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !makers::hold(&mut transaction, maker, entry.at).await? {
            return Ok(Added::MakerRevoked);
        }
        // A team's additions wait for each other, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('access_keys:' || $1, 0))")
            .bind(key.team.as_str())
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query(
            "INSERT INTO access_keys
                 (id, team, secret, scopes, description, created_at, created_by, made_with, expires_at)
             SELECT $1, $2, $3, $4, $5, $6, $8, $9, $10
             WHERE (SELECT count(*) FROM access_keys WHERE team = $2 AND revoked_at IS NULL
                    AND (expires_at IS NULL OR expires_at > $6)) < $7",
        )
        .bind(key.id.as_str())
        .bind(key.team.as_str())
        .bind(secret)
        .bind(words(&key.scopes))
        .bind(&key.description)
        .bind(key.created_at)
        .bind(MAX_ACCESS_KEYS)
        .bind(&key.created_by)
        .bind(&key.made_with)
        .bind(key.expires_at)
        .execute(&mut *transaction)
        .await?;
        Ok(if self.end_audited(transaction, &done, entry).await? { Added::Added } else { Added::Full })
    }

    /// Up to `limit` keys of the team, newest first, after `place` (creation time and id).
    pub async fn access_keys(
        &self,
        team: &TeamId,
        place: Option<(Instant, String)>,
        limit: i64,
    ) -> Result<Vec<AccessKey>, StoreError> {
        let (at, id) = place.unzip();
        let sql = format!(
            "SELECT {} FROM access_keys k
             WHERE team = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
             ORDER BY created_at DESC, id DESC LIMIT $4",
            AccessKeyRow::columns("k")
        );
        let rows: Vec<AccessKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(at)
            .bind(id)
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// A key of the team.
    pub async fn access_key_of(&self, team: &TeamId, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let sql = format!("SELECT {} FROM access_keys k WHERE team = $1 AND id = $2", AccessKeyRow::columns("k"));
        let row: Option<AccessKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Gives a key of `maker`'s team that is not revoked another secret; the one before is taken until
    /// `previous_until`, and not at all where that has passed already. [`RotationOutcome::Absent`]: the team has no
    /// such key.
    pub async fn rotate_access_key(
        &self,
        maker: &Caller,
        id: &AccessKeyId,
        secret: &[u8],
        previous_until: Instant,
        entry: &AuditEntry,
    ) -> Result<RotationOutcome<AccessKey>, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !makers::hold(&mut transaction, maker, entry.at).await? {
            return Ok(RotationOutcome::MakerRevoked);
        }
        let sql = format!(
            "UPDATE access_keys SET secret = $3, rotated_at = $4, rotated_by = $6,
                 rotated_with = COALESCE(rotated_with, '{{}}') || $7,
                 previous_secret = CASE WHEN $5 > $4 THEN secret END, previous_until = CASE WHEN $5 > $4 THEN $5 END
             WHERE team = $1 AND id = $2 AND revoked_at IS NULL
             RETURNING {}",
            AccessKeyRow::columns("access_keys")
        );
        let row: Option<AccessKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(maker.team.as_str())
            .bind(id.as_str())
            .bind(secret)
            .bind(entry.at)
            .bind(previous_until)
            .bind(&maker.subject)
            .bind(maker.known_as())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(RotationOutcome::Absent) };
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        row.try_into().map(RotationOutcome::Turned)
    }

    /// Revokes a key of the team, or of any team if none is named, and wipes its secret. The row stays, because audit
    /// entries name it. `false` if there is no such key.
    pub async fn revoke_access_key(
        &self,
        team: Option<&TeamId>,
        id: &AccessKeyId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE access_keys SET revoked_at = COALESCE(revoked_at, $3), secret = '', previous_secret = NULL,
                 previous_until = NULL
             WHERE ($1::text IS NULL OR team = $1) AND id = $2",
        )
        .bind(team.map(TeamId::as_str))
        .bind(id.as_str())
        .bind(entry.at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }
}
