//! Credentials that are refused although they are valid otherwise: a token by its `jti`, or all tokens of a subject
//! that were issued before an instant; and the keys that were made with them.
//!
//! What must stay true: a token that does not say when it was issued counts as issued before. A revocation is stored
//! for longer than any token that it covers can live. A revocation that a team makes affects only that team. Called by
//! `app`.

use std::collections::HashMap;

use chrono::Duration;

use super::caller::{Caller, CredentialKind, TeamId};
use crate::domain::clock::Instant;
use crate::domain::ids::RevocationId;

/// How many revocations of the platform, and of all teams together, may be in force at once: every gateway holds all of
/// them in memory, and no team uses up the platform's share.
pub const MAX_REVOCATIONS: i64 = 10_000;
/// How many of them one team may have made itself.
pub const MAX_OF_A_TEAM: i64 = 1_000;
/// How long a revocation is in force: longer than any token may live, which is 7 days at most.
pub const KEPT: Duration = Duration::days(8);
/// The longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 256;

/// The tokens that a revocation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationTarget {
    /// The token with this `jti`.
    Token(String),
    /// Every token of a subject issued before an instant. `api_key:…` and `access_key:…` stand for keys themselves.
    Subject {
        /// The token's `sub`.
        subject: String,
        /// Tokens with an earlier `iat` are refused.
        issued_before: Instant,
    },
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The gateway's id of the revocation.
    pub id: RevocationId,
    /// The tokens that are revoked.
    pub target: RevocationTarget,
    /// Limits the revocation to tokens that act for this team; none: every team.
    pub team: Option<TeamId>,
    /// The platform made it: the team cannot undo it.
    pub by_platform: bool,
    /// The reason, for human readers.
    pub reason: Option<String>,
    /// The subject that created the revocation.
    pub created_by: String,
    /// When the revocation was created.
    pub created_at: Instant,
    /// When it is deleted, because every token that it covers has expired by then.
    pub kept_until: Instant,
}

/// All revocations in force, against which every request is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedTokens {
    tokens: HashMap<String, Vec<RevocationReach>>,
    subjects: HashMap<String, Vec<(RevocationReach, Instant)>>,
}

/// The team that a revocation applies to; none: every team.
type RevocationReach = Option<TeamId>;

impl RevokedTokens {
    /// Collects these revocations, each with the team that it applies to.
    pub fn new(targets: impl IntoIterator<Item = (Option<TeamId>, RevocationTarget)>) -> Self {
        let mut all = Self::default();
        for (team, target) in targets {
            match target {
                RevocationTarget::Token(jti) => all.tokens.entry(jti).or_default().push(team),
                RevocationTarget::Subject { subject, issued_before } => {
                    all.subjects.entry(subject).or_default().push((team, issued_before));
                }
            }
        }
        all
    }

    /// Whether a token is revoked. Keys are revoked separately.
    pub fn covers(&self, caller: &Caller) -> bool {
        let (ids, issued_at) = match &caller.kind {
            CredentialKind::Token { jti, issued_at } => ([jti.as_ref(), None], issued_at),
            // The subject token's issue time counts: a token that was exchanged at the last moment is no younger.
            CredentialKind::Exchanged(bond) => ([Some(&bond.jti), bond.subject_jti.as_ref()], &bond.subject_issued_at),
            CredentialKind::ApiKey(_) | CredentialKind::AccessKey | CredentialKind::Own => return false,
        };
        let reaches = |team: &RevocationReach| team.as_ref().is_none_or(|team| *team == caller.team);
        let before = |limit: &Instant| issued_at.is_none_or(|issued| issued < *limit);
        let by_token = |jti| self.tokens.get(jti).is_some_and(|teams| teams.iter().any(reaches));
        let by_subject = self.subjects.get(&caller.subject);
        ids.into_iter().flatten().any(by_token)
            || by_subject.is_some_and(|some| some.iter().any(|(team, limit)| reaches(team) && before(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::caller::Bond;

    fn at(seconds: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn token(jti: Option<&str>, issued: Option<i64>) -> CredentialKind {
        CredentialKind::Token { jti: jti.map(str::to_owned), issued_at: issued.map(at) }
    }

    fn caller(team: &str, subject: &str, kind: CredentialKind) -> Caller {
        let (team, subject) = (team.parse().unwrap(), subject.to_owned());
        let (credential, scopes) = ("c".into(), Vec::new());
        Caller { team, subject, credential, kind, scopes, expires_at: None, provenance: None }
    }

    fn exchanged(jti: &str, subject: &str, issued: i64) -> CredentialKind {
        let (subject_jti, subject_issued_at) = (Some(subject.into()), Some(at(issued)));
        CredentialKind::Exchanged(Box::new(Bond { jti: jti.into(), subject_jti, subject_issued_at, seal: "s".into() }))
    }

    #[test]
    fn by_token_or_by_subject_and_time() {
        let before = |seconds| RevocationTarget::Subject { subject: "alice".into(), issued_before: at(seconds) };
        let targets = [RevocationTarget::Token("t-1".into()), before(100), before(50)];
        let revoked = RevokedTokens::new(targets.map(|target| (None, target)));
        for (subject, kind, expected) in [
            ("bob", token(Some("t-1"), Some(500)), true),
            ("bob", token(Some("t-2"), Some(0)), false),
            ("bob", token(None, None), false),
            ("alice", token(Some("t-2"), Some(99)), true),
            ("alice", token(Some("t-2"), Some(100)), false),
            ("alice", token(None, None), true),
            ("alice", CredentialKind::AccessKey, false),
            ("bob", exchanged("t-1", "x-1", 500), true),
            ("bob", exchanged("x-1", "t-1", 500), true),
            ("bob", exchanged("x-1", "x-2", 0), false),
            ("alice", exchanged("x-1", "x-2", 99), true),
            ("alice", exchanged("x-1", "x-2", 100), false),
        ] {
            assert_eq!(revoked.covers(&caller("web", subject, kind.clone())), expected, "{subject} {kind:?}");
        }
    }

    #[test]
    fn a_teams_own_reaches_nobody_elses() {
        let web: Option<TeamId> = Some("web".parse().unwrap());
        let subject = RevocationTarget::Subject { subject: "alice".into(), issued_before: at(100) };
        let revoked = RevokedTokens::new([(web.clone(), RevocationTarget::Token("t-1".into())), (web, subject)]);
        for (team, subject, jti, expected) in [
            ("web", "bob", "t-1", true),
            ("other", "bob", "t-1", false),
            ("web", "alice", "t-2", true),
            ("other", "alice", "t-2", false),
        ] {
            let caller = caller(team, subject, token(Some(jti), Some(0)));
            assert_eq!(revoked.covers(&caller), expected, "{team} {subject} {jti}");
        }
    }
}
