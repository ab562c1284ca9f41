//! Why the audit cannot be sealed: told by the sealer, and by readiness for checkpoints that are not good.

use crate::app::Error;

/// Why nothing can be sealed: somebody has altered what is sealed already, or another key is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::app) enum SealError {
    /// There are checkpoints, and none that was signed with a key that is configured.
    #[error("no audit checkpoint has a valid signature by a key of this gateway: run `audit verify`")]
    Checkpoint,
    /// A leaf where the next one belongs: whoever added it has no key, or not ours.
    #[error(
        "the audit is no longer sealed: leaf {0} exists already, and no valid checkpoint covers it: run `audit \
         verify`, and if the key was changed, set ECG_KEYS_AUDIT_PREVIOUS"
    )]
    Stray(i64),
    /// The stored subtrees do not give the signed root.
    #[error("the audit's tree does not match its newest checkpoint: run `audit verify`")]
    Tree,
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::Internal(error.into())
    }
}
