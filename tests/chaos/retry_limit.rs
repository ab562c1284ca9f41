//! How long a client waits: only time counts in which the gateways can know better.
//!
//! While the cloud hides something, and until it was compared again after that (once a minute, and as often as a fault
//! lets it), the gateways judge nothing in that region, by design: a client then waits longer, and is no wiser.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than anything may take: giving up is a finding.
const MAX_WAIT: Duration = Duration::from_mins(2);
/// After a lie: until the next comparison, and what follows from it.
const WAKE: Duration = Duration::from_secs(90);

/// Until when nothing can be known of the cloud.
#[derive(Debug, Default)]
pub(crate) struct UncertainTime(Mutex<Option<Instant>>);

impl UncertainTime {
    /// A lie of that length begins, or goes on.
    pub(crate) fn begins(&self, lie: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + lie + WAKE);
    }

    fn is_at(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }
}

/// The limit of one wish.
#[derive(Debug)]
pub(crate) struct RetryLimit {
    seen: Instant,
    spent: Duration,
}

impl RetryLimit {
    /// All of it.
    pub(crate) fn new() -> Self {
        Self { seen: Instant::now(), spent: Duration::ZERO }
    }

    /// Whether there is any left.
    pub(crate) fn lasts(&mut self, doubt: &UncertainTime) -> bool {
        let now = Instant::now();
        if !doubt.is_at(now) {
            self.spent += now - self.seen;
        }
        self.seen = now;
        self.spent < MAX_WAIT
    }
}
