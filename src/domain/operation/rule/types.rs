//! The inputs and effects of the rule: what was learned about an operation, and what to do about it.

use crate::domain::clock::Instant;

/// Why a running operation is not sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// The cloud refused while an earlier attempt was in doubt.
    Refusal,
    /// The cloud knows the token with other parameters.
    Mismatch,
}

impl HoldReason {
    /// The word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Mismatch => "mismatch",
        }
    }

    /// The reason with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Refusal, Self::Mismatch].into_iter().find(|held| held.as_str() == word)
    }
}

/// What was learned about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationInput {
    /// It is due.
    Due {
        /// A delete waits for it.
        unwanted: bool,
        /// For an update: until when a copy of an earlier one may still be carried out, while that is not settled; the
        /// current time while a build of the cache is running. None: nothing is in the way.
        overtaken_until: Option<Instant>,
    },
    /// How the last signed attempt ended. `Progress` is as it was before that attempt's doubt.
    Answered(CallOutcome),
    /// The result of a lookup.
    Looked {
        /// What happened to the last attempt, as far as the lookup shows.
        sight: LookupResult,
        /// A delete waits for it.
        unwanted: bool,
    },
}

/// The outcome of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// It was carried out by this attempt.
    Done,
    /// Refused for good; nothing was done by this attempt.
    Refused,
    /// Refused because the token is known with other parameters.
    Mismatch,
    /// The cache is busy with something else; nothing was done.
    Busy,
    /// Throttled or not sent; nothing was done.
    NotDone,
    /// It may have been carried out, or may yet be: nobody knows.
    Unknown,
}

/// What a lookup found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupResult {
    /// It was done; `twice` if more than once.
    Found {
        /// More than one cache carries the tag.
        twice: bool,
    },
    /// The cloud lists the cache, without a trace of the operation.
    Nothing,
    /// The cloud does not list the cache, or reports it in an unlikely state.
    Absent,
    /// The lookup failed.
    Failed,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Record an attempt, sign it with the recorded time and the operation's own token, send it.
    Sign,
    /// Look it up at the cloud.
    LookUp,
    /// Do nothing before that instant.
    Wait(Instant),
    /// End it: nothing was done, and nobody wants it any more.
    Withdraw,
    /// End it: done.
    Succeed {
        /// Until when a copy of an earlier attempt may still be carried out.
        unsettled_until: Option<Instant>,
    },
    /// End it with the cloud's refusal.
    Refuse,
}
