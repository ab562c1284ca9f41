//! Everything that can go wrong for a caller: one closed list, without a word of any transport. Each door
//! renders it once, in its own shape; the cause behind [`Error::Internal`] is logged there and never shown.

use crate::domain::failure::CloudError;
use crate::domain::field::FieldError;
use crate::domain::identity::caller::Scope;
use crate::domain::identity::token_exchange::ExchangeError;
use crate::domain::ids::OperationId;
use crate::domain::policy::Refusal;

/// The code of what is asked of an audit entry before the sealer has come by.
pub(super) const NOT_SEALED: &str = "audit_entry_not_sealed";

/// A refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credential, or one that is not good.
    #[error("not authenticated: {detail}")]
    Unauthenticated {
        /// A stable word: `token_missing`, `token_expired`, …
        code: &'static str,
        /// What is wrong, safe to show.
        detail: String,
    },
    /// The credential has none of these scopes, one of which would be enough.
    #[error("the scope {} is missing", Scope::any_of(.0))]
    Forbidden(&'static [Scope]),
    /// The same, and its token names the scope `admin`, which is gone.
    #[error("the scope {} is missing", Scope::any_of(.0))]
    ForbiddenToAdmin(&'static [Scope]),
    /// A key has these scopes, which whoever wants its secret lacks.
    #[error("the key has the scope {}, which the credential lacks", Scope::any_of(.0))]
    KeyHasMore(Vec<Scope>),
    /// The credential is good, and nothing here is for it.
    #[error("not admitted: {detail}")]
    NotAdmitted {
        /// A stable word: `no_rule_matches`.
        code: &'static str,
        /// What does not hold, safe to show.
        detail: String,
    },
    /// The keys of an issuer cannot be had, so that its tokens cannot be checked.
    #[error("the keys of the issuer {issuer} are not available")]
    IssuerUnavailable {
        /// Its name.
        issuer: String,
    },
    /// Absent, or another team's: the two must not be told apart.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Fields that are not allowed.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<FieldError>),
    /// Not possible in the present state.
    #[error("{detail}")]
    Conflict {
        /// A stable word: `operation_in_progress`, `image_cache_not_updatable`, …
        code: &'static str,
        /// What is in the way.
        detail: String,
    },
    /// It was there, and is no longer kept.
    #[error("{detail}")]
    NoLongerKept {
        /// A stable word: `events_no_longer_kept`, …
        code: &'static str,
        /// What is gone, and how to go on.
        detail: &'static str,
    },
    /// A token that cannot be exchanged, or is asked for in another way than RFC 8693 knows.
    #[error("the token was not exchanged: {}", .0.detail)]
    Exchange(ExchangeError),
    /// `If-Match` names another version.
    #[error("the version is {current}")]
    PreconditionFailed {
        /// The version as it is.
        current: i64,
    },
    /// The key was used with another request.
    #[error("the idempotency key was used with a different request")]
    IdempotencyMismatch,
    /// The first request with this key is still running.
    #[error("a request with this idempotency key is still running")]
    IdempotencyInFlight,
    /// The team's policy does not let it through.
    #[error("the policy refuses {} things", .refusals.len())]
    PolicyRefused {
        /// Everything that it refuses.
        refusals: Vec<Refusal>,
        /// Who can change it.
        contact: Option<String>,
    },
    /// The team's requests are refused, whatever they are.
    #[error("the team is disabled")]
    TeamDisabled {
        /// Who can change it.
        contact: Option<String>,
    },
    /// The cloud refused for good.
    #[error("the cloud refused with {}", .error.code)]
    CloudRefused {
        /// What it said.
        error: CloudError,
        /// The operation that ended with it; none where only something was read.
        operation: Option<OperationId>,
    },
    /// More than the caller may have at once.
    #[error("too many: {detail}")]
    TooMany {
        /// A stable word: `too_many_streams`, …
        code: &'static str,
        /// Of what.
        detail: &'static str,
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// Too much to do, or something needed is away: try later.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// A stable word: `database_unavailable`, `audit_unavailable`, `shutting_down`, …
        code: &'static str,
        /// What is away.
        detail: &'static str,
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// The record holds what this version does not know: another one wrote it.
    #[error("a record of a different version")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our own fault.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The stable word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated { code, .. }
            | Self::NotAdmitted { code, .. }
            | Self::Conflict { code, .. }
            | Self::NoLongerKept { code, .. }
            | Self::TooMany { code, .. }
            | Self::Unavailable { code, .. } => code,
            Self::Exchange(fault) => fault.code,
            Self::IssuerUnavailable { .. } => "issuer_unavailable",
            Self::Forbidden(_) | Self::ForbiddenToAdmin(_) => "scope_missing",
            Self::KeyHasMore(_) => "key_has_more_scopes",
            Self::NotFound(_) => "not_found",
            Self::Invalid(_) => "invalid_request",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::IdempotencyMismatch => "idempotency_key_reused",
            Self::IdempotencyInFlight => "idempotency_in_flight",
            Self::PolicyRefused { .. } => "policy_refused",
            Self::TeamDisabled { .. } => "team_disabled",
            Self::CloudRefused { .. } => "cloud_refused",
            Self::Unreadable(_) => "record_of_another_version",
            Self::Internal(_) => "internal_error",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::IdempotencyInFlight | Self::TooMany { .. } | Self::Unavailable { .. })
            || matches!(self, Self::IssuerUnavailable { .. } | Self::Unreadable(_) | Self::Internal(_))
            || matches!(self, Self::Conflict { code, .. } if ["operation_in_progress", NOT_SEALED].contains(code))
    }
}

impl From<Vec<FieldError>> for Error {
    fn from(fields: Vec<FieldError>) -> Self {
        Self::Invalid(fields)
    }
}
