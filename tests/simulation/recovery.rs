//! Whether operations end soon enough once there are no more faults.

use crate::cloud::{NEVER, Time};
use crate::schedule::Script;
use crate::worker::is_over;
use crate::world::World;

/// How soon a create ends that was affected only by faults of a few seconds, and in few attempts.
const RECOVERY: Time = 20;
const FEW_ATTEMPTS: i32 = 5;
/// How soon every operation ends: a token window, until no attempt is accepted any more, until what is not shown counts
/// as never created, for the operation and for one that it waits for; and the leases of dead workers.
const LONGEST_RECOVERY: Time = 2 * (300 + 960 + 900) + 300;

/// The times of faults and of the ends of operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// Until when faults last that occurred before the create ended, and all faults.
    troubled_until: (Time, Time),
    /// The create was affected only by faults of a few seconds.
    short: bool,
    /// When the create ended, and when the last operation did.
    ended: (Time, Time),
}

impl Recovery {
    /// No faults so far.
    pub(crate) const NONE: Self = Self { troubled_until: (0, 0), short: true, ended: (NEVER, 0) };

    /// A fault with its duration; and whether a create must end soon after it.
    pub(crate) fn meet(&mut self, (lasts, short): (Time, bool), now: Time) {
        self.troubled_until.1 = self.troubled_until.1.max(now + lasts);
        if self.ended.0 == NEVER {
            self.troubled_until.0 = self.troubled_until.0.max(now + lasts);
            self.short &= short;
        }
    }
}

impl World {
    /// An operation may have ended.
    pub(crate) fn note_end(&mut self, place: usize) {
        if is_over(self.store.operations[place].state) {
            self.recovery.ended.1 = self.now;
            if place == 0 && self.recovery.ended.0 == NEVER {
                self.recovery.ended.0 = self.now;
            }
        }
    }

    /// The create ended too long after faults of a few seconds.
    pub(crate) fn recovered_late(&self) -> bool {
        let Recovery { troubled_until, short, ended } = self.recovery;
        let few = self.store.operations[0].progress.attempts <= FEW_ATTEMPTS;
        // A create whose cache is to be deleted meanwhile is no longer sent, only looked up.
        let wanted = self.script != Script::CreateDelete;
        wanted && short && few && ended.0 != NEVER && ended.0 > troubled_until.0 + RECOVERY
    }

    /// An operation ended too long after all faults, and after its request.
    pub(crate) fn ended_late(&self) -> bool {
        let Recovery { troubled_until, ended, .. } = self.recovery;
        ended.1 > troubled_until.1.max(self.requests.1) + LONGEST_RECOVERY
    }
}
