//! `audit_entries`: one row for each request, and for each thing that the gateway did by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::audit::record::{AuditBody, AuditRecord};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::store::StoreError;
use crate::store::columns::table;
use crate::store::values::{json, jsonb, word};

const TABLE: &str = "audit_entries";

/// An entry with its stamp. What is stamped is exactly what is written: both come from this body.
pub(in crate::store) struct Stamped {
    pub(in crate::store) body: AuditBody,
    pub(in crate::store) stamp: Option<Vec<u8>>,
    pub(in crate::store) at: Instant,
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
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
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
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
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

impl TryFrom<AuditRow> for NumberedEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        Ok(Self { number: row.seq, record: row.clone().try_into()?, entry: row.try_into()? })
    }
}

/// An entry and its number: the order in which entries were written.
#[derive(Debug, Clone)]
pub struct NumberedEntry {
    /// The entry's number.
    pub number: i64,
    /// The entry.
    pub entry: AuditEntry,
    /// Its row as it is stored, from which its stamp and its leaf were made.
    pub record: AuditRecord,
}
