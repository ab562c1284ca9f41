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

/// A signed statement about the audit's Merkle tree (RFC 6962) at one size. Keep some checkpoints: with one, you can
/// prove that nothing that it covers was altered since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditCheckpoint)]
pub struct CheckpointView {
    /// The name of the log.
    pub origin: String,
    /// The number of leaves that the checkpoint covers. They are the entries of all teams.
    pub tree_size: i64,
    /// The root hash of the tree, in base64.
    pub root_hash: String,
    /// The tree size of the previous checkpoint; 0 for the first.
    pub previous_size: i64,
    /// When the checkpoint was created.
    pub recorded_at: DateTime<Utc>,
    /// The signed note (C2SP signed-note and tlog-checkpoint, Ed25519), exactly as it was signed.
    pub note: String,
}

/// The proof that an audit entry is in the tree of a checkpoint (RFC 6962, 2.1.1). Of other entries it contains only
/// hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditInclusionProof)]
pub struct InclusionProofView {
    /// The id of the audit entry, `ae_…`.
    pub audit_entry_id: String,
    /// The position of the leaf in the tree, counted from 0.
    pub leaf_index: i64,
    /// The hash of the leaf in base64: SHA-256 of the byte 0 followed by the leaf data.
    pub leaf_hash: String,
    /// The data of the leaf in base64: the canonical bytes of the entry, version 1.
    pub leaf_data: String,
    /// The audit path from the leaf to the root, each hash in base64.
    pub hashes: Vec<String>,
    /// The checkpoint whose tree contains the entry.
    pub checkpoint: CheckpointView,
}

/// The proof that the tree of a checkpoint begins with the tree of an earlier one (RFC 6962, 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditConsistencyProof)]
pub struct ConsistencyProofView {
    /// The size of the earlier tree.
    pub first_size: i64,
    /// The hashes of the proof, each in base64. Empty if both trees are the same.
    pub hashes: Vec<String>,
    /// The checkpoint of the later tree.
    pub checkpoint: CheckpointView,
}

/// A record of who did what, when, and with what outcome. It is written once and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    /// The id of the audit entry, `ae_…`.
    pub id: String,
    /// Whether the entry is proven to be as a gateway of this log wrote it: its stamp is valid, or a signed
    /// checkpoint covers it. `false` means that somebody with access to the database added or altered it; report that
    /// to the platform's operator.
    pub verified: bool,
    /// When the entry was written.
    pub recorded_at: DateTime<Utc>,
    /// The team that the entry belongs to. Absent if it belongs to none: a worker acted on something that all teams
    /// share, or the team could not be determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// The subject that acted: the subject of a token, `api_key:…`, `access_key:…` or `worker:…`. It is also given
    /// for a request that was refused because of its credential, if the credential was recognized. `anonymous` means
    /// that the subject could not be determined.
    pub subject: String,
    /// The id of the credential that was used; never the credential itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credential_id: Option<String>,
    /// The interface through which the action came: `rest`, `rpc`, `cli` or `worker`.
    pub door: String,
    /// The id of the request.
    pub request_id: String,
    /// The client's address: that of the peer, or the one that a trusted proxy reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<String>,
    /// The action: an operation id of this API, or an action of a worker.
    pub action: String,
    /// The id of the resource that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource: Option<String>,
    /// The outcome: `accepted`, `succeeded`, `refused` or `failed`.
    pub outcome: String,
    /// The HTTP status of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// The code of the refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Milliseconds from the arrival of the request to this entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_ms: Option<i32>,
    /// Milliseconds from when the last call to the cloud was signed to its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cloud_ms: Option<i32>,
    /// The operation that the entry belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation_id: Option<String>,
    /// The cloud's RequestId.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_request_id: Option<String>,
    /// The parameters of the request: those on an allow-list in clear text, all others as keyed hashes (`hmac:…`).
    pub parameters: BTreeMap<String, String>,
}
