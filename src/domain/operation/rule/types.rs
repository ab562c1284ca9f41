//! What is learned of an operation, and what is to be done about it.

use crate::domain::clock::Instant;

/// Why an operation that runs is not sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// The cloud refused while an earlier attempt was in doubt.
    Refusal,
    /// The cloud knows the token with other parameters.
    Mismatch,
}

impl HoldReason {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Mismatch => "mismatch",
        }
    }

    /// The reason of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Refusal, Self::Mismatch].into_iter().find(|held| held.as_str() == word)
    }
}

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationInput {
    /// Its time has come.
    Due {
        /// A delete waits for it.
        unwanted: bool,
        /// Of an update: until when a copy of an earlier one may still be carried out, while that is not settled;
        /// the present, while a build of the cache is under way. None: nothing is in the way.
        overtaken_until: Option<Instant>,
    },
    /// How the attempt that was signed last has ended. `Progress` is as it was before that attempt's doubt.
    Answered(CallOutcome),
    /// What a look for it found.
    Looked {
        /// What became of the last attempt, as far as the look shows.
        sight: LookupResult,
        /// A delete waits for it.
        unwanted: bool,
    },
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// It was carried out by this attempt.
    Done,
    /// Refused for good; nothing was done by this attempt.
    Refused,
    /// Refused because the token is known with other parameters.
    Mismatch,
    /// Something else is under way on the cache; nothing was done.
    Busy,
    /// Throttled or not sent; nothing was done.
    NotDone,
    /// It may have been carried out, now or later: nobody knows.
    Unknown,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupResult {
    /// It was done; `twice` if more than once.
    Found {
        /// More than one cache carries the tag.
        twice: bool,
    },
    /// The cache is shown, and no trace of it.
    Nothing,
    /// The cache is not shown, or as what it hardly is.
    Absent,
    /// The look failed.
    Failed,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Record an attempt, sign it with the recorded time and the operation's own token, send it.
    Sign,
    /// Look for it at the cloud.
    LookUp,
    /// Nothing before that instant.
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
