//! Tokens that are refused although their signature is good: one by its `jti`, or all of a subject that were issued
//! before an instant.
//!
//! What must stay true: a token that does not say when it was issued counts as issued before. A revocation is kept as
//! long as a token that it can be about may live, and a while longer. Called by `app`.

use std::collections::{HashMap, HashSet};

use chrono::Duration;

use super::caller::CredentialKind;
use super::clock::Instant;
use super::ids::RevocationId;

/// How many may be in force at once: every gateway holds all of them in memory.
pub const MAX_REVOCATIONS: i64 = 10_000;
/// How long one is in force: longer than any token may live, which is 7 days at most.
pub const KEPT: Duration = Duration::days(8);
/// The longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 256;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The token with this `jti`.
    Token(String),
    /// Every token of a subject from before an instant.
    Subject {
        /// `sub`.
        subject: String,
        /// Tokens with an earlier `iat` are refused.
        issued_before: Instant,
    },
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Ours.
    pub id: RevocationId,
    /// Of what.
    pub target: Target,
    /// For people.
    pub reason: Option<String>,
    /// The subject of who made it.
    pub created_by: String,
    /// When.
    pub created_at: Instant,
    /// When it is forgotten, as every token that it is about has ended by then.
    pub kept_until: Instant,
}

/// All revocations in force, as every request meets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedTokens {
    tokens: HashSet<String>,
    subjects: HashMap<String, Instant>,
}

impl RevokedTokens {
    /// These. Of several about one subject the latest counts.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let mut all = Self::default();
        for target in targets {
            match target {
                Target::Token(jti) => {
                    all.tokens.insert(jti);
                }
                Target::Subject { subject, issued_before } => {
                    let latest = all.subjects.entry(subject).or_insert(issued_before);
                    *latest = issued_before.max(*latest);
                }
            }
        }
        all
    }

    /// Whether a credential of `subject` is revoked. Keys have revocations of their own.
    pub fn covers(&self, subject: &str, kind: &CredentialKind) -> bool {
        let CredentialKind::Token { jti, issued_at } = kind else { return false };
        let before = |limit: &Instant| issued_at.is_none_or(|issued| issued < *limit);
        jti.as_ref().is_some_and(|jti| self.tokens.contains(jti)) || self.subjects.get(subject).is_some_and(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn token(jti: Option<&str>, issued: Option<i64>) -> CredentialKind {
        CredentialKind::Token { jti: jti.map(str::to_owned), issued_at: issued.map(at) }
    }

    #[test]
    fn by_token_or_by_subject_and_time() {
        let before = |seconds| Target::Subject { subject: "alice".into(), issued_before: at(seconds) };
        let revoked = RevokedTokens::new([Target::Token("t-1".into()), before(100), before(50)]);
        for (subject, kind, expected) in [
            ("bob", token(Some("t-1"), Some(500)), true),
            ("bob", token(Some("t-2"), Some(0)), false),
            ("bob", token(None, None), false),
            ("alice", token(Some("t-2"), Some(99)), true),
            ("alice", token(Some("t-2"), Some(100)), false),
            ("alice", token(None, None), true),
            ("alice", CredentialKind::AccessKey, false),
        ] {
            assert_eq!(revoked.covers(subject, &kind), expected, "{subject} {kind:?}");
        }
    }
}
