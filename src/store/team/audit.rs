//! Reads of audit entries, by a team and, for all teams, by the platform. [`crate::store::writes::audit_entries`] adds
//! them, and they are never changed.

use crate::store::rows::AuditRow;
use crate::store::rows::audit_entries::NumberedEntry;

use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};

use crate::domain::audit::record::AuditRecord;
use crate::domain::filter::{AuditFilter, AuditReach};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::AuditId;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::{Store, StoreError};

/// The entries in `reach` that pass `filter`, without order or limit.
fn select(reach: &AuditReach, filter: &AuditFilter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {} FROM audit_entries e WHERE ", AuditRow::columns("e")));
    match reach {
        AuditReach::Team(team) => query.push("team = ").push_bind(team.to_string()),
        AuditReach::All => query.push("true"),
    };
    // Destructured completely, so that a new filter field that is not used here does not compile. The team is in
    // `reach`.
    let AuditFilter { team: _, subject, action, resource, outcome, request_id, recorded_after, recorded_before } =
        filter;
    let texts = [
        (" AND subject = ", subject.clone()),
        (" AND action = ", action.clone()),
        (" AND resource = ", resource.clone()),
        (" AND outcome = ", outcome.map(|outcome| outcome.as_str().to_owned())),
        (" AND request_id = ", request_id.clone()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(after) = recorded_after {
        query.push(" AND at >= ").push_bind(after);
    }
    if let Some(before) = recorded_before {
        query.push(" AND at < ").push_bind(before);
    }
    query
}

fn numbered(row: AuditRow) -> Option<NumberedEntry> {
    unreadable::read(row.key(), row.try_into())
}

impl Store {
    /// One entry in `reach`.
    pub async fn audit_entry(&self, reach: &AuditReach, id: AuditId) -> Result<Option<NumberedEntry>, StoreError> {
        self.audit_row(reach, id).await?.map(TryInto::try_into).transpose()
    }

    /// The same entry as its row stores it, which is what its leaf was made of.
    pub async fn audit_record(&self, reach: &AuditReach, id: AuditId) -> Result<Option<AuditRecord>, StoreError> {
        self.audit_row(reach, id).await?.map(TryInto::try_into).transpose()
    }

    async fn audit_row(&self, reach: &AuditReach, id: AuditId) -> Result<Option<AuditRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM audit_entries e WHERE ($1::text IS NULL OR team = $1) AND id = $2",
            AuditRow::columns("e")
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql))
            .bind(reach.team().map(TeamId::as_str))
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?)
    }

    /// Up to `limit` entries in `reach`, each with its number, newest first, before number `before`.
    pub async fn audit_entries(
        &self,
        reach: &AuditReach,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<NumberedEntry>, StoreError> {
        let read = |place: Option<i64>, wanted: i64| {
            let mut query = select(reach, filter);
            if let Some(before) = place.or(before) {
                query.push(" AND seq < ").push_bind(before);
            }
            query.push(" ORDER BY seq DESC LIMIT ").push(wanted);
            self.audit_rows(query)
        };
        unreadable::filled(limit, read, |row| row.seq, numbered).await
    }

    async fn audit_rows(&self, mut query: QueryBuilder<Postgres>) -> Result<Vec<AuditRow>, StoreError> {
        Ok(query.build_query_as().fetch_all(&self.requests).await?)
    }

    /// Up to `limit` entries in `reach`, oldest first, after number `after` and up to number `through`.
    pub async fn audit_entries_after(
        &self,
        reach: &AuditReach,
        filter: &AuditFilter,
        (after, through): (i64, i64),
        limit: i64,
    ) -> Result<Vec<NumberedEntry>, StoreError> {
        let read = |place: Option<i64>, wanted: i64| {
            let mut query = select(reach, filter);
            query.push(" AND seq > ").push_bind(place.unwrap_or(after));
            query.push(" AND seq <= ").push_bind(through);
            query.push(" ORDER BY seq LIMIT ").push(wanted);
            self.audit_rows(query)
        };
        unreadable::filled(limit, read, |row| row.seq, numbered).await
    }

    /// The number of the newest entry in `reach`, where an export that starts now ends. 0 if there is none.
    pub async fn newest_audit_number(&self, reach: &AuditReach) -> Result<i64, StoreError> {
        let sql = match reach {
            AuditReach::Team(_) => "SELECT max(seq) FROM audit_entries WHERE team = $1",
            AuditReach::All => "SELECT max(seq) FROM audit_entries WHERE $1::text IS NULL",
        };
        let team = reach.team().map(TeamId::as_str);
        let newest: Option<i64> = sqlx::query_scalar(sql).bind(team).fetch_one(&self.requests).await?;
        Ok(newest.unwrap_or(0))
    }
}
