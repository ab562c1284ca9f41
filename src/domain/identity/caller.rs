//! Who acts, for which team, with which scopes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::ids::ApiKeyId;

/// A team's id: 1 to 63 characters of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TeamId(String);

/// A text that cannot be a team id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 63 characters of a-z, 0-9, - and _, beginning with a letter or digit")]
pub struct TeamIdError;

impl TeamId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TeamId {
    type Err = TeamIdError;

    fn from_str(text: &str) -> Result<Self, TeamIdError> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if first && rest && text.len() <= 63 { Ok(Self(text.to_owned())) } else { Err(TeamIdError) }
    }
}

impl TryFrom<String> for TeamId {
    type Error = TeamIdError;

    fn try_from(text: String) -> Result<Self, TeamIdError> {
        text.parse()
    }
}

impl From<TeamId> for String {
    fn from(team: TeamId) -> Self {
        team.0
    }
}

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a credential may be used for. There are two kinds: scopes of the team that it acts for, and scopes of the
/// platform (`platform:…`), which hold for every team. No scope implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// See image caches, operations, transitions and events.
    Read,
    /// Create, update and delete image caches.
    Write,
    /// Manage webhook endpoints and see deliveries.
    Webhooks,
    /// Read the team's audit entries.
    Audit,
    /// Make, list, rotate and revoke the team's API keys and access keys, and revoke the team's tokens.
    Keys,
    /// See teams, policies, profiles, accounts, found image caches, and what all teams do and cost.
    PlatformRead,
    /// Change teams, policies and region profiles; adopt image caches.
    PlatformPolicy,
    /// Change cloud accounts and where their calls go.
    PlatformAccounts,
    /// Revoke credentials of any team, list and revoke any team's keys, change issuers.
    PlatformSecurity,
    /// Read the audit entries of all teams.
    PlatformAudit,
}

impl Scope {
    /// Every scope, in the order in which they are documented.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Write,
        Self::Webhooks,
        Self::Audit,
        Self::Keys,
        Self::PlatformRead,
        Self::PlatformPolicy,
        Self::PlatformAccounts,
        Self::PlatformSecurity,
        Self::PlatformAudit,
    ];
    /// The scopes of a team.
    pub const TEAM: [Self; 5] = [Self::Read, Self::Write, Self::Webhooks, Self::Audit, Self::Keys];
    /// The scopes of the platform.
    pub const PLATFORM: [Self; 5] =
        [Self::PlatformRead, Self::PlatformPolicy, Self::PlatformAccounts, Self::PlatformSecurity, Self::PlatformAudit];

    /// The message about the word `admin`, which used to be a scope.
    pub const IN_PLACE_OF_ADMIN: &str = "the scope admin was removed; platform:read, platform:policy, \
                                         platform:accounts, platform:security, platform:audit and keys replace it";

    /// The word for it in a token's `scope` claim.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Webhooks => "webhooks",
            Self::Audit => "audit",
            Self::Keys => "keys",
            Self::PlatformRead => "platform:read",
            Self::PlatformPolicy => "platform:policy",
            Self::PlatformAccounts => "platform:accounts",
            Self::PlatformSecurity => "platform:security",
            Self::PlatformAudit => "platform:audit",
        }
    }

    /// The scope with that name. Words of other systems are not an error.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether it is a scope of the platform.
    pub fn is_platforms(self) -> bool {
        Self::PLATFORM.contains(&self)
    }

    /// Joins scopes of which one is enough with "or", for messages.
    pub fn any_of(scopes: &[Self]) -> String {
        scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" or ")
    }

    /// The list of valid scope names, for error messages.
    pub fn allowed() -> String {
        format!("must be one of {}", Self::ALL.map(Self::as_str).join(", "))
    }
}

/// What ties an exchanged token to the token that was given for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// The `jti` of the new token.
    pub jti: String,
    /// The `jti` of the subject token, if it had one: revoking the subject token revokes the new one, too.
    pub subject_jti: Option<String>,
    /// The `iat` of the subject token, if it had one: a revocation of all tokens issued before an instant applies to
    /// it.
    pub subject_issued_at: Option<Instant>,
    /// A digest of the issuer and the rule at the time of the exchange: once they change, the token is no longer valid.
    pub seal: String,
}

/// What kind a credential is, with what is needed to revoke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialKind {
    /// A token of the identity provider.
    Token {
        /// The `jti` of the token, if it has one.
        jti: Option<String>,
        /// The `iat` of the token, if it has one.
        issued_at: Option<Instant>,
    },
    /// A token of our own, issued in exchange for one of an identity provider.
    Exchanged(Box<Bond>),
    /// An API key.
    ApiKey(ApiKeyId),
    /// An access key: checked anew for each request.
    AccessKey,
    /// No credential: the gateway continues what a caller has started.
    Own,
}

/// An authenticated caller, already bound to one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The team that it acts for. Every read and write is confined to it.
    pub team: TeamId,
    /// Who acts: the token's `sub`, or the key.
    pub subject: String,
    /// Which credential: the id of an API key or access key, the token's `jti`, or else its key id; never the
    /// credential itself.
    pub credential: String,
    /// The kind of the credential, which decides how it can be revoked.
    pub kind: CredentialKind,
    /// The scopes of the caller.
    pub scopes: Vec<Scope>,
    /// When the credential expires; none if it does not.
    pub expires_at: Option<Instant>,
    /// How a token was accepted; none for other credentials.
    pub provenance: Option<Box<Provenance>>,
}

/// How a token was accepted, as the audit records it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The name of the issuer.
    pub issuer: String,
    /// The rule of the issuer that matched.
    pub rule: String,
    /// The claims that the rule records, by JSON pointer: `/repository`, `/ref`.
    pub noted: BTreeMap<String, String>,
    /// Whether the token names the removed scope `admin`. Not stored.
    pub names_admin: bool,
}

impl Caller {
    /// Whether its token names the removed scope `admin`.
    pub fn names_admin(&self) -> bool {
        self.provenance.as_ref().is_some_and(|provenance| provenance.names_admin)
    }

    /// Whether the credential carries `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The credential, and for an exchanged token also the subject token: revoking either revokes what was made with
    /// this one.
    pub fn credentials(&self) -> Vec<String> {
        let exchanged_for = match &self.kind {
            CredentialKind::Exchanged(bond) => bond.subject_jti.clone(),
            _ => None,
        };
        std::iter::once(self.credential.clone()).chain(exchanged_for).collect()
    }

    /// Its subject and its credentials: what is stored of everyone who has ever seen a key's secret.
    pub fn known_as(&self) -> Vec<String> {
        std::iter::once(self.subject.clone()).chain(self.credentials()).collect()
    }

    /// Whether the credential carries one of `scopes`.
    pub fn may_one(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.may(*scope))
    }
}

/// Who a valid credential belongs to that was refused all the same: revoked, expired, or for another team. Enough to
/// name the holder in the audit, but not to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognized {
    /// The team; none if a token names none or several.
    pub team: Option<TeamId>,
    /// As in [`Caller`].
    pub subject: String,
    /// As in [`Caller`].
    pub credential: String,
}

impl From<&Caller> for Recognized {
    fn from(caller: &Caller) -> Self {
        let Caller { team, subject, credential, .. } = caller;
        Self { team: Some(team.clone()), subject: subject.clone(), credential: credential.clone() }
    }
}

/// The interface through which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The REST API.
    Rest,
    /// The cloud's own API, for unmodified SDKs.
    Rpc,
    /// The command line, which connects as the owner of the database.
    Cli,
    /// A worker of our own (tracker, deliverer, janitor, resumed operations).
    Worker,
}

impl Door {
    /// The word for it in audit entries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Rpc => "rpc",
            Self::Cli => "cli",
            Self::Worker => "worker",
        }
    }
}

/// Where a request came from: the fields that logs, audit entries and the cloud's log share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The interface through which the request came.
    pub door: Door,
    /// `X-Request-Id`, taken from the caller if valid, else generated. At most 64 characters.
    pub request_id: String,
    /// The client's address, if there is one: the peer's, or the one that a trusted proxy reports.
    pub address: Option<IpAddr>,
}
