//! The times in which no database accepted writes, because of injected faults.
//!
//! What must stay true: gateways are not blamed for these times: recoveries are measured without them, as for failovers
//! (`failovers`). Their length depends on the load of the machine, and on the schedule.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Their beginnings and ends; they do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Outages(Mutex<Vec<(Instant, Instant)>>);

impl Outages {
    /// Records an outage.
    pub(crate) fn note(&self, begun: Instant, over: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((begun, over));
    }

    /// Their total length between two instants.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        let outages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outages.iter().map(|(begun, over)| (*over).min(to).saturating_duration_since((*begun).max(from))).sum()
    }
}
