//! Audit entries, checkpoints and proofs as clients see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An entry, and whether a gateway of this log wrote it.
#[derive(Debug)]
pub(in crate::app) struct JudgedEntry {
    pub(in crate::app) found: crate::store::NumberedEntry,
    pub(in crate::app) verified: bool,
}

/// A signed statement about the audit's Merkle tree (RFC 6962) at one size. Keep some: whoever has one can show that
/// nothing that it covers was altered since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditCheckpoint)]
pub struct CheckpointView {
    /// Which log.
    pub origin: String,
    /// How many leaves it covers: the entries of all teams.
    pub tree_size: i64,
    /// The root's hash, in base64.
    pub root_hash: String,
    /// The size of the checkpoint before; 0 for the first.
    pub previous_size: i64,
    /// When it was made.
    pub recorded_at: DateTime<Utc>,
    /// The signed note (C2SP signed-note and tlog-checkpoint, Ed25519), exactly as it was signed.
    pub note: String,
}

/// The proof that an audit entry is in the tree of a checkpoint (RFC 6962, 2.1.1). It holds hashes of other entries, and
/// nothing else of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditInclusionProof)]
pub struct InclusionProofView {
    /// The entry, `ae_…`.
    pub audit_entry_id: String,
    /// Its place in the tree, from 0.
    pub leaf_index: i64,
    /// SHA-256 of the byte 0 and the leaf data, in base64.
    pub leaf_hash: String,
    /// The entry's canonical bytes, version 1, in base64: what the leaf was made of.
    pub leaf_data: String,
    /// The audit path, from the leaf to the root, each hash in base64.
    pub hashes: Vec<String>,
    /// The checkpoint.
    pub checkpoint: CheckpointView,
}

/// The proof that the tree of a checkpoint begins with that of an earlier one (RFC 6962, 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditConsistencyProof)]
pub struct ConsistencyProofView {
    /// The earlier tree's size.
    pub first_size: i64,
    /// The proof, each hash in base64; empty where both are the same tree.
    pub hashes: Vec<String>,
    /// The later tree's checkpoint.
    pub checkpoint: CheckpointView,
}

/// Who did what, when, with what outcome. Written once, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    /// The gateway's id, `ae_…`.
    pub id: String,
    /// Whether a gateway of this log wrote it as it is: its stamp holds, or a signed checkpoint covers it. `false`: somebody
    /// with the database added or altered it, and the platform's operator should hear of it.
    pub verified: bool,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Of which team; absent where it is of none: a worker's act on what all share, or of who could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// Who: a token's subject, `api_key:…`, `access_key:…` or `worker:…`; of a request that was refused for its credential,
    /// too, if that was recognized. `anonymous`: who could not be told.
    pub subject: String,
    /// Which credential; never the credential itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credential_id: Option<String>,
    /// Through which door: `rest`, `rpc`, `cli` or `worker`.
    pub door: String,
    /// The request.
    pub request_id: String,
    /// The client's address: the peer's, or what a trusted proxy says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<String>,
    /// What: the API's operation id, or a worker's act.
    pub action: String,
    /// On what.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource: Option<String>,
    /// `accepted`, `succeeded`, `refused` or `failed`.
    pub outcome: String,
    /// The HTTP status that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// The code of a refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Milliseconds from the request's arrival to this entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_ms: Option<i32>,
    /// Milliseconds from the signing of the last call to the cloud to its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cloud_ms: Option<i32>,
    /// The operation behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation_id: Option<String>,
    /// The cloud's RequestId.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_request_id: Option<String>,
    /// What was asked: parameters of an allow-list in clear, others as keyed hashes (`hmac:…`).
    pub parameters: BTreeMap<String, String>,
}
