//! One durable intent towards the cloud: what is kept of it, and the words for it.
//!
//! What to do about it is decided in [`rule`], by the little that [`Progress`] holds; the strings stay here.
//!
//! What must stay true: the ClientToken is the operation's id and generation, never another one; an operation
//! that waits for another one is never sent.

pub mod dry_run;
mod owed;
mod rule;

pub use owed::Owed;
pub use rule::{
    CallOutcome, Effect, HoldReason, LookupResult, OperationInput, OperationTimings, Progress, decide, is_stale,
};

use super::clock::Instant;
use super::failure::{CallError, CloudError};
use super::identity::caller::TeamId;
use super::ids::{CacheId, OperationId};
use super::image_cache::spec::{ImageCacheChanges, ImageCacheSpec};

/// The cloud's word for a ClientToken that it knows with other parameters.
const MISMATCH: &str = "IdempotentParameterMismatch";
/// How the cloud's codes begin for a time of signing that it does not take.
const BAD_TIME: &str = "InvalidTimeStamp";
/// The code in the record of a create that was ended before the cloud had heard of it.
pub const WITHDRAWN: &str = "withdrawn";
/// The code in the record of a create whose image cache at the cloud is another one's here.
pub const TAKEN: &str = "image_cache_taken";

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
    /// Recorded, and not begun before an earlier one on the same cache has ended.
    Waiting,
    /// Recorded; the cloud's answer is outstanding or unknown.
    Running,
    /// The cloud did it.
    Succeeded,
    /// The cloud refused it, or it was withdrawn before the cloud had heard of it.
    Refused,
}

impl OperationState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Succeeded, Self::Refused];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether something is still to come of it.
    pub fn is_open(self) -> bool {
        !self.is_over()
    }

    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refused)
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
    /// Tags of ours that say whose it is, for as many as find room; the same in every attempt.
    pub marks: Vec<(String, String)>,
    /// Why the cloud refused; while it runs, a refusal that is held until an earlier attempt is settled.
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

impl Operation {
    /// The word in REST: `quarantined` where the cloud knows the token with other parameters, and nothing is
    /// sent any more before it is clear what became of it.
    pub fn public_state(&self) -> &'static str {
        match (self.state, self.progress.held) {
            (OperationState::Running, Some(HoldReason::Mismatch)) => "quarantined",
            (state, _) => state.as_str(),
        }
    }
}

impl CallOutcome {
    /// What a fault says about the attempt that it ended. `sure`: the time that it was signed with is not in doubt.
    pub fn of_fault(fault: &CallError, kind: OperationKind, sure: bool) -> Self {
        match fault {
            // Our clock's fault, and it is known that it may be wrong: the same request is taken by and by.
            CallError::Refused(error) if !sure && error.code.starts_with(BAD_TIME) => Self::NotDone,
            CallError::Refused(error) if kind != OperationKind::Create && error.code == "OperationConflict" => {
                Self::Busy
            }
            CallError::Refused(error) if error.code == MISMATCH => Self::Mismatch,
            CallError::Refused(_) => Self::Refused,
            CallError::Throttled(_) | CallError::NotSent(_) => Self::NotDone,
            CallError::Unknown(_) => Self::Unknown,
        }
    }
}

/// The ClientToken of an operation: at most 64 ASCII characters, the same in every attempt.
pub fn client_token(operation: OperationId, generation: i32) -> String {
    format!("{operation}.{generation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_an_answer() {
        let error = |code: &str| CloudError {
            code: code.into(),
            message: "x".into(),
            request_id: None,
            http_status: 403,
            denied: None,
        };
        let create = |fault: &CallError| CallOutcome::of_fault(fault, OperationKind::Create, true);
        assert_eq!(create(&CallError::Refused(error("QuotaExceeded"))), CallOutcome::Refused);
        assert_eq!(create(&CallError::Refused(error(MISMATCH))), CallOutcome::Mismatch);
        assert_eq!(create(&CallError::Throttled(error("Throttling"))), CallOutcome::NotDone);
        assert_eq!(create(&CallError::NotSent("refused".into())), CallOutcome::NotDone);
        assert_eq!(create(&CallError::Unknown("timeout".into())), CallOutcome::Unknown);
        let expired = CallError::Refused(error("InvalidTimeStamp.Expired"));
        assert_eq!(create(&expired), CallOutcome::Refused);
        assert_eq!(
            CallOutcome::of_fault(&expired, OperationKind::Create, false),
            CallOutcome::NotDone,
            "by a clock in doubt"
        );
        let conflict = CallError::Refused(error("OperationConflict"));
        assert_eq!(CallOutcome::of_fault(&conflict, OperationKind::Delete, true), CallOutcome::Busy);
        assert_eq!(create(&conflict), CallOutcome::Refused, "nothing can be in the way of a create");
    }

    #[test]
    fn words_read_back() {
        for word in ["waiting", "running", "succeeded", "refused"] {
            assert_eq!(OperationState::from_word(word).map(OperationState::as_str), Some(word));
        }
        assert_eq!(OperationState::from_word("quarantined"), None, "shown only");
    }
}
