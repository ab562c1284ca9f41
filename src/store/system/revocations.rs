//! Revoked tokens. They belong to no team, because a token is judged before it is known which team it acts for.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::containment::{self, TakenKeys};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::identity::revocation::{MAX_OF_A_TEAM, MAX_REVOCATIONS, Revocation, RevocationTarget};
use crate::domain::ids::RevocationId;
use crate::store::columns::row;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::values::word;
use crate::store::writes::makers;
use crate::store::{Store, StoreError};

row! {
    #[derive(FromRow)]
    struct RevocationRow {
        id: Uuid,
        jti: Option<String>,
        subject: Option<String>,
        issued_before: Option<DateTime<Utc>>,
        team: Option<String>,
        by_platform: bool,
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
    team: Option<String>,
}

fn read_team(team: Option<String>) -> Result<Option<TeamId>, StoreError> {
    team.map(|team| word(team.parse().ok(), "revocations", "team")).transpose()
}

/// Adds to the audit entry which keys were revoked.
fn note(entry: &mut AuditEntry, taken: &TakenKeys) {
    let ids = taken.api_keys.iter().map(ToString::to_string);
    let ids: Vec<_> = ids.chain(taken.access_keys.iter().map(ToString::to_string)).collect();
    if !ids.is_empty() {
        entry.parameters.insert("revoked_keys".to_owned(), ids.join(" "));
    }
}

impl TryFrom<TargetRow> for RevocationTarget {
    type Error = StoreError;

    fn try_from(row: TargetRow) -> Result<Self, StoreError> {
        match (row.jti, row.subject, row.issued_before) {
            (Some(jti), None, None) => Ok(Self::Token(jti)),
            (None, Some(subject), Some(issued_before)) => Ok(Self::Subject { subject, issued_before }),
            _ => Err(StoreError::Unreadable {
                table: "revocations",
                column: "jti",
                detail: "of nothing, or of two".into(),
            }),
        }
    }
}

impl TryFrom<RevocationRow> for Revocation {
    type Error = StoreError;

    fn try_from(row: RevocationRow) -> Result<Self, StoreError> {
        let target = TargetRow { jti: row.jti, subject: row.subject, issued_before: row.issued_before, team: None };
        Ok(Self {
            id: row.id.into(),
            target: target.try_into()?,
            team: read_team(row.team)?,
            by_platform: row.by_platform,
            reason: row.reason,
            created_by: row.created_by,
            created_at: row.created_at,
            kept_until: row.kept_until,
        })
    }
}

impl Store {
    /// Adds a revocation, and revokes the keys that were created with what it revokes, unless they are to stay. `None`
    /// if [`MAX_REVOCATIONS`] are in force, or [`MAX_OF_A_TEAM`] of a team's own.
    pub async fn add_revocation(
        &self,
        new: &Revocation,
        keep_keys: bool,
        entry: &mut AuditEntry,
    ) -> Result<Option<TakenKeys>, StoreError> {
        let (jti, subject) = match &new.target {
            RevocationTarget::Token(jti) => (Some(jti), None),
            RevocationTarget::Subject { subject, issued_before } => (None, Some((subject, issued_before))),
        };
        let mut transaction = self.requests.begin().await?;
        // Additions wait for each other, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('revocations', 0))")
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query(
            "INSERT INTO revocations
                 (id, jti, subject, issued_before, reason, created_by, created_at, kept_until, team, by_platform)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $10, $11
             WHERE (SELECT count(*) FROM revocations WHERE kept_until > $7 AND by_platform = $11) < $9
               AND ($11 OR (SELECT count(*) FROM revocations
                            WHERE kept_until > $7 AND team = $10 AND NOT by_platform) < $12)",
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
        .bind(new.team.as_ref().map(TeamId::as_str))
        .bind(new.by_platform)
        .bind(MAX_OF_A_TEAM)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        makers::hold_off(&mut transaction).await?;
        let taken = if keep_keys { TakenKeys::default() } else { containment::take(&mut transaction, new).await? };
        note(entry, &taken);
        self.end_audited(transaction, &done, entry).await?;
        Ok(Some(taken))
    }

    /// Which of these subjects created or rotated a key, are an access key, or have an audit entry since `since`; only
    /// in one team, if one is given. The audit log is long and the caller has no time, so this fails after two seconds.
    pub async fn known_subjects(
        &self,
        team: Option<&TeamId>,
        asked: &[String],
        since: Instant,
    ) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.requests.begin().await?;
        sqlx::raw_sql("SET LOCAL statement_timeout = '2s'").execute(&mut *transaction).await?;
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT created_by FROM api_keys WHERE created_by = ANY($1) AND ($2::text IS NULL OR team = $2)
             UNION SELECT rotated_by FROM api_keys WHERE rotated_by = ANY($1) AND ($2::text IS NULL OR team = $2)
             UNION SELECT created_by FROM access_keys WHERE created_by = ANY($1) AND ($2::text IS NULL OR team = $2)
             UNION SELECT rotated_by FROM access_keys WHERE rotated_by = ANY($1) AND ($2::text IS NULL OR team = $2)
             UNION SELECT 'access_key:' || id FROM access_keys
                   WHERE 'access_key:' || id = ANY($1) AND ($2::text IS NULL OR team = $2)
             UNION SELECT subject FROM audit_entries
                   WHERE subject = ANY($1) AND at >= $3 AND ($2::text IS NULL OR team = $2)
             ORDER BY 1",
        )
        .bind(asked)
        .bind(team.map(TeamId::as_str))
        .bind(since)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(found)
    }

    /// Up to `limit` revocations in force, newest first, after `place`; if a team is given, those within its own reach.
    pub async fn revocations(
        &self,
        team: Option<&TeamId>,
        now: Instant,
        place: Option<RevocationId>,
        limit: i64,
    ) -> Result<Vec<Revocation>, StoreError> {
        let read = |last: Option<RevocationId>, wanted: i64| self.revocation_rows(team, now, last.or(place), wanted);
        let convert = |row: RevocationRow| unreadable::read(row.key(), row.try_into());
        unreadable::filled(limit, read, |row| row.id.into(), convert).await
    }

    async fn revocation_rows(
        &self,
        team: Option<&TeamId>,
        now: Instant,
        place: Option<RevocationId>,
        limit: i64,
    ) -> Result<Vec<RevocationRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM revocations r WHERE kept_until > $1 AND ($2::uuid IS NULL OR id < $2)
               AND ($4::text IS NULL OR team = $4)
             ORDER BY id DESC LIMIT $3",
            RevocationRow::columns("r")
        );
        let rows: Vec<RevocationRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(now)
            .bind(place.map(RevocationId::uuid))
            .bind(limit)
            .bind(team.map(TeamId::as_str))
            .fetch_all(&self.requests)
            .await?;
        Ok(rows)
    }

    /// Everything that is revoked, and for which team. Fails if one cannot be read, because a token that it revokes
    /// would be admitted.
    pub async fn revoked(&self, now: Instant) -> Result<Vec<(Option<TeamId>, RevocationTarget)>, StoreError> {
        let rows: Vec<TargetRow> =
            sqlx::query_as("SELECT jti, subject, issued_before, team FROM revocations WHERE kept_until > $1")
                .bind(now)
                .fetch_all(&self.requests)
                .await?;
        rows.into_iter().map(|mut row| Ok((read_team(row.team.take())?, row.try_into()?))).collect()
    }

    /// Deletes a revocation; a team can only delete one that it made itself. `false` if there is none with that id.
    pub async fn delete_revocation(
        &self,
        team: Option<&TeamId>,
        id: RevocationId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "DELETE FROM revocations WHERE id = $1 AND ($2::text IS NULL OR (team = $2 AND NOT by_platform))",
        )
        .bind(id.uuid())
        .bind(team.map(TeamId::as_str))
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Deletes revocations that are no longer in force. Returns how many.
    pub async fn forget_revocations(&self, now: Instant) -> Result<u64, StoreError> {
        let done =
            sqlx::query("DELETE FROM revocations WHERE kept_until <= $1").bind(now).execute(&self.workers).await?;
        Ok(done.rows_affected())
    }
}
