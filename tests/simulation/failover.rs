//! A failover that loses commits: a caller with a key was told that its cache was created, a standby without these
//! commits is promoted, and the caller repeats its create with the key.

use eci_cache_gateway::domain::operation::OperationState;

use crate::cloud::{NEVER, Time};
use crate::faults::{Boundary, Fault};
use crate::schedule::Script;
use crate::twin::Twin;
use crate::world::World;

/// When the caller repeats its create.
const REPEATS_AFTER: Time = 5;

/// What was lost in failovers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lost {
    /// The number of lost creates.
    creates: u16,
    /// Creates whose repeat was sent after the cloud had forgotten the token, so that the cloud carries them out again.
    forgotten: u32,
}

impl World {
    /// The caller of a create with a key is told that it was created.
    pub(crate) fn acknowledge(&mut self) {
        let made = self.store.operations[0].is(OperationState::Succeeded);
        let untold = self.store.row.newest == 0 && self.store.row.version == 2;
        if self.script == Script::Keyed && made && untold && self.fault(Boundary::Told) == Some(Fault::Failover) {
            self.fail_over();
        }
    }

    fn fail_over(&mut self) {
        self.lost.creates += 1;
        self.store.lose_all();
        if self.cloud.has_lied() || !self.clocks.agree() {
            self.lied();
        }
        let create = &mut self.store.operations[0];
        (create.state, create.due) = (Some(OperationState::Running), self.clock + REPEATS_AFTER);
        self.drop_all();
        self.note(|| "a standby takes over; the caller repeats its create with its key".to_owned());
    }

    /// Distinguishes the token of a repeat from that of the lost create.
    pub(crate) fn renamed(&mut self) -> u16 {
        let made = self.cloud.caches[..self.cloud.count].iter().rfind(|cache| cache.made != NEVER);
        let last = made.map(|last| last.made + self.cloud.memory);
        if self.lost.creates > 0 && last.is_some_and(|forgotten_at| self.now >= forgotten_at) {
            self.lost.forgotten += 1;
        }
        if self.twin == Twin::ForgetsKeys { self.lost.creates } else { 0 }
    }

    /// How many creates may be carried out if no copy arrives late.
    pub(crate) fn most_creates(&self) -> u32 {
        1 + self.lost.forgotten
    }

    /// Whether the repeat cannot restore everything that the database lost: a copy was in transit, or the cloud created
    /// something before it refused or forgot.
    pub(crate) fn is_left_to_the_reconciler(&self) -> bool {
        let refused = self.store.operations[0].is(OperationState::Refused);
        self.lost.creates > 0 && (self.cloud.late_create || refused || self.lost.forgotten > 0)
    }
}
