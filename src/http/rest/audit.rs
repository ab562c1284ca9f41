//! The audit: entries, exports, checkpoints and proofs.

pub(super) mod entries;
pub(super) mod export;
pub(super) mod proofs;
