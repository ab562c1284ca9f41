//! How long a client waits: only time counts in which the gateways can know the truth.
//!
//! While the cloud hides something, and until the next comparison after that (once a minute, and as often as the faults
//! allow), the gateways deliberately decide nothing in that region: clients then wait longer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than anything may take: giving up is a violation.
const MAX_WAIT: Duration = Duration::from_mins(2);
/// The time from the end of hiding to the next comparison and its consequences.
const WAKE: Duration = Duration::from_secs(90);

/// Until when nothing can be known about the cloud.
#[derive(Debug, Default)]
pub(crate) struct UncertainTime(Mutex<Option<Instant>>);

impl UncertainTime {
    /// Hiding for that long begins or continues.
    pub(crate) fn begins(&self, lie: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + lie + WAKE);
    }

    fn is_at(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }
}

/// The time limit of one request.
#[derive(Debug)]
pub(crate) struct RetryLimit {
    seen: Instant,
    spent: Duration,
}

impl RetryLimit {
    /// The full limit.
    pub(crate) fn new() -> Self {
        Self { seen: Instant::now(), spent: Duration::ZERO }
    }

    /// Whether there is any time left.
    pub(crate) fn lasts(&mut self, doubt: &UncertainTime) -> bool {
        let now = Instant::now();
        if !doubt.is_at(now) {
            self.spent += now - self.seen;
        }
        self.seen = now;
        self.spent < MAX_WAIT
    }
}
