//! A caller through the cloud's own API without a token, the door that answers it, the janitor, and others who come to
//! rely on the same cache.
//!
//! The door is in the process of worker 0: it dies with that worker, and is notified at once of what that worker
//! writes. The database cannot tell whether the caller is still connected; a response written to a connected caller is
//! received.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{OperationState, Owed};

use crate::cloud::{NEVER, Time};
use crate::faults::{Boundary, Fault};

use crate::store::{DELETE, ModelStore};
use crate::twin::Twin;
use crate::worker::{LONG_PAUSE, PAUSE, READ_ONLY, is_over};
use crate::world::World;

/// The longest wait of the caller.
const MAX_WAIT: Time = 4;
/// When no response can be in transit any more.
pub(crate) const ANSWER_WITHIN: Time = 120;

/// The door's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: there is no door, it is done, or its process is dead.
    Nothing,
    /// The request is recorded; the caller starts to wait.
    Record,
    /// Wait for the end of the create.
    Wait,
    /// Make sure that the ids may be sent.
    Claim,
    /// Write the response.
    Tell,
    /// Record that it was written.
    Clear,
    /// Record that it was not written.
    Abandon,
}

/// The door and its caller.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct ModelDoor {
    next: Next,
    resume: Time,
    /// The caller is connected.
    there: bool,
    /// This process knows that `Owed::Sending` is durable.
    sending: bool,
    /// The caller received the ids.
    pub(crate) told: bool,
    /// The process died when it was unknown whether the caller had received the ids.
    pub(crate) in_doubt: bool,
}

impl ModelDoor {
    pub(crate) const NONE: Self =
        Self { next: Next::Nothing, resume: 0, there: false, sending: false, told: false, in_doubt: false };
    pub(crate) const ASKED: Self = Self { next: Next::Record, there: true, ..Self::NONE };

    /// When it takes its next step.
    pub(crate) fn due(&self, store: &ModelStore) -> Time {
        match self.next {
            Next::Nothing => NEVER,
            Next::Wait if !is_over(store.operations[0].state) => self.resume.max(MAX_WAIT),
            _ => self.resume,
        }
    }

    /// Whether the caller waits for a notification within the door's process.
    pub(crate) fn waits(&self) -> bool {
        self.next == Next::Wait && self.there
    }

    /// Its process has recorded whether the ids may be sent.
    pub(crate) fn hear(&mut self, sending: bool) {
        self.sending |= sending;
    }

    /// The process dies.
    pub(crate) fn die(&mut self) {
        if self.next != Next::Nothing {
            self.in_doubt |= self.sending && !self.told;
            self.next = Next::Nothing;
        }
    }
}

impl World {
    /// Takes the door's next step.
    pub(crate) fn answer(&mut self) {
        self.go_by_clock_of(0);
        let boundary = match self.door.next {
            Next::Nothing => return,
            Next::Record => Boundary::Ask,
            Next::Tell => Boundary::Tell,
            Next::Wait | Next::Claim | Next::Clear | Next::Abandon => Boundary::Write,
        };
        let writes = boundary.writes() && !(self.door.next == Next::Wait && is_over(self.store.operations[0].state));
        if writes && self.now < self.read_only_until {
            return self.door_may_not_write();
        }
        let fault = self.fault(boundary);
        match fault {
            Some(Fault::ReadOnly) => {
                self.read_only_until = self.now + READ_ONLY;
                self.door_may_not_write();
            }
            Some(Fault::Crash) => self.door.die(),
            Some(Fault::Outage) => self.outage(),
            Some(Fault::Pause) => self.door.resume = self.now + PAUSE,
            Some(Fault::LongPause) => self.door.resume = self.now + LONG_PAUSE,
            _ => {
                self.door.there &= fault != Some(Fault::Leaves);
                self.door.next = self.answered();
                let door = self.door;
                self.note(|| format!("the door: {door:?}"));
                if fault == Some(Fault::Unheard) {
                    self.door.die();
                }
            }
        }
    }

    /// The database accepts no writes. A response that was sent counts as sent, recorded or not; any other caller gets
    /// no ids, and the door retries until that is recorded.
    fn door_may_not_write(&mut self) {
        let once = self.twin == Twin::GivesUpOnce;
        self.door.next = match self.door.next {
            Next::Clear | Next::Nothing => Next::Nothing,
            Next::Abandon if once => Next::Nothing,
            _ => Next::Abandon,
        };
        self.door.resume = self.read_only_until;
    }

    fn answered(&mut self) -> Next {
        match self.door.next {
            Next::Record => Next::Wait,
            Next::Wait => self.waited(),
            Next::Claim if self.store.begin_answer() => {
                self.door.sending = true;
                Next::Tell
            }
            Next::Claim | Next::Nothing => Next::Nothing,
            Next::Tell if self.door.there => {
                self.door.told = true;
                Next::Clear
            }
            Next::Tell => Next::Abandon,
            Next::Clear => {
                self.store.owed = None;
                Next::Nothing
            }
            Next::Abandon => {
                self.store.abandon();
                Next::Nothing
            }
        }
    }

    /// The create has ended, or the caller must be answered now.
    fn waited(&mut self) -> Next {
        match self.store.operations[0].state {
            Some(OperationState::Succeeded) if self.door.sending || self.twin == Twin::AnswersUnasked => Next::Tell,
            Some(OperationState::Succeeded) => Next::Claim,
            Some(OperationState::Running) => {
                if !self.store.withdraw(self.clock) {
                    self.store.abandon();
                }
                self.note_end(0);
                Next::Nothing
            }
            _ => Next::Nothing,
        }
    }

    /// One pass of the janitor.
    pub(crate) fn sweep(&mut self) {
        let done = self.store.sweep(self.clock);
        self.note(|| format!("the janitor: {done}"));
        self.note_end(0);
    }

    /// Somebody requests the same content, and gets this cache or creates another one.
    pub(crate) fn join(&mut self) {
        let joined = self.store.join();
        self.relied |= joined;
        self.note(|| format!("somebody joins: {joined}"));
    }

    /// A create that nobody was told of still exists.
    pub(crate) fn lives_untold(&self) -> bool {
        let wanted = self.door.told || self.door.in_doubt || self.relied;
        let kept = self.store.operations[DELETE].is(OperationState::Refused);
        self.script.asks_without_token()
            && !wanted
            && !kept
            && self.store.row.cache.is_some_and(|cache| self.exists(cache))
    }

    /// A cache was deleted although somebody was told of it or given it.
    pub(crate) fn was_lost(&self) -> bool {
        let gone = !self.store.row.cache.is_some_and(|cache| self.exists(cache));
        (self.door.told || self.relied) && self.store.given_up && gone
    }
}

impl ModelStore {
    /// Whether the ids may be sent; from now on they may have been.
    fn begin_answer(&mut self) -> bool {
        let may = !self.abandoned && self.operations[DELETE].state.is_none();
        if may && self.owed.is_some() && self.twin != Twin::ClearsAfterwards {
            self.owed = Some(Owed::Sending);
        }
        may
    }

    /// Nobody will be told. If nothing is owed, somebody else relies on the cache.
    fn abandon(&mut self) {
        let recorded = self.owed.take().is_some() || self.twin == Twin::ForgetsUntold;
        self.abandoned |= recorded && self.operations[0].state != Some(OperationState::Refused);
    }

    /// `false` if it has ended, may have been sent, or somebody else relies on it.
    fn withdraw(&mut self, now: Time) -> bool {
        let create = &self.operations[0];
        let owed = self.owed.is_some() || self.abandoned || self.twin == Twin::ForgetsUntold;
        let unsent = create.is(OperationState::Running) && !create.progress.in_doubt && owed;
        if unsent {
            self.given_up = true;
            self.end_unsent(now);
        }
        unsent
    }

    /// When the janitor has something to do.
    pub(crate) fn sweep_due(&self) -> Option<Time> {
        if self.owed.is_some_and(Owed::is_given_up) {
            return Some(ANSWER_WITHIN);
        }
        (self.abandoned && (self.is_unsent() || self.is_unwanted())).then_some(0)
    }

    fn is_unsent(&self) -> bool {
        self.operations[0].is(OperationState::Running) && !self.operations[0].progress.in_doubt
    }

    fn is_unwanted(&self) -> bool {
        let status = self.row.core.status;
        let busy = self.operations.iter().any(|operation| operation.is(OperationState::Running));
        self.operations[0].is(OperationState::Succeeded)
            && !busy
            && !status.is_final()
            && status != Status::Deleting
            && self.operations[DELETE].state.is_none()
    }

    fn sweep(&mut self, now: Time) -> &'static str {
        if now >= ANSWER_WITHIN && self.owed.is_some_and(Owed::is_given_up) {
            self.abandon();
            "no answer is on its way any more"
        } else if !self.abandoned {
            "nothing to do"
        } else if self.withdraw(now) {
            "withdrawn"
        } else if self.is_unwanted() {
            self.begin_removal(now);
            "a removal begins"
        } else {
            "nothing to do yet"
        }
    }

    fn begin_removal(&mut self, now: Time) {
        self.given_up = true;
        let delete = &mut self.operations[DELETE];
        (delete.state, delete.due) = (Some(OperationState::Running), now);
        self.row.newest = DELETE;
        self.row.version += 1;
    }

    /// Whether there is a cache, building or ready, for somebody who requests the same content, and who relies on it
    /// from now on.
    fn join(&mut self) -> bool {
        let made = [Status::Pending, Status::Preparing, Status::Creating, Status::Ready];
        let there = made.contains(&self.row.core.status) && !self.abandoned && self.operations[DELETE].state.is_none();
        if there && self.twin != Twin::JoinsUnrecorded {
            self.owed = None;
        }
        there
    }

    /// Somebody changes the cache by its name, and relies on it from now on.
    pub(crate) fn name(&mut self) {
        (self.owed, self.abandoned) = (None, false);
    }
}
