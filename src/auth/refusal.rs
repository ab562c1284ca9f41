//! Why a credential is refused: a closed list with stable codes.
//!
//! A refusal may be shown to whoever sent the credential, so it names the rule and never a value: no key, no id of
//! another team, no content of the token. For a token with a valid signature it says which claim is wrong, and where
//! the expected value is configured. What an issuer's rule expects is only for operators ([`super::explain`]), because
//! with some issuers anybody in the world can get a signed token.

use std::borrow::Cow;
use std::fmt;

use crate::domain::identity::issuer::explanation::TriedRule;
use crate::domain::problem::Code;

/// The maximum number of rules that a refusal lists.
const MAX_RULES: usize = 10;

/// Why a request is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There is no token.
    #[error("a bearer token is required")]
    Missing,
    /// Longer than 8 KiB.
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// Not three base64url parts holding two JSON objects.
    #[error("the token is not a well-formed JWT")]
    Malformed,
    /// A header that changes how the token must be processed (`crit`, `b64`, `zip`, `enc`, `cty`).
    #[error("the token's header requires an extension that is not supported")]
    UnsupportedHeader,
    /// `typ` is neither `JWT` nor `at+jwt`.
    #[error("the token is not of type JWT or at+jwt")]
    WrongType,
    /// `alg` is not supported, or not the one of its key.
    #[error("the token's algorithm is not accepted for its key")]
    WrongAlgorithm,
    /// No key has the token's `kid`.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The keys of the issuer with that name have not been fetched yet, or not for too long. Try again later.
    #[error("the keys of the issuer {0} are not available at the moment")]
    KeysUnavailable(String),
    /// The signature does not match the key.
    #[error("the token's signature is invalid")]
    BadSignature,
    /// A required claim is absent: which one, and what it is for.
    #[error("the token lacks the claim {0}: {1}")]
    MissingClaim(&'static str, String),
    /// A claim has the wrong type, is empty or too long: which one, and what it must be.
    #[error("the token's claim {0} cannot be used: {1}")]
    BadClaim(Cow<'static, str>, String),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its lifetime is longer than allowed.
    #[error("the token's lifetime is longer than allowed")]
    LifetimeTooLong,
    /// `iss` is not a configured issuer.
    #[error(
        "the token is from an unknown issuer: its claim iss must be exactly ECG_AUTH_ISSUER, or the issuer of an \
         entry in ECG_AUTH_ISSUERS_FILE or /v1/issuers, including a trailing slash"
    )]
    WrongIssuer,
    /// `aud` does not name us, or it was issued for another client than expected.
    #[error("the token is for a different audience: {0}")]
    WrongAudience(String),
    /// No rule of its issuer matches.
    #[error("{0}")]
    NoRule(Box<NoRule>),
    /// The matching rule finds no team.
    #[error("the token names no team: {0}")]
    NoTeam(String),
    /// It is for several teams, and the request does not say which.
    #[error("the token names several teams, by {0}: choose one with X-Team")]
    TeamRequired(String),
    /// The request is for a team that the credential is not for.
    #[error("the credential is not for the team in X-Team: {0}")]
    WrongTeam(String),
    /// It was revoked, or everything of its subject issued up to some time was.
    #[error("the token was revoked")]
    Revoked,
    /// One of our tokens whose issuer or rule has been changed or removed since.
    #[error("the rule by which the token was issued was changed or removed: exchange a new one")]
    RuleChanged,
    /// An API key with an invalid format or checksum.
    #[error("the API key is incomplete or mistyped: its checksum is wrong")]
    KeyMalformed,
    /// There is no such API key, or its secret is wrong.
    #[error("the API key is unknown")]
    KeyUnknown,
    /// The API key was revoked.
    #[error("the API key was revoked")]
    KeyRevoked,
    /// The API key has expired, or the secret from before its last rotation has.
    #[error("the API key has expired, or was rotated and its old secret is no longer valid")]
    KeyExpired,
}

/// The rules of an issuer, none of which matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRule {
    /// The issuer's name.
    pub issuer: String,
    /// Every rule, with the conditions that are not met.
    pub tried: Vec<TriedRule>,
}

impl fmt::Display for NoRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no rule of the issuer {} matches the token:", self.issuer)?;
        for (place, one) in self.tried.iter().take(MAX_RULES).enumerate() {
            let pointers: Vec<&str> = one.failed.iter().map(|failed| failed.pointer.as_str()).collect();
            let mark = if place == 0 { "" } else { ";" };
            write!(f, "{mark} rule {} does not match on {}", one.rule, pointers.join(", "))?;
        }
        let more = self.tried.len().saturating_sub(MAX_RULES);
        if more > 0 { write!(f, "; and {more} more rules") } else { Ok(()) }
    }
}

impl TokenRefusal {
    /// The code of the problem.
    pub fn code(&self) -> Code {
        match self {
            Self::Missing => Code::TokenMissing,
            Self::TooLong => Code::TokenTooLong,
            Self::Malformed => Code::TokenMalformed,
            Self::UnsupportedHeader => Code::TokenUnsupportedHeader,
            Self::WrongType => Code::TokenWrongType,
            Self::WrongAlgorithm => Code::TokenWrongAlgorithm,
            Self::UnknownKey => Code::TokenUnknownKey,
            Self::KeysUnavailable(_) => Code::IssuerUnavailable,
            Self::BadSignature => Code::TokenBadSignature,
            Self::MissingClaim(..) => Code::TokenMissingClaim,
            Self::BadClaim(..) => Code::TokenBadClaim,
            Self::Expired => Code::TokenExpired,
            Self::NotYetValid => Code::TokenNotYetValid,
            Self::LifetimeTooLong => Code::TokenLifetimeTooLong,
            Self::WrongIssuer => Code::TokenWrongIssuer,
            Self::WrongAudience(_) => Code::TokenWrongAudience,
            Self::NoRule(_) => Code::NoRuleMatches,
            Self::NoTeam(_) => Code::NoTeam,
            Self::TeamRequired(_) => Code::TeamRequired,
            Self::WrongTeam(_) => Code::WrongTeam,
            Self::Revoked => Code::TokenRevoked,
            Self::RuleChanged => Code::RuleChanged,
            Self::KeyMalformed => Code::ApiKeyMalformed,
            Self::KeyUnknown => Code::ApiKeyUnknown,
            Self::KeyRevoked => Code::ApiKeyRevoked,
            Self::KeyExpired => Code::ApiKeyExpired,
        }
    }
}
