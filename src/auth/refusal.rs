//! Why a credential is refused: a closed list with stable codes.
//!
//! A refusal may be shown to whoever sent the credential, so it names the rule and never a value: no key, no id of
//! another team, nothing that the token said. Of a token whose signature is good it says which claim, and where what is
//! expected was said; what an issuer's rule expects is for operators ([`super::explain`]), since with some issuers
//! anybody in the world has a signed token.

use std::borrow::Cow;
use std::fmt;

use crate::domain::identity::issuer::explanation::TriedRule;

/// The most rules that a refusal lists.
const MAX_RULES: usize = 10;

/// Why a request has no caller.
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
    /// A header that changes how the token is to be read (`crit`, `b64`, `zip`, `enc`, `cty`).
    #[error("the token's header requires an extension that is not supported")]
    UnsupportedHeader,
    /// `typ` is neither `JWT` nor `at+jwt`.
    #[error("the token is not of type JWT or at+jwt")]
    WrongType,
    /// `alg` is not one of ours, or not the one of its key.
    #[error("the token's algorithm is not accepted for its key")]
    WrongAlgorithm,
    /// No key has the token's `kid`.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The keys of the issuer of that name could not be fetched yet, or for too long. Try again later.
    #[error("the keys of the issuer {0} are not available at the moment")]
    KeysUnavailable(String),
    /// The signature is not the key's.
    #[error("the token's signature is invalid")]
    BadSignature,
    /// A claim that we need is absent: which, and what it is for.
    #[error("the token lacks the claim {0}: {1}")]
    MissingClaim(&'static str, String),
    /// A claim has the wrong type, is empty or too long: which, and what it must be.
    #[error("the token's claim {0} cannot be used: {1}")]
    BadClaim(Cow<'static, str>, String),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives longer than we allow.
    #[error("the token's lifetime is longer than allowed")]
    LifetimeTooLong,
    /// `iss` is no configured issuer's.
    #[error(
        "the token is from an unknown issuer: its claim iss must be exactly ECG_AUTH_ISSUER, or the issuer of an \
         entry in ECG_AUTH_ISSUERS_FILE or /v1/issuers, including a trailing slash"
    )]
    WrongIssuer,
    /// `aud` does not name us, or another client is named than is expected.
    #[error("the token is for a different audience: {0}")]
    WrongAudience(String),
    /// No rule of its issuer matches.
    #[error("{0}")]
    NoRule(Box<NoRule>),
    /// The rule that matches finds no team.
    #[error("the token names no team: {0}")]
    NoTeam(String),
    /// It names several teams, and the request does not say which.
    #[error("the token names several teams, by {0}: choose one with X-Team")]
    TeamRequired(String),
    /// The request asks for a team that the credential is not for.
    #[error("the credential is not for the team in X-Team: {0}")]
    WrongTeam(String),
    /// It was revoked, or everything of its subject from before its time was.
    #[error("the token was revoked")]
    Revoked,
    /// A token of ours whose issuer or rule says something else by now, or is gone.
    #[error("the rule by which the token was issued was changed or removed: exchange a new one")]
    RuleChanged,
    /// An API key whose form or checksum is wrong.
    #[error("the API key is incomplete or mistyped: its checksum is wrong")]
    KeyMalformed,
    /// There is no such API key, or its secret is another.
    #[error("the API key is unknown")]
    KeyUnknown,
    /// The API key was revoked.
    #[error("the API key was revoked")]
    KeyRevoked,
    /// The API key's time is over, or that of the secret before its last rotation.
    #[error("the API key has expired, or was rotated and its old secret is no longer valid")]
    KeyExpired,
}

/// The rules of an issuer, none of which matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRule {
    /// The issuer's name.
    pub issuer: String,
    /// Every rule, with what did not hold.
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
    /// A stable word for machines, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::UnsupportedHeader => "token_unsupported_header",
            Self::WrongType => "token_wrong_type",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::KeysUnavailable(_) => "issuer_unavailable",
            Self::BadSignature => "token_bad_signature",
            Self::MissingClaim(..) => "token_missing_claim",
            Self::BadClaim(..) => "token_bad_claim",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::LifetimeTooLong => "token_lifetime_too_long",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience(_) => "token_wrong_audience",
            Self::NoRule(_) => "no_rule_matches",
            Self::NoTeam(_) => "no_team",
            Self::TeamRequired(_) => "team_required",
            Self::WrongTeam(_) => "wrong_team",
            Self::Revoked => "token_revoked",
            Self::RuleChanged => "rule_changed",
            Self::KeyMalformed => "api_key_malformed",
            Self::KeyUnknown => "api_key_unknown",
            Self::KeyRevoked => "api_key_revoked",
            Self::KeyExpired => "api_key_expired",
        }
    }
}
