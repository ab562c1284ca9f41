//! An audit entry as its row stores it, and the canonical bytes of the whole row, which make a leaf of the Merkle tree.
//!
//! # The bytes, version 1
//!
//! Numbers are big-endian. A *text* is its length in bytes as 4 bytes, then UTF-8. Every field of the body begins with
//! one byte: 0 if it is absent (nothing follows), 1 if it is present. The body, in this order:
//!
//! | field | value |
//! |---|---|
//! | `id` | the 16 bytes of the UUID |
//! | `at` | microseconds since 1970-01-01T00:00:00Z, 8 bytes, two's complement |
//! | `team`, `subject`, `credential`, `door`, `request_id`, `address`, `action`, `resource`, `outcome` | text |
//! | `http_status` | 8 bytes, two's complement |
//! | `code` | text |
//! | `duration_ms`, `cloud_ms` | 8 bytes, two's complement |
//! | `operation` | the 16 bytes of the UUID |
//! | `provider_request_id` | text |
//! | `parameters` | 4 bytes: how many; then name and value of each as texts, sorted by the names' bytes |
//!
//! The *stamp* is HMAC-SHA256 of the byte 1 and the body, under the audit key's stamping key. The *leaf data* are the
//! byte 1, the number (`seq`, 8 bytes), the transaction (`txid`, 8 bytes), the body, and the stamp as a field (0, or 1
//! and its bytes as a text). The leaf's hash is SHA-256 of the byte 0 and the leaf data (RFC 6962).
//!
//! What must stay true: two rows that differ in any column have different bytes; the bytes of version 1 never change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::AuditEntry;
use crate::domain::ids::OperationId;

mod text;

/// The version of the encoding: the first byte of stamped bytes and of leaf data.
pub const VERSION: u8 = 1;

/// What the gateway knows of an entry when it writes it, in the column's own types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the column of the same name, which AuditEntry explains")]
pub struct AuditBody {
    #[serde(with = "text::uuid")]
    pub id: Uuid,
    pub at_micros: i64,
    pub team: Option<String>,
    pub subject: String,
    pub credential: Option<String>,
    pub door: String,
    pub request_id: String,
    pub address: Option<String>,
    pub action: String,
    pub resource: Option<String>,
    pub outcome: String,
    pub http_status: Option<i32>,
    pub code: Option<String>,
    pub duration_ms: Option<i32>,
    pub cloud_ms: Option<i32>,
    #[serde(with = "text::some_uuid")]
    pub operation: Option<Uuid>,
    pub provider_request_id: Option<String>,
    pub parameters: BTreeMap<String, String>,
}

/// A whole row of `audit_entries`; as JSON, one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// `seq`: the order in which numbers were assigned, not the order of the commits.
    pub number: i64,
    /// The transaction that wrote it; 0 for rows written before stamps existed.
    pub txid: i64,
    /// All fields that the gateway itself writes.
    #[serde(flatten)]
    pub body: AuditBody,
    /// The HMAC over the body, which proves that the gateway wrote it; none for rows written before stamps existed.
    #[serde(with = "text::base64")]
    pub stamp: Option<Vec<u8>>,
}

impl From<&AuditEntry> for AuditBody {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id.uuid(),
            at_micros: entry.at.timestamp_micros(),
            team: entry.team.as_ref().map(ToString::to_string),
            subject: entry.subject.clone(),
            credential: entry.credential.clone(),
            door: entry.door.clone(),
            request_id: entry.request_id.clone(),
            address: entry.address.map(|address| address.to_string()),
            action: entry.action.clone(),
            resource: entry.resource.clone(),
            outcome: entry.outcome.as_str().to_owned(),
            http_status: entry.http_status,
            code: entry.code.clone(),
            duration_ms: entry.duration_ms,
            cloud_ms: entry.cloud_ms,
            operation: entry.operation.map(OperationId::uuid),
            provider_request_id: entry.provider_request_id.clone(),
            parameters: entry.parameters.clone(),
        }
    }
}

impl AuditBody {
    /// The bytes that are stamped.
    pub fn stamped_bytes(&self) -> Vec<u8> {
        let mut to = Encoder(vec![VERSION]);
        to.body(self);
        to.0
    }
}

impl AuditRecord {
    /// The leaf data: everything in the row.
    pub fn leaf_data(&self) -> Vec<u8> {
        let mut to = Encoder(vec![VERSION]);
        to.0.extend(self.number.to_be_bytes());
        to.0.extend(self.txid.to_be_bytes());
        to.body(&self.body);
        to.field(self.stamp.as_deref(), Encoder::bytes);
        to.0
    }
}

struct Encoder(Vec<u8>);

impl Encoder {
    fn body(&mut self, body: &AuditBody) {
        self.field(Some(body.id), Self::uuid);
        self.field(Some(body.at_micros), Self::number);
        self.text(body.team.as_deref());
        self.text(Some(&body.subject));
        self.text(body.credential.as_deref());
        self.text(Some(&body.door));
        self.text(Some(&body.request_id));
        self.text(body.address.as_deref());
        self.text(Some(&body.action));
        self.text(body.resource.as_deref());
        self.text(Some(&body.outcome));
        self.field(body.http_status.map(i64::from), Self::number);
        self.text(body.code.as_deref());
        self.field(body.duration_ms.map(i64::from), Self::number);
        self.field(body.cloud_ms.map(i64::from), Self::number);
        self.field(body.operation, Self::uuid);
        self.text(body.provider_request_id.as_deref());
        self.field(Some(&body.parameters), Self::pairs);
    }

    fn field<T>(&mut self, value: Option<T>, write: impl Fn(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn text(&mut self, value: Option<&str>) {
        self.field(value.map(str::as_bytes), Self::bytes);
    }

    fn uuid(&mut self, uuid: Uuid) {
        self.0.extend(uuid.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    fn pairs(&mut self, pairs: &BTreeMap<String, String>) {
        self.length(pairs.len());
        for (name, value) in pairs {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend(bytes);
    }

    /// A column holds at most 1 GB, so the length always fits.
    fn length(&mut self, length: usize) {
        self.0.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
