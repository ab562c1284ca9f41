//! Whether operations end soon enough once nothing goes wrong any more.

use crate::cloud::{NEVER, Time};
use crate::schedule::Script;
use crate::worker::is_over;
use crate::world::World;

/// Within that a create ends that met what lasted for seconds, in at most so many attempts.
const RECOVERY: Time = 20;
const FEW_ATTEMPTS: i32 = 5;
/// Within that every operation ends: a window, until nothing is accepted any more, until what is not shown counts as
/// never made, for the operation and for one that it waits for; and the leases of whoever died.
const LONGEST_RECOVERY: Time = 2 * (300 + 960 + 900) + 300;

/// What went wrong, and when operations ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// Until when what went wrong lasts, while the create has not ended, and altogether.
    troubled_until: (Time, Time),
    /// Nothing went wrong with the create but for seconds.
    short: bool,
    /// When the create ended, and the last operation.
    ended: (Time, Time),
}

impl Recovery {
    /// Nothing went wrong so far.
    pub(crate) const NONE: Self = Self { troubled_until: (0, 0), short: true, ended: (NEVER, 0) };

    /// Something goes wrong, for so long; whether a create must end soon after it.
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

    /// The create ended long after what went wrong for seconds.
    pub(crate) fn recovered_late(&self) -> bool {
        let Recovery { troubled_until, short, ended } = self.recovery;
        let few = self.store.operations[0].progress.attempts <= FEW_ATTEMPTS;
        // What somebody wants to delete meanwhile is sent no more, only looked for.
        let wanted = self.script != Script::CreateDelete;
        wanted && short && few && ended.0 != NEVER && ended.0 > troubled_until.0 + RECOVERY
    }

    /// An operation ended long after everything that went wrong, and after it was asked for.
    pub(crate) fn ended_late(&self) -> bool {
        let Recovery { troubled_until, ended, .. } = self.recovery;
        ended.1 > troubled_until.1.max(self.requests.1) + LONGEST_RECOVERY
    }
}
