//! When no database took writes, by our own doing.
//!
//! What must stay true: that time is not the gateways': a recovery is measured without it, as that of a failover is
//! (`failovers`). How long it lasts goes by the machine, which may be busy, and by what the schedule drew.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From when to when; they do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Outages(Mutex<Vec<(Instant, Instant)>>);

impl Outages {
    /// One that began and was over then.
    pub(crate) fn note(&self, begun: Instant, over: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((begun, over));
    }

    /// How much of the time between two instants was such.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        let outages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outages.iter().map(|(begun, over)| (*over).min(to).saturating_duration_since((*begun).max(from))).sum()
    }
}
