//! Checkpoints and proofs of the audit as clients see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
