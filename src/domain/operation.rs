//! "Never twice": what to do next about one durable intent, and what an answer means for it.
//!
//! A create costs money, so an unknown outcome is resolved, never guessed:
//!
//! 1. Nothing was signed yet, or the last attempt proved that nothing happened: send.
//! 2. Unknown, and the first attempt is younger than the window in which the cloud surely remembers a
//!    ClientToken: send again with the same token.
//! 3. Unknown and older: wait until the last signed attempt can no longer be accepted (its timestamp,
//!    plus the 15 minutes the cloud allows, plus the lag of its lists), then look the operation up by its
//!    tag. Found: adopt. Not found: nothing happened, so send again.
//!
//! A definitive refusal ends the operation; so does success. The token is the operation's id and
//! generation, never a new one. Updates and deletes follow the same rule; they are naturally idempotent,
//! so for them step 3 is a re-send.

use chrono::Duration;

use super::caller::TeamId;
use super::clock::Instant;
use super::failure::{CloudError, Fault};
use super::ids::{CacheId, OperationId};
use super::spec::{ImageCacheChanges, ImageCacheSpec};

/// What is intended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// CreateImageCache.
    Create,
    /// UpdateImageCache.
    Update,
    /// DeleteImageCache.
    Delete,
}

impl OperationKind {
    /// The word in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationState {
    /// Recorded; the cloud's answer is outstanding or unknown.
    Running,
    /// The cloud did it.
    Succeeded,
    /// The cloud refused it.
    Refused,
}

impl OperationState {
    /// The word in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Running, Self::Succeeded, Self::Refused].into_iter().find(|state| state.as_str() == word)
    }
}

/// The settings of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How long the cloud surely remembers a ClientToken (undocumented; an assumption).
    pub token_window: Duration,
    /// How long a signed request may still be accepted: 15 minutes (Alibaba's RPC endpoints).
    pub acceptance: Duration,
    /// How long a new cache may be missing from the lists.
    pub list_lag: Duration,
}

impl Default for Rule {
    fn default() -> Self {
        Self { token_window: Duration::minutes(5), acceptance: Duration::minutes(15), list_lag: Duration::minutes(1) }
    }
}

/// One durable intent, as kept.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Ours; also what the cloud's tag carries.
    pub id: OperationId,
    /// Whose.
    pub team: TeamId,
    /// On which cache.
    pub cache: CacheId,
    /// The build that it makes (create, update) or ends (delete).
    pub generation: i32,
    /// How far it is; holds its kind.
    pub progress: Progress,
    /// Where it stands.
    pub state: OperationState,
    /// What the cache shall be: for a delete, what it is.
    pub spec: ImageCacheSpec,
    /// For an update: only what shall be different, and only that is sent.
    pub changes: Option<ImageCacheChanges>,
    /// Why the cloud refused.
    pub error: Option<CloudError>,
    /// The cloud's RequestId of the deciding call.
    pub provider_request_id: Option<String>,
    /// Who asked.
    pub subject: String,
    /// With which credential.
    pub credential: Option<String>,
    /// In which request.
    pub request_id: String,
    /// When it was asked for.
    pub created_at: Instant,
    /// When it ended.
    pub finished_at: Option<Instant>,
}

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is intended.
    pub kind: OperationKind,
    /// When the attempt that opened the present token window was signed; none before the first.
    pub window_opened_at: Option<Instant>,
    /// When the last attempt was signed.
    pub last_signed_at: Option<Instant>,
    /// How many attempts were signed in all.
    pub attempts: i32,
    /// Whether an attempt's outcome is unknown.
    pub in_doubt: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Sign and send, with the operation's own token.
    Send,
    /// Search the cloud for the operation's tag.
    LookUp,
    /// Nothing before that instant.
    Wait(Instant),
}

impl Progress {
    /// What to do at `now`.
    pub fn next(&self, now: Instant, rule: &Rule) -> Step {
        let (Some(opened), Some(last), true) = (self.window_opened_at, self.last_signed_at, self.in_doubt) else {
            return Step::Send;
        };
        if now < opened + rule.token_window || self.kind != OperationKind::Create {
            return Step::Send;
        }
        let settled_at = last + rule.acceptance + rule.list_lag;
        if now < settled_at { Step::Wait(settled_at) } else { Step::LookUp }
    }
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Ends the operation with the cloud's refusal.
    Refused(CloudError),
    /// Try again at that instant; `in_doubt` says whether this attempt may have been carried out.
    Again {
        /// When.
        at: Instant,
        /// Whether the attempt may have been carried out.
        in_doubt: bool,
    },
}

/// What a fault of attempt number `attempts` (from 1) means for the operation.
pub fn judge(fault: &Fault, kind: OperationKind, attempts: i32, now: Instant) -> Verdict {
    match fault {
        Fault::Refused(error) if kind != OperationKind::Create && error.code == "OperationConflict" => {
            Verdict::Again { at: now + backoff(attempts), in_doubt: false }
        }
        Fault::Refused(error) => Verdict::Refused(error.clone()),
        Fault::Throttled(_) | Fault::NotSent(_) => Verdict::Again { at: now + backoff(attempts), in_doubt: false },
        Fault::Unknown(_) => Verdict::Again { at: now + backoff(attempts), in_doubt: true },
    }
}

/// 1 s, doubling, at most 60 s.
fn backoff(attempts: i32) -> Duration {
    Duration::seconds(1_i64 << attempts.clamp(1, 6).saturating_sub(1)).min(Duration::seconds(60))
}

/// The ClientToken of an operation: at most 64 ASCII characters, the same in every attempt.
pub fn client_token(operation: OperationId, generation: i32) -> String {
    format!("{operation}.{generation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::minutes(minutes)
    }

    fn in_doubt(kind: OperationKind) -> Progress {
        Progress { kind, window_opened_at: Some(at(0)), last_signed_at: Some(at(4)), attempts: 3, in_doubt: true }
    }

    #[test]
    fn a_create_in_doubt_repeats_its_token_then_waits_then_looks() {
        let create = in_doubt(OperationKind::Create);
        let rule = Rule::default();
        assert_eq!(create.next(at(4), &rule), Step::Send);
        assert_eq!(create.next(at(5), &rule), Step::Wait(at(20)));
        assert_eq!(create.next(at(19), &rule), Step::Wait(at(20)));
        assert_eq!(create.next(at(20), &rule), Step::LookUp);
    }

    #[test]
    fn what_surely_did_not_happen_is_sent_at_once() {
        let rule = Rule::default();
        let known = Progress { in_doubt: false, ..in_doubt(OperationKind::Create) };
        assert_eq!(known.next(at(60), &rule), Step::Send);
        assert_eq!(in_doubt(OperationKind::Delete).next(at(60), &rule), Step::Send);
    }

    #[test]
    fn only_an_unknown_outcome_leaves_doubt() {
        let error =
            CloudError { code: "QuotaExceeded".into(), message: "x".into(), request_id: None, http_status: 403 };
        let create = |fault: &Fault| judge(fault, OperationKind::Create, 1, at(0));
        assert_eq!(create(&Fault::Refused(error.clone())), Verdict::Refused(error.clone()));
        let again = |in_doubt| Verdict::Again { at: at(0) + Duration::seconds(1), in_doubt };
        assert_eq!(create(&Fault::Throttled(error)), again(false));
        assert_eq!(create(&Fault::NotSent("refused".into())), again(false));
        assert_eq!(create(&Fault::Unknown("timeout".into())), again(true));
    }
}
