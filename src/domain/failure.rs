//! How a call to the cloud can fail, sorted by what we may do next.
//!
//! "Never twice" depends on this sorting: only a failure that proves that nothing happened may be retried freely, and
//! only a definitive refusal may be reported as one.

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
    /// The HTTP status. Sources disagree about these, so no decision depends on it.
    pub http_status: u16,
    /// Which right is missing, if the cloud says so (`AccessDeniedDetail`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Box<MissingRight>>,
}

/// What the cloud says about a missing right. Each field may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingRight {
    /// `AuthAction`: the right, such as `eci:CreateImageCache`. May be one that the action depends on.
    pub right: String,
    /// `NoPermissionType`: `ImplicitDeny` if nothing allows it, `ExplicitDeny` if a policy denies it.
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
    /// Nobody knows whether it was done: timeout, reset, 5xx, an unreadable answer.
    Unknown(String),
}

impl CallError {
    /// Whether the same call may well succeed in a moment. What the cloud refuses, it refuses again.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// The cloud's own error, if there is one.
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
