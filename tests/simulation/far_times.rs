//! What the janitor repairs after a clock that was ahead is right again: leases, due times, and times in rows.

use eci_cache_gateway::domain::clock::{FARTHEST_DUE, Instant, LONGEST_LEASE};
use eci_cache_gateway::domain::webhooks::retry::LONGEST_PAUSE;

use crate::clocks::seconds;
use crate::cloud::{NEVER, Time};
use crate::rows::{ModelLease, instant};
use crate::store::ModelStore;

/// The longest lease.
const LEASE: Time = seconds(chrono::Duration::seconds(LONGEST_LEASE.as_secs().cast_signed()));
/// The longest time for which an operation, its follow-up work or a read is postponed: with these settings, no rule
/// exceeds it.
const FAR: Time = seconds(FARTHEST_DUE);
/// The same for deliveries.
const FAR_DELIVERY: Time = 2 * seconds(LONGEST_PAUSE);

impl ModelStore {
    /// Shortens leases that end later than any lease may.
    pub(crate) fn shorten_leases(&mut self, now: Time) {
        let limit = now + self.skew + LEASE;
        let shorten = |lease: &mut ModelLease| lease.until = lease.until.min(limit);
        self.operations.iter_mut().for_each(|operation| shorten(&mut operation.lease));
        self.deliveries.iter_mut().for_each(|delivery| shorten(&mut delivery.lease));
        shorten(&mut self.group);
    }

    /// Makes due what was postponed too far.
    pub(crate) fn void_far_dues(&mut self, now: Time) {
        let far = now + FAR;
        for operation in &mut self.operations {
            let progress = &mut operation.progress;
            if operation.state.is_some_and(|state| !state.is_over()) && operation.due > far {
                operation.due = now;
                bring(&mut progress.last_signed_at, now);
                bring(&mut progress.window_opened_at, now);
            }
            if operation.unsettled != NEVER && operation.unsettled > far {
                operation.unsettled = far;
                bring(&mut progress.last_signed_at, now);
            }
        }
        if self.look_due != NEVER && self.look_due > far {
            self.look_due = now;
        }
        for delivery in &mut self.deliveries {
            if delivery.due != NEVER && delivery.due > now + FAR_DELIVERY {
                delivery.due = now;
            }
        }
    }

    /// Sets times in rows to now that are further in the future than anything is postponed.
    pub(crate) fn void_far_rows(&mut self, now: Time) {
        let far = instant(now + FAR);
        let accepted_at = &mut self.row.core.accepted_at;
        if self.changed > now + FAR || accepted_at.is_some_and(|at| at > far) {
            self.changed = self.changed.min(now);
            bring(accepted_at, now);
            self.row.version += 1;
        }
        for operation in &mut self.operations {
            let last = &mut operation.progress.last_signed_at;
            if last.is_some_and(|at| at > far) {
                bring(last, now);
            }
        }
    }
}

/// Limits a time to now.
fn bring(at: &mut Option<Instant>, now: Time) {
    *at = at.map(|at| at.min(instant(now)));
}
