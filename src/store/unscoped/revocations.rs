//! Revoked tokens: of no team, since a token is judged before it is known for which team it acts.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::ids::RevocationId;
use crate::domain::revocation::{MAX_REVOCATIONS, Revocation, Target};
use crate::store::columns::row;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::{Error, Store};

row! {
    #[derive(FromRow)]
    struct RevocationRow {
        id: Uuid,
        jti: Option<String>,
        subject: Option<String>,
        issued_before: Option<DateTime<Utc>>,
        reason: Option<String>,
        created_by: String,
        created_at: DateTime<Utc>,
        kept_until: DateTime<Utc>,
    }
}

#[derive(FromRow)]
struct TargetRow {
    jti: Option<String>,
    subject: Option<String>,
    issued_before: Option<DateTime<Utc>>,
}

impl TryFrom<TargetRow> for Target {
    type Error = Error;

    fn try_from(row: TargetRow) -> Result<Self, Error> {
        match (row.jti, row.subject, row.issued_before) {
            (Some(jti), None, None) => Ok(Self::Token(jti)),
            (None, Some(subject), Some(issued_before)) => Ok(Self::Subject { subject, issued_before }),
            _ => Err(Error::Unreadable { table: "revocations", column: "jti", detail: "of nothing, or of two".into() }),
        }
    }
}

impl TryFrom<RevocationRow> for Revocation {
    type Error = Error;

    fn try_from(row: RevocationRow) -> Result<Self, Error> {
        let target = TargetRow { jti: row.jti, subject: row.subject, issued_before: row.issued_before };
        Ok(Self {
            id: row.id.into(),
            target: target.try_into()?,
            reason: row.reason,
            created_by: row.created_by,
            created_at: row.created_at,
            kept_until: row.kept_until,
        })
    }
}

impl Store {
    /// Adds a revocation. `false`: [`MAX_REVOCATIONS`] are in force.
    pub async fn add_revocation(&self, new: &Revocation, entry: &AuditEntry) -> Result<bool, Error> {
        let (jti, subject) = match &new.target {
            Target::Token(jti) => (Some(jti), None),
            Target::Subject { subject, issued_before } => (None, Some((subject, issued_before))),
        };
        let mut transaction = self.requests.begin().await?;
        // Additions queue up, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('revocations', 0))")
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query(
            "INSERT INTO revocations (id, jti, subject, issued_before, reason, created_by, created_at, kept_until)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8
             WHERE (SELECT count(*) FROM revocations WHERE kept_until > $7) < $9",
        )
        .bind(new.id.uuid())
        .bind(jti)
        .bind(subject.map(|(subject, _)| subject))
        .bind(subject.map(|(_, before)| before))
        .bind(&new.reason)
        .bind(&new.created_by)
        .bind(new.created_at)
        .bind(new.kept_until)
        .bind(MAX_REVOCATIONS)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Up to `limit` revocations in force, newest first, after `place`.
    pub async fn revocations(
        &self,
        now: Instant,
        place: Option<RevocationId>,
        limit: i64,
    ) -> Result<Vec<Revocation>, Error> {
        let read = |last: Option<RevocationId>, wanted: i64| self.revocation_rows(now, last.or(place), wanted);
        let convert = |row: RevocationRow| unreadable::read(row.key(), row.try_into());
        unreadable::filled(limit, read, |row| row.id.into(), convert).await
    }

    async fn revocation_rows(
        &self,
        now: Instant,
        place: Option<RevocationId>,
        limit: i64,
    ) -> Result<Vec<RevocationRow>, Error> {
        let sql = format!(
            "SELECT {} FROM revocations r WHERE kept_until > $1 AND ($2::uuid IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3",
            RevocationRow::columns("r")
        );
        let rows: Vec<RevocationRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(now)
            .bind(place.map(RevocationId::uuid))
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        Ok(rows)
    }

    /// Everything that is revoked. Fails where one cannot be read: a token that it revokes would be let in.
    pub async fn revoked(&self, now: Instant) -> Result<Vec<Target>, Error> {
        let rows: Vec<TargetRow> =
            sqlx::query_as("SELECT jti, subject, issued_before FROM revocations WHERE kept_until > $1")
                .bind(now)
                .fetch_all(&self.requests)
                .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Takes a revocation back. `false`: there is none of that id.
    pub async fn delete_revocation(&self, id: RevocationId, entry: &AuditEntry) -> Result<bool, Error> {
        let mut transaction = self.requests.begin().await?;
        let done =
            sqlx::query("DELETE FROM revocations WHERE id = $1").bind(id.uuid()).execute(&mut *transaction).await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Forgets revocations that are no longer in force. Returns how many.
    pub async fn forget_revocations(&self, now: Instant) -> Result<u64, Error> {
        let done =
            sqlx::query("DELETE FROM revocations WHERE kept_until <= $1").bind(now).execute(&self.workers).await?;
        Ok(done.rows_affected())
    }
}
