//! Finding the work that is due, and claiming it.

use eci_cache_gateway::domain::operation::OperationState;

use crate::clocks::Trust;
use crate::cloud::{NEVER, Time};
use crate::store::{LEASE, ModelLease, ModelStore, Work};

impl ModelStore {
    /// The work that is due first for a process with that time, and when it is due.
    pub(crate) fn next_work(&self, Trust { off, certain, sure }: Trust) -> (Time, Work) {
        let mut first = (NEVER, Work::Track);
        let free = |lease: ModelLease| lease.free_at(self.skew);
        let mut offer = |at: Time, work| {
            if at < first.0 {
                first = (at, work);
            }
        };
        for (place, operation) in self.operations.iter().enumerate() {
            let kept_back = place == 0 && self.abandoned && !operation.progress.in_doubt;
            if operation.is(OperationState::Running) && !kept_back {
                offer((operation.due - off).max(free(operation.lease)), Work::Operation(place));
            } else if operation.unsettled != NEVER && sure {
                offer((operation.unsettled - off).max(free(operation.lease)), Work::Unsettled(place));
            }
        }
        if certain && let Some(due) = self.sweep_due() {
            offer(due - off, Work::Sweep);
        }
        if let Some(due) = self.resend_due() {
            offer(due - off, Work::Resend);
        }
        if sure {
            offer(self.compare_due, Work::Compare);
        }
        if self.look_due != NEVER {
            offer((self.look_due - off).max(free(self.group)), Work::Track);
        }
        for (place, delivery) in self.deliveries.iter().enumerate() {
            if delivery.due != NEVER {
                let due = delivery.due.max(self.endpoint.rests_until);
                offer((due - off).max(free(delivery.lease)), Work::Deliver(place));
            }
        }
        first
    }

    /// Claims work for a worker.
    pub(crate) fn claim(&mut self, work: Work, now: Time) -> u32 {
        self.tokens += 1;
        let lease = ModelLease { token: self.tokens, until: now + self.skew + LEASE };
        match work {
            Work::Operation(place) | Work::Unsettled(place) => self.operations[place].lease = lease,
            Work::Track => self.group = lease,
            Work::Sweep | Work::Resend => {}
            // Another worker takes it if this one dies.
            Work::Compare => self.compare_due = now + LEASE,
            Work::Deliver(place) => {
                self.deliveries[place].lease = lease;
                // Counted when it is claimed, so that a body that kills its worker is not retried forever.
                self.deliveries[place].attempts += 1;
            }
        }
        self.tokens
    }
}
