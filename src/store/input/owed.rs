//! Who is owed the ids of a create, and what the end of an operation does about that.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::domain::operation::Owed;

/// The caller of a create that must get the ids in this answer or never: shared by the request, which sends them, and
/// the task that carries the create out. Only this process knows it; the durable part is in `owed_answers`.
#[derive(Debug, Default)]
pub struct Waiter {
    left: CancellationToken,
    given_up: AtomicBool,
    sending: AtomicBool,
}

impl Waiter {
    /// A caller that waits until `left` is cancelled.
    pub fn until(left: CancellationToken) -> Self {
        Self { left, ..Self::default() }
    }

    /// The request will send its caller another answer.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    /// Whether the caller is still there and will get the ids next.
    pub fn waits(&self) -> bool {
        !self.left.is_cancelled() && !self.given_up.load(Ordering::Acquire)
    }

    /// Whether [`Owed::Sending`] is known to be durable.
    pub fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Acquire)
    }

    /// Records that it is durable.
    pub fn set_sending(&self) {
        self.sending.store(true, Ordering::Release);
    }
}

/// What the end of an operation does about what is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwedAnswer {
    /// Nothing: nothing is owed, or whoever ends the operation does not know.
    #[default]
    Untouched,
    /// From now on this is owed.
    Now(Option<Owed>),
}

impl OwedAnswer {
    /// The value in the statement: `None` changes nothing, `told` ends it.
    pub(in crate::store) fn word(self) -> Option<&'static str> {
        match self {
            Self::Untouched | Self::Now(Some(Owed::Unsent)) => None,
            Self::Now(Some(Owed::Sending)) => Some(Owed::Sending.as_str()),
            Self::Now(None) => Some("told"),
        }
    }
}
