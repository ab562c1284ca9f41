//! How a call to the cloud can go wrong, sorted by what we may do next.
//!
//! The sorting is what "never twice" rests on: only a fault that proves that nothing happened may be
//! tried again freely, and only a definitive refusal may be shown as one.

use serde::{Deserialize, Serialize};

/// What the cloud said in its error envelope. Texts are redacted and cut before they get here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudError {
    /// `Code`, for example `QuotaExceeded`.
    pub code: String,
    /// `Message`, without any echoed secret; at most 1,000 characters.
    pub message: String,
    /// `RequestId`, for a ticket with the cloud's support.
    pub request_id: Option<String>,
    /// The HTTP status. Sources disagree about these, so nothing is decided by it.
    pub http_status: u16,
    /// Which right is missing, where the cloud says it (`AccessDeniedDetail`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Box<MissingRight>>,
}

/// What the cloud says of a right that is missing. Each may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingRight {
    /// `AuthAction`: the right, such as `eci:CreateImageCache`. May be one that the action depends on.
    pub right: String,
    /// `NoPermissionType`: `ImplicitDeny` where nothing allows it, `ExplicitDeny` where a policy denies it.
    pub kind: String,
    /// `PolicyType`: which kind of policy decided, such as `ControlPolicy` of the resource directory.
    pub policy: String,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The cloud refused, and the same request will be refused again. Nothing was done.
    Refused(CloudError),
    /// The cloud wants fewer calls (`Throttling…`). Nothing was done; try later with the same token.
    Throttled(CloudError),
    /// The request never reached the cloud (no route, refused connection, unresolvable name).
    NotSent(String),
    /// Nobody knows whether it was done: timeout, reset, 5xx, an answer that cannot be read.
    Unknown(String),
}

impl CallError {
    /// The cloud's own error, where it gave one.
    pub fn cloud_error(&self) -> Option<&CloudError> {
        match self {
            Self::Refused(error) | Self::Throttled(error) => Some(error),
            Self::NotSent(_) | Self::Unknown(_) => None,
        }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "refused with {}: {}", error.code, error.message),
            Self::Throttled(error) => write!(f, "throttled with {}", error.code),
            Self::NotSent(reason) => write!(f, "not sent: {reason}"),
            Self::Unknown(reason) => write!(f, "outcome unknown: {reason}"),
        }
    }
}
