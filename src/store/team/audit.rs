//! Audit entries as a team reads them, and the platform those of all teams. They are added by [`crate::store::batch::audit_insert`], and never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::domain::audit::record::{AuditBody, AuditRecord};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::filter::{AuditFilter, Reach};
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::AuditId;
use crate::store::batch::audit_insert::Stamped;
use crate::store::columns::table;
use crate::store::rows::{json, jsonb, word};
use crate::store::unreadable::{self, Keyed as _};
use crate::store::{Error, Store};

const TABLE: &str = "audit_entries";

/// An entry and its number: the order in which entries were written.
#[derive(Debug, Clone)]
pub struct NumberedEntry {
    /// Its number.
    pub number: i64,
    /// The entry.
    pub entry: AuditEntry,
    /// Its row as it is: what its stamp and its leaf were made of.
    pub record: AuditRecord,
}

table! {
    /// A row of `audit_entries`.
    #[derive(Debug, Clone, FromRow)]
    pub(in crate::store) struct AuditRow of "audit_entries" {
        pub(in crate::store) id: Uuid = new.body.id,
        pub(in crate::store) seq: i64,
        pub(in crate::store) txid: i64,
        at: DateTime<Utc> = new.at,
        team: Option<String> = new.body.team.as_deref(),
        subject: String = new.body.subject.as_str(),
        credential: Option<String> = new.body.credential.as_deref(),
        door: String = new.body.door.as_str(),
        request_id: String = new.body.request_id.as_str(),
        address: Option<String> = new.body.address.as_deref(),
        action: String = new.body.action.as_str(),
        resource: Option<String> = new.body.resource.as_deref(),
        outcome: String = new.body.outcome.as_str(),
        http_status: Option<i32> = new.body.http_status,
        code: Option<String> = new.body.code.as_deref(),
        duration_ms: Option<i32> = new.body.duration_ms,
        cloud_ms: Option<i32> = new.body.cloud_ms,
        operation: Option<Uuid> = new.body.operation,
        provider_request_id: Option<String> = new.body.provider_request_id.as_deref(),
        parameters: serde_json::Value = jsonb(&new.body.parameters),
        stamp: Option<Vec<u8>> = new.stamp.as_deref(),
    }    written from |new: Stamped| {}
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = Error;

    fn try_from(row: AuditRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            at: row.at,
            team: row.team.map(|team| word(team.parse().ok(), TABLE, "team")).transpose()?,
            subject: row.subject,
            credential: row.credential,
            door: row.door,
            request_id: row.request_id,
            address: row.address.and_then(|address| address.parse().ok()),
            action: row.action,
            resource: row.resource,
            outcome: word(Outcome::from_word(&row.outcome), TABLE, "outcome")?,
            http_status: row.http_status,
            code: row.code,
            duration_ms: row.duration_ms,
            cloud_ms: row.cloud_ms,
            operation: row.operation.map(Into::into),
            provider_request_id: row.provider_request_id,
            parameters: json::<BTreeMap<String, String>>(row.parameters, TABLE, "parameters")?,
        })
    }
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = Error;

    fn try_from(row: AuditRow) -> Result<Self, Error> {
        let body = AuditBody {
            id: row.id,
            at_micros: row.at.timestamp_micros(),
            team: row.team,
            subject: row.subject,
            credential: row.credential,
            door: row.door,
            request_id: row.request_id,
            address: row.address,
            action: row.action,
            resource: row.resource,
            outcome: row.outcome,
            http_status: row.http_status,
            code: row.code,
            duration_ms: row.duration_ms,
            cloud_ms: row.cloud_ms,
            operation: row.operation,
            provider_request_id: row.provider_request_id,
            parameters: json(row.parameters, TABLE, "parameters")?,
        };
        Ok(Self { number: row.seq, txid: row.txid, body, stamp: row.stamp })
    }
}

/// The entries in `reach` that `filter` lets through, without order and end.
fn select(reach: &Reach, filter: &AuditFilter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {} FROM audit_entries e WHERE ", AuditRow::columns("e")));
    match reach {
        Reach::Team(team) => query.push("team = ").push_bind(team.to_string()),
        Reach::All => query.push("true"),
    };
    let texts = [
        (" AND subject = ", filter.subject.clone()),
        (" AND action = ", filter.action.clone()),
        (" AND resource = ", filter.resource.clone()),
        (" AND outcome = ", filter.outcome.map(|outcome| outcome.as_str().to_owned())),
        (" AND request_id = ", filter.request_id.clone()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(after) = filter.recorded_after {
        query.push(" AND at >= ").push_bind(after);
    }
    if let Some(before) = filter.recorded_before {
        query.push(" AND at < ").push_bind(before);
    }
    query
}

fn numbered(row: AuditRow) -> Option<NumberedEntry> {
    unreadable::read(row.key(), row.try_into())
}

impl Store {
    /// One entry in `reach`.
    pub async fn audit_entry(&self, reach: &Reach, id: AuditId) -> Result<Option<NumberedEntry>, Error> {
        self.audit_row(reach, id).await?.map(TryInto::try_into).transpose()
    }

    /// The same, as its row holds it: what its leaf was made of.
    pub async fn audit_record(&self, reach: &Reach, id: AuditId) -> Result<Option<AuditRecord>, Error> {
        self.audit_row(reach, id).await?.map(TryInto::try_into).transpose()
    }

    async fn audit_row(&self, reach: &Reach, id: AuditId) -> Result<Option<AuditRow>, Error> {
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
        reach: &Reach,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<NumberedEntry>, Error> {
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

    async fn audit_rows(&self, mut query: QueryBuilder<Postgres>) -> Result<Vec<AuditRow>, Error> {
        Ok(query.build_query_as().fetch_all(&self.requests).await?)
    }

    /// Up to `limit` entries in `reach`, oldest first, after number `after` and up to number `through`.
    pub async fn audit_entries_after(
        &self,
        reach: &Reach,
        filter: &AuditFilter,
        (after, through): (i64, i64),
        limit: i64,
    ) -> Result<Vec<NumberedEntry>, Error> {
        let read = |place: Option<i64>, wanted: i64| {
            let mut query = select(reach, filter);
            query.push(" AND seq > ").push_bind(place.unwrap_or(after));
            query.push(" AND seq <= ").push_bind(through);
            query.push(" ORDER BY seq LIMIT ").push(wanted);
            self.audit_rows(query)
        };
        unreadable::filled(limit, read, |row| row.seq, numbered).await
    }

    /// The number of the newest entry in `reach`: where an export that begins now ends. 0 for none.
    pub async fn newest_audit_number(&self, reach: &Reach) -> Result<i64, Error> {
        let sql = match reach {
            Reach::Team(_) => "SELECT max(seq) FROM audit_entries WHERE team = $1",
            Reach::All => "SELECT max(seq) FROM audit_entries WHERE $1::text IS NULL",
        };
        let team = reach.team().map(TeamId::as_str);
        let newest: Option<i64> = sqlx::query_scalar(sql).bind(team).fetch_one(&self.requests).await?;
        Ok(newest.unwrap_or(0))
    }
}

impl TryFrom<AuditRow> for NumberedEntry {
    type Error = Error;

    fn try_from(row: AuditRow) -> Result<Self, Error> {
        Ok(Self { number: row.seq, record: row.clone().try_into()?, entry: row.try_into()? })
    }
}
