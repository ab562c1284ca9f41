//! One team's access keys.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use super::columns::row;
use super::rows::word;
use super::{Error, Store, audit_insert};
use crate::domain::access_key::{AccessKey, AccessKeyId, MAX_ACCESS_KEYS};
use crate::domain::audit::AuditEntry;
use crate::domain::caller::{Scope, TeamId};
use crate::domain::clock::Instant;

row! {
    /// A row of `access_keys`, without the secret.
    #[derive(FromRow)]
    pub(super) struct AccessKeyRow {
        id: String,
        team: String,
        scopes: Vec<String>,
        description: Option<String>,
        created_at: DateTime<Utc>,
        rotated_at: Option<DateTime<Utc>>,
        previous_until: Option<DateTime<Utc>>,
        revoked_at: Option<DateTime<Utc>>,
    }
}

impl TryFrom<AccessKeyRow> for AccessKey {
    type Error = Error;

    fn try_from(row: AccessKeyRow) -> Result<Self, Error> {
        const TABLE: &str = "access_keys";
        Ok(Self {
            id: word(row.id.parse().ok(), TABLE, "id")?,
            team: word(row.team.parse().ok(), TABLE, "team")?,
            // A scope that a later version knows opens nothing here.
            scopes: row.scopes.iter().filter_map(|name| Scope::from_word(name)).collect(),
            description: row.description,
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            previous_until: row.previous_until,
            revoked_at: row.revoked_at,
        })
    }
}

/// The words of these scopes.
pub(super) fn words(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

impl Store {
    /// Adds a key with its encrypted secret. `false`: the team has [`MAX_ACCESS_KEYS`] already.
    pub async fn add_access_key(&self, key: &AccessKey, secret: &[u8], entry: &AuditEntry) -> Result<bool, Error> {
        let mut transaction = self.requests.begin().await?;
        // One team's additions queue up, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('access_keys:' || $1, 0))")
            .bind(key.team.as_str())
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query(
            "INSERT INTO access_keys (id, team, secret, scopes, description, created_at)
             SELECT $1, $2, $3, $4, $5, $6
             WHERE (SELECT count(*) FROM access_keys WHERE team = $2 AND revoked_at IS NULL) < $7",
        )
        .bind(key.id.as_str())
        .bind(key.team.as_str())
        .bind(secret)
        .bind(words(&key.scopes))
        .bind(&key.description)
        .bind(key.created_at)
        .bind(MAX_ACCESS_KEYS)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Up to `limit` keys of the team, newest first, after `place` (when it was made, and its id).
    pub async fn access_keys(
        &self,
        team: &TeamId,
        place: Option<(Instant, String)>,
        limit: i64,
    ) -> Result<Vec<AccessKey>, Error> {
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

    /// Gives a key that is not revoked another secret; the one before is taken until `previous_until`, and not at all
    /// where that has passed already. None: the team has no such key.
    pub async fn rotate_access_key(
        &self,
        team: &TeamId,
        id: &AccessKeyId,
        secret: &[u8],
        previous_until: Instant,
        entry: &AuditEntry,
    ) -> Result<Option<AccessKey>, Error> {
        let mut transaction = self.requests.begin().await?;
        let sql = format!(
            "UPDATE access_keys SET secret = $3, rotated_at = $4,
                 previous_secret = CASE WHEN $5 > $4 THEN secret END, previous_until = CASE WHEN $5 > $4 THEN $5 END
             WHERE team = $1 AND id = $2 AND revoked_at IS NULL
             RETURNING {}",
            AccessKeyRow::columns("access_keys")
        );
        let row: Option<AccessKeyRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(id.as_str())
            .bind(secret)
            .bind(entry.at)
            .bind(previous_until)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        audit_insert::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        row.try_into().map(Some)
    }

    /// Revokes a key and wipes its secret. The row stays: audit entries name it. `false`: the team has no such key.
    pub async fn revoke_access_key(&self, team: &TeamId, id: &AccessKeyId, entry: &AuditEntry) -> Result<bool, Error> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE access_keys SET revoked_at = COALESCE(revoked_at, $3), secret = '', previous_secret = NULL,
                 previous_until = NULL
             WHERE team = $1 AND id = $2",
        )
        .bind(team.as_str())
        .bind(id.as_str())
        .bind(entry.at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }
}
