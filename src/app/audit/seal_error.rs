//! Why the audit log cannot be sealed, as reported by the sealer and by readiness.

use crate::app::Error;

/// Why nothing can be sealed: somebody altered what is already sealed, or another key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::app) enum SealError {
    /// There are checkpoints, but a configured key signed none of them.
    #[error("no audit checkpoint has a valid signature by a key of this gateway: run `audit verify`")]
    Checkpoint,
    /// A leaf already exists where the next one belongs: whoever added it has no key, or not ours.
    #[error(
        "the audit is no longer sealed: leaf {0} exists already, and no valid checkpoint covers it: run `audit \
         verify`, and if the key was changed, set ECG_KEYS_AUDIT_PREVIOUS"
    )]
    Stray(i64),
    /// The stored subtrees do not produce the signed root.
    #[error("the audit's tree does not match its newest checkpoint: run `audit verify`")]
    Tree,
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(error.into())
    }
}
