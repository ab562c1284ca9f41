//! Why a credential is refused: a closed list with stable codes.
//!
//! A refusal may be shown to whoever sent the credential, so it names the rule and never a value: no key, no id of
//! another team, nothing that the token said.

/// Why a request has no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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
    #[error("the token's header demands an extension that is not supported")]
    UnsupportedHeader,
    /// `typ` is neither `JWT` nor `at+jwt`.
    #[error("the token is not of type JWT or at+jwt")]
    WrongType,
    /// `alg` is not one of ours, or not the one of its key.
    #[error("the token's algorithm is not accepted for its key")]
    WrongAlgorithm,
    /// No key has the token's `kid`.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The issuer's keys could not be fetched yet. Try again later.
    #[error("the issuer's keys are not available at the moment")]
    KeysUnavailable,
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A claim that we need is absent.
    #[error("the token lacks the claim {0}")]
    MissingClaim(&'static str),
    /// A claim has the wrong type, is empty or too long.
    #[error("the token's claim {0} cannot be used")]
    BadClaim(&'static str),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It lives longer than we allow.
    #[error("the token's lifetime is longer than allowed")]
    LifetimeTooLong,
    /// `iss` is another.
    #[error("the token is from another issuer")]
    WrongIssuer,
    /// `aud` does not name us.
    #[error("the token is for another audience")]
    WrongAudience,
    /// It names no team.
    #[error("the token names no team")]
    NoTeam,
    /// It names several teams, and the request does not say which.
    #[error("the token names several teams: say which with X-Team")]
    TeamRequired,
    /// The request asks for a team that the credential is not for.
    #[error("the credential does not name the team in X-Team")]
    WrongTeam,
    /// It was revoked, or everything of its subject from before its time was.
    #[error("the token was revoked")]
    Revoked,
    /// An API key whose form or checksum is wrong.
    #[error("the API key is not complete or mistyped: its checksum is wrong")]
    KeyMalformed,
    /// There is no such API key, or its secret is another.
    #[error("the API key is not known")]
    KeyUnknown,
    /// The API key was revoked.
    #[error("the API key was revoked")]
    KeyRevoked,
    /// The API key's time is over, or that of the secret before its last rotation.
    #[error("the API key has expired, or was rotated and its old secret's time is over")]
    KeyExpired,
}

impl Refusal {
    /// A stable word for machines, logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::UnsupportedHeader => "token_unsupported_header",
            Self::WrongType => "token_wrong_type",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
            Self::BadSignature => "token_bad_signature",
            Self::MissingClaim(_) => "token_missing_claim",
            Self::BadClaim(_) => "token_bad_claim",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::LifetimeTooLong => "token_lifetime_too_long",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::NoTeam => "no_team",
            Self::TeamRequired => "team_required",
            Self::WrongTeam => "wrong_team",
            Self::Revoked => "token_revoked",
            Self::KeyMalformed => "api_key_malformed",
            Self::KeyUnknown => "api_key_unknown",
            Self::KeyRevoked => "api_key_revoked",
            Self::KeyExpired => "api_key_expired",
        }
    }
}
