//! Audit entries: added, read, never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::rows::{json, word};
use super::{Error, Store};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::caller::TeamId;
use crate::domain::filter::AuditFilter;
use crate::domain::ids::{AuditId, OperationId};

/// An entry and its number: the order in which entries were written.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberedEntry {
    /// Its number.
    pub number: i64,
    /// The entry.
    pub entry: AuditEntry,
}

#[derive(FromRow)]
struct AuditRow {
    id: Uuid,
    seq: i64,
    at: DateTime<Utc>,
    team: Option<String>,
    subject: String,
    credential: Option<String>,
    door: String,
    request_id: String,
    address: Option<String>,
    action: String,
    resource: Option<String>,
    outcome: String,
    http_status: Option<i32>,
    code: Option<String>,
    duration_ms: Option<i32>,
    operation: Option<Uuid>,
    provider_request_id: Option<String>,
    parameters: serde_json::Value,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = Error;

    fn try_from(row: AuditRow) -> Result<Self, Error> {
        const TABLE: &str = "audit_entries";
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
            operation: row.operation.map(Into::into),
            provider_request_id: row.provider_request_id,
            parameters: json::<BTreeMap<String, String>>(row.parameters, TABLE, "parameters")?,
        })
    }
}

impl Store {
    /// Writes the entry of a request that changes nothing, together with all others that wait (group
    /// commit), and returns when it is durable.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), Error> {
        self.audit.append(entry).await
    }

    /// One entry of the team.
    pub async fn audit_entry(&self, team: &TeamId, id: AuditId) -> Result<Option<AuditEntry>, Error> {
        let row: Option<AuditRow> = sqlx::query_as("SELECT * FROM audit_entries WHERE team = $1 AND id = $2")
            .bind(team.as_str())
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Up to `limit` entries of the team, each with its number, newest first, before number `before`.
    pub async fn audit_entries(
        &self,
        team: &TeamId,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<NumberedEntry>, Error> {
        let rows: Vec<AuditRow> = sqlx::query_as(
            "SELECT * FROM audit_entries
             WHERE team = $1 AND ($2::bigint IS NULL OR seq < $2) AND ($3::text IS NULL OR subject = $3)
               AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR resource = $5)
               AND ($6::text IS NULL OR outcome = $6) AND ($7::text IS NULL OR request_id = $7)
             ORDER BY seq DESC LIMIT $8",
        )
        .bind(team.as_str())
        .bind(before)
        .bind(&filter.subject)
        .bind(&filter.action)
        .bind(&filter.resource)
        .bind(filter.outcome.map(Outcome::as_str))
        .bind(&filter.request_id)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(|row| Ok(NumberedEntry { number: row.seq, entry: row.try_into()? })).collect()
    }
}

/// Adds entries, all in one statement.
pub(super) async fn insert(connection: &mut PgConnection, entries: &[AuditEntry]) -> Result<(), Error> {
    let column = |of: fn(&AuditEntry) -> Option<String>| entries.iter().map(of).collect::<Vec<_>>();
    let parameters: Vec<serde_json::Value> = entries.iter().map(|entry| serde_json::json!(entry.parameters)).collect();
    sqlx::query(
        "INSERT INTO audit_entries (id, at, team, subject, credential, door, request_id, address, action, resource, outcome,
             http_status, code, duration_ms, operation, provider_request_id, parameters)
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::text[], $14::int[], $15::uuid[], $16::text[],
             $17::jsonb[])",
    )
    .bind(entries.iter().map(|entry| entry.id.uuid()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
    .bind(column(|entry| entry.team.as_ref().map(ToString::to_string)))
    .bind(column(|entry| Some(entry.subject.clone())))
    .bind(column(|entry| entry.credential.clone()))
    .bind(column(|entry| Some(entry.door.clone())))
    .bind(column(|entry| Some(entry.request_id.clone())))
    .bind(column(|entry| entry.address.map(|address| address.to_string())))
    .bind(column(|entry| Some(entry.action.clone())))
    .bind(column(|entry| entry.resource.clone()))
    .bind(column(|entry| Some(entry.outcome.as_str().to_owned())))
    .bind(entries.iter().map(|entry| entry.http_status).collect::<Vec<_>>())
    .bind(column(|entry| entry.code.clone()))
    .bind(entries.iter().map(|entry| entry.duration_ms).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.operation.map(OperationId::uuid)).collect::<Vec<_>>())
    .bind(column(|entry| entry.provider_request_id.clone()))
    .bind(parameters)
    .execute(connection)
    .await?;
    Ok(())
}
