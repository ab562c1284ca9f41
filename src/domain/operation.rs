//! One durable intent towards the cloud: what is stored of it, and its vocabulary.
//!
//! [`rule`] decides what to do about it, from the few values in [`Progress`]; the strings stay here.
//!
//! What must stay true: the ClientToken is always the operation's id and generation; an operation that waits for
//! another one is never sent.

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

/// The cloud's error code for a ClientToken that it knows with other parameters.
const MISMATCH: &str = "IdempotentParameterMismatch";
/// The prefix of the cloud's error codes for a signing time that it does not accept.
const BAD_TIME: &str = "InvalidTimeStamp";
/// The code in the record of a create that was ended before it was sent to the cloud.
pub const WITHDRAWN: &str = "withdrawn";
/// The code in the record of a create whose image cache at the cloud already belongs to another row here.
pub const TAKEN: &str = "image_cache_taken";

/// What an operation does.
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
    /// The word for it in REST and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The kind with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationState {
    /// Recorded; it starts when an earlier operation on the same cache has ended.
    Waiting,
    /// Recorded; the cloud's answer is outstanding or unknown.
    Running,
    /// The cloud did it.
    Succeeded,
    /// The cloud refused it, or it was withdrawn before it was sent to the cloud.
    Refused,
}

impl OperationState {
    /// Every state, in the order of an operation's life.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Succeeded, Self::Refused];

    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }

    /// The state with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether it has not ended yet.
    pub fn is_open(self) -> bool {
        !self.is_over()
    }

    /// Whether it has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refused)
    }
}

/// One durable intent, as stored.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The gateway's id of the operation; also the value of its tag at the cloud.
    pub id: OperationId,
    /// The team that owns it.
    pub team: TeamId,
    /// The image cache that it is about.
    pub cache: CacheId,
    /// The build that it makes (create, update) or ends (delete).
    pub generation: i32,
    /// How far it has got, and its kind.
    pub progress: Progress,
    /// How far it is; it ends in one that is over and stays there.
    pub state: OperationState,
    /// The requested state of the cache; for a delete, its present one.
    pub spec: ImageCacheSpec,
    /// For an update: only the fields to change, and only these are sent.
    pub changes: Option<ImageCacheChanges>,
    /// Our tags that name the owner, as many as fit; the same in every attempt.
    pub marks: Vec<(String, String)>,
    /// Why the cloud refused it; while it runs, a refusal that is held until an earlier attempt is settled.
    pub error: Option<CloudError>,
    /// The cloud's RequestId of the deciding call.
    pub provider_request_id: Option<String>,
    /// The subject that asked for it.
    pub subject: String,
    /// The credential that was used.
    pub credential: Option<String>,
    /// The id of the request.
    pub request_id: String,
    /// When it was requested.
    pub created_at: Instant,
    /// When it ended.
    pub finished_at: Option<Instant>,
}

impl Operation {
    /// Its state in REST: `quarantined` if the cloud knows the token with other parameters, and nothing is sent until
    /// it is clear what happened to it.
    pub fn public_state(&self) -> &'static str {
        match (self.state, self.progress.held) {
            (OperationState::Running, Some(HoldReason::Mismatch)) => "quarantined",
            (state, _) => state.as_str(),
        }
    }
}

impl CallOutcome {
    /// What an error says about the attempt that it ended. `sure`: the time that it was signed with is not in doubt.
    pub fn of_fault(fault: &CallError, kind: OperationKind, sure: bool) -> Self {
        match fault {
            // Our clock is at fault, and we know that it may be wrong: the same request will be accepted later.
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
