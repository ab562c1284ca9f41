//! Token issuers that an administrator added. They belong to no team, because a token is judged before it is known
//! which team it acts for.
//!
//! What must stay true: an issuer that contains something this version does not know is skipped (and logged, and
//! counted), so that nobody is admitted by a rule that is only half understood.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::issuer::{Issuer, MAX_ISSUERS};
use crate::store::columns::row;
use crate::store::database::pool::PooledConnection;
use crate::store::stored_names::ISSUER;
use crate::store::unreadable::{self, readable};
use crate::store::{PlatformEvent, Store, StoreError};

const TABLE: &str = "issuers";
/// The unique index that prevents two issuers with the same `iss`.
const SAME_ISS: &str = "issuers_iss";

/// An issuer as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIssuer {
    /// The issuer, with its form already checked.
    pub issuer: Issuer,
    /// The version, which counts its changes.
    pub version: i64,
    /// When it was added.
    pub created_at: Instant,
    /// When it was last changed.
    pub updated_at: Instant,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerChange {
    /// The change is written.
    Done,
    /// The issuer has changed in the meantime.
    Moved,
    /// Another issuer has this `iss`.
    SameIss,
    /// There are already [`MAX_ISSUERS`].
    TooMany,
}

row! {
    #[derive(FromRow)]
    struct IssuerRow {
        name: String,
        document: Json<Value>,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

impl TryFrom<IssuerRow> for StoredIssuer {
    type Error = StoreError;

    fn try_from(row: IssuerRow) -> Result<Self, StoreError> {
        let unknown = |detail: String| StoreError::Unreadable { table: TABLE, column: "document", detail };
        let issuer: Issuer = ISSUER.read(row.document.0, TABLE, "document")?;
        if issuer.name != row.name {
            return Err(unknown("it has another name".to_owned()));
        }
        issuer
            .check_added(&[])
            .map_err(|errors| unknown(errors.first().map_or("", |error| &error.field).to_owned()))?;
        Ok(Self { issuer, version: row.version, created_at: row.created_at, updated_at: row.updated_at })
    }
}

impl Store {
    /// Every issuer that this version fully knows, by name; there are few.
    pub async fn issuers(&self) -> Result<Vec<StoredIssuer>, StoreError> {
        let sql = format!("SELECT {} FROM issuers i ORDER BY name", IssuerRow::columns("i"));
        let rows: Vec<IssuerRow> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.requests).await?;
        Ok(readable(rows))
    }

    /// One issuer. Fails if it contains something that this version does not know.
    pub async fn issuer(&self, name: &str) -> Result<Option<StoredIssuer>, StoreError> {
        let sql = format!("SELECT {} FROM issuers i WHERE name = $1", IssuerRow::columns("i"));
        let row: Option<IssuerRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(name).fetch_optional(&self.requests).await?;
        unreadable::alone(row)
    }

    /// The version of an issuer, 0 if there is none. Works also for one that this version does not fully know, so that
    /// it can be replaced and deleted.
    pub async fn issuer_version(&self, name: &str) -> Result<i64, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT version FROM issuers WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.requests)
            .await?;
        Ok(found.unwrap_or(0))
    }

    /// Writes an issuer over the version in it, which is 0 if there was none.
    pub async fn put_issuer(
        &self,
        stored: &StoredIssuer,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<IssuerChange, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let number = count(&mut transaction).await?;
        if stored.version == 0 && number >= MAX_ISSUERS {
            return Ok(IssuerChange::TooMany);
        }
        let done = sqlx::query(
            "INSERT INTO issuers AS i (name, document, version, created_at, updated_at)
             -- One that was changed meanwhile may be gone by now: it is not made anew.
             SELECT $1, $2, $3 + 1, $4, $5 WHERE $3 = 0 OR EXISTS (SELECT FROM issuers WHERE name = $1)
             ON CONFLICT (name) DO UPDATE SET document = EXCLUDED.document, version = EXCLUDED.version,
                 updated_at = EXCLUDED.updated_at
             WHERE i.version = $3",
        )
        .bind(&stored.issuer.name)
        .bind(ISSUER.write(&stored.issuer))
        .bind(stored.version)
        .bind(stored.created_at)
        .bind(stored.updated_at)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::from);
        let done = match done {
            Err(error) if error.is_constraint(SAME_ISS) => return Ok(IssuerChange::SameIss),
            done => done?,
        };
        let written = self.end_announced(transaction, &done, told, entry).await?;
        Ok(if written { IssuerChange::Done } else { IssuerChange::Moved })
    }

    /// Deletes an issuer in this version. `false` if it has changed in the meantime.
    pub async fn delete_issuer(
        &self,
        name: &str,
        version: i64,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query("DELETE FROM issuers WHERE name = $1 AND version = $2")
            .bind(name)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        self.end_announced(transaction, &done, told, entry).await
    }
}

/// How many there are. Additions wait for each other, so that two at once cannot both be the last that fits.
async fn count(connection: &mut PooledConnection) -> Result<usize, StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('issuers', 0))").execute(&mut *connection).await?;
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM issuers").fetch_one(connection).await?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}
