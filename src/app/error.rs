//! Everything that can go wrong for a caller: one closed list that knows nothing about HTTP or any other transport.
//! Each API renders it once, in its own format; the cause of [`Error::Internal`] is logged there and never sent to the
//! client.

use crate::domain::failure::CloudError;
use crate::domain::field::FieldError;
use crate::domain::identity::caller::Scope;
use crate::domain::identity::token_exchange::ExchangeError;
use crate::domain::ids::OperationId;
use crate::domain::policy::Refusal;
use crate::domain::problem::Code;

/// Why a request was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential is missing or not valid.
    #[error("not authenticated: {detail}")]
    Unauthenticated {
        /// The code of the problem.
        code: Code,
        /// What is wrong, safe to show to the client.
        detail: String,
    },
    /// The credential has none of these scopes; any one of them would be enough.
    #[error("the scope {} is missing", Scope::any_of(.0))]
    Forbidden(&'static [Scope]),
    /// Like `Forbidden`, for a token that names the scope `admin`, which no longer exists.
    #[error("the scope {} is missing", Scope::any_of(.0))]
    ForbiddenToAdmin(&'static [Scope]),
    /// The key has these scopes, which the caller who asks for its secret does not have.
    #[error("the key has the scope {}, which the credential lacks", Scope::any_of(.0))]
    KeyHasMore(Vec<Scope>),
    /// The credential is valid, but gives access to nothing here.
    #[error("not admitted: {detail}")]
    NotAdmitted {
        /// The code of the problem.
        code: Code,
        /// Which condition does not hold, safe to show to the client.
        detail: String,
    },
    /// The keys of an issuer cannot be fetched, so its tokens cannot be checked.
    #[error("the keys of the issuer {issuer} are not available")]
    IssuerUnavailable {
        /// The issuer's name.
        issuer: String,
    },
    /// The resource does not exist, or belongs to another team: clients must not be able to tell the two apart.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Some fields of the request are not valid.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<FieldError>),
    /// The request is not possible in the current state.
    #[error("{detail}")]
    Conflict {
        /// The code of the problem.
        code: Code,
        /// What prevents the request.
        detail: String,
    },
    /// What was asked for existed, but is past its retention.
    #[error("{detail}")]
    NoLongerKept {
        /// The code of the problem.
        code: Code,
        /// What is gone, and how to continue.
        detail: &'static str,
    },
    /// A token that cannot be exchanged, or a request that does not follow RFC 8693.
    #[error("the token was not exchanged: {}", .0.detail)]
    Exchange(ExchangeError),
    /// `If-Match` names a version that is not the current one.
    #[error("the version is {current}")]
    PreconditionFailed {
        /// The current version.
        current: i64,
    },
    /// The idempotency key was used with a different request.
    #[error("the idempotency key was used with a different request")]
    IdempotencyMismatch,
    /// The first request with this idempotency key is still running.
    #[error("a request with this idempotency key is still running")]
    IdempotencyInFlight,
    /// The team's policy refuses the request.
    #[error("the policy refuses {} things", .refusals.len())]
    PolicyRefused {
        /// All reasons for the refusal.
        refusals: Vec<Refusal>,
        /// Who can change the policy, if known.
        contact: Option<String>,
    },
    /// The team is disabled, so all its requests are refused.
    #[error("the team is disabled")]
    TeamDisabled {
        /// Who can enable the team, if known.
        contact: Option<String>,
    },
    /// The cloud refused the request for good.
    #[error("the cloud refused with {}", .error.code)]
    CloudRefused {
        /// The cloud's error.
        error: CloudError,
        /// The operation that this ended; `None` if the request only read something.
        operation: Option<OperationId>,
    },
    /// The caller exceeds a limit.
    #[error("too many: {detail}")]
    TooMany {
        /// The code of the problem.
        code: Code,
        /// Which limit was exceeded.
        detail: &'static str,
        /// How many seconds to wait before trying again.
        retry_after_seconds: u32,
    },
    /// The gateway is overloaded, or something that it needs is unavailable.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// The code of the problem.
        code: Code,
        /// What is unavailable.
        detail: &'static str,
        /// How many seconds to wait before trying again.
        retry_after_seconds: u32,
    },
    /// A stored record has a form that this version does not know: another version of the gateway wrote it.
    #[error("a record of a different version")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault of the gateway itself.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The stable code for programs.
    pub fn code(&self) -> Code {
        match self {
            Self::Unauthenticated { code, .. }
            | Self::NotAdmitted { code, .. }
            | Self::Conflict { code, .. }
            | Self::NoLongerKept { code, .. }
            | Self::TooMany { code, .. }
            | Self::Unavailable { code, .. } => *code,
            Self::Exchange(fault) => fault.code,
            Self::IssuerUnavailable { .. } => Code::IssuerUnavailable,
            Self::Forbidden(_) | Self::ForbiddenToAdmin(_) => Code::ScopeMissing,
            Self::KeyHasMore(_) => Code::KeyHasMoreScopes,
            Self::NotFound(_) => Code::NotFound,
            Self::Invalid(_) => Code::InvalidRequest,
            Self::PreconditionFailed { .. } => Code::PreconditionFailed,
            Self::IdempotencyMismatch => Code::IdempotencyKeyReused,
            Self::IdempotencyInFlight => Code::IdempotencyInFlight,
            Self::PolicyRefused { .. } => Code::PolicyRefused,
            Self::TeamDisabled { .. } => Code::TeamDisabled,
            Self::CloudRefused { .. } => Code::CloudRefused,
            Self::Unreadable(_) => Code::RecordOfAnotherVersion,
            Self::Internal(_) => Code::InternalError,
        }
    }
}

impl From<Vec<FieldError>> for Error {
    fn from(fields: Vec<FieldError>) -> Self {
        Self::Invalid(fields)
    }
}
