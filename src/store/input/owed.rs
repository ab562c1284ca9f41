//! Who is owed the ids of a create, and what an end does about that.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::domain::operation::Owed;

/// The caller of a create who must be told now or never: shared by the request, which tells it, and the task that
/// carries the create out. Known to this process alone; what is durable of it stands in `owed_answers`.
#[derive(Debug, Default)]
pub struct Waiter {
    left: CancellationToken,
    given_up: AtomicBool,
    sending: AtomicBool,
}

impl Waiter {
    /// One who waits until `left` fires.
    pub fn until(left: CancellationToken) -> Self {
        Self { left, ..Self::default() }
    }

    /// The request tells its caller something else.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    /// Whether the caller is there and will be told next.
    pub fn waits(&self) -> bool {
        !self.left.is_cancelled() && !self.given_up.load(Ordering::Acquire)
    }

    /// Whether [`Owed::Sending`] is known to be durable.
    pub fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Acquire)
    }

    /// It is durable.
    pub fn set_sending(&self) {
        self.sending.store(true, Ordering::Release);
    }
}

/// What an end does about what is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwedAnswer {
    /// Nothing: nothing is owed, or whoever ends it does not know.
    #[default]
    Untouched,
    /// From now on this is owed.
    Now(Option<Owed>),
}

impl OwedAnswer {
    /// The word in the statement: none changes nothing, `told` ends it.
    pub(in crate::store) fn word(self) -> Option<&'static str> {
        match self {
            Self::Untouched | Self::Now(Some(Owed::Unsent)) => None,
            Self::Now(Some(Owed::Sending)) => Some(Owed::Sending.as_str()),
            Self::Now(None) => Some("told"),
        }
    }
}
