//! A worker: its current work and its next step. It does what `app` does, with the same rules.

use eci_cache_gateway::domain::operation::{
    CallOutcome, Effect, OperationInput, OperationKind, OperationState, Owed, Progress, decide, is_stale,
};
use eci_cache_gateway::domain::transition::core::TransitionOutcome;

use crate::cloud::{NEVER, Time};
use crate::endpoint::{DeliveryEnd, NOTHING};
use crate::faults::{Boundary, Fault};

use crate::store::{LAG, ModelCacheRow, Work, instant};
use crate::twin::Twin;
use crate::world::World;

/// Longer than a lease.
pub(crate) const PAUSE: Time = 70;
/// Longer than the cloud remembers a token, and than a request is accepted.
pub(crate) const LONG_PAUSE: Time = 1_000;
/// How long the database accepts no writes.
pub(crate) const READ_ONLY: Time = 8;

/// A worker's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hand {
    #[default]
    Idle,
    /// Record an attempt.
    Note(usize),
    Send(usize, Time),
    /// Look an operation up.
    LookUp(usize),
    /// End or postpone an operation; with the cache that a create created.
    Settle(usize, Effect, usize),
    /// Look for late copies of an ended operation.
    Tidy(usize),
    Remove(usize, usize),
    /// Write the result of the read after an update.
    LookedAgain(usize),
    /// Postpone the follow-up work until this time.
    Tidied(usize, Time),
    /// Read the row's cache.
    Track,
    /// Write what was observed.
    Observed,
    /// Send a webhook.
    Post(usize),
    /// Write its result.
    Posted(usize, DeliveryEnd),
    /// Return a delivery: the endpoint is resting, as far as the worker knows.
    GiveBack(usize),
    /// Give up creates of which nobody will be told.
    Sweep,
    /// Repeat a delete that was not carried out.
    Resend,
    /// Read the complete list.
    Compare,
    /// Write what it shows.
    Compared {
        again: bool,
    },
    /// Delete a cache without a row.
    RemoveFound(usize),
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ModelWorker {
    pub(crate) hand: Hand,
    /// When it continues.
    pub(crate) resume: Time,
    pub(crate) token: u32,
    /// What it has read.
    pub(crate) progress: Option<Progress>,
    pub(crate) row: Option<ModelCacheRow>,
    /// The endpoint's revision when it was read.
    pub(crate) revision: i64,
    /// What it has observed and will write.
    pub(crate) seen: Option<ModelObservation>,
}

/// What a read means for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModelObservation {
    pub(crate) outcome: TransitionOutcome,
    pub(crate) snapshot: Option<u8>,
}

impl World {
    /// Claims work for a worker and takes its first step.
    pub(crate) fn begin(&mut self, worker: usize, work: Work) {
        self.start(worker);
        self.go_by_clock_of(worker);
        let token = self.store.claim(work, self.now);
        self.note(|| format!("worker {worker} takes up {work:?}"));
        let row = self.store.row;
        let progress = match work {
            Work::Operation(place) | Work::Unsettled(place) => Some(self.store.operations[place].progress),
            Work::Track | Work::Deliver(_) | Work::Sweep | Work::Resend | Work::Compare => None,
        };
        let hand = match work {
            Work::Operation(place) => self.due(place, &row),
            Work::Unsettled(place) => Hand::Tidy(place),
            Work::Track => Hand::Track,
            Work::Deliver(place) if self.rests(worker) => Hand::GiveBack(place),
            Work::Deliver(place) => Hand::Post(place),
            Work::Sweep => Hand::Sweep,
            Work::Resend => Hand::Resend,
            Work::Compare => Hand::Compare,
        };
        let revision = self.store.endpoint.revision;
        self.workers[worker] =
            ModelWorker { hand, resume: self.now, token, progress, row: Some(row), revision, seen: None };
    }

    fn due(&self, place: usize, row: &ModelCacheRow) -> Hand {
        let operation = &self.store.operations[place];
        if operation.progress.kind == OperationKind::Delete && row.cache.is_none() {
            return Hand::Settle(place, Effect::Succeed { unsettled_until: None }, 0);
        }
        let input = OperationInput::Due {
            unwanted: unwanted(operation.progress, place, row),
            overtaken_until: self.overtaken(place, row),
        };
        let (_, effect) = decide(operation.progress, input, self.present(), &self.rule);
        match effect {
            Effect::Sign => Hand::Note(place),
            Effect::LookUp if self.twin == Twin::ResendForLookUp => Hand::Note(place),
            Effect::LookUp => Hand::LookUp(place),
            other => Hand::Settle(place, other, 0),
        }
    }

    fn overtaken(&self, place: usize, row: &ModelCacheRow) -> Option<eci_cache_gateway::domain::clock::Instant> {
        if ![1, 2].contains(&place) || self.twin == Twin::NoOvertaking {
            return None;
        }
        if row.core.status.is_in_motion() {
            return Some(instant(self.clock));
        }
        Some(self.store.operations[1].unsettled).filter(|until| *until != NEVER).map(instant)
    }

    /// Takes the next step.
    pub(crate) fn act(&mut self, place: usize) {
        self.go_by_clock_of(place);
        let boundary = match self.workers[place].hand {
            Hand::Idle => return,
            Hand::Note(_) => Boundary::Note,
            Hand::Settle(_, Effect::Wait(_), _)
            | Hand::Tidied(..)
            | Hand::LookedAgain(..)
            | Hand::Observed
            | Hand::Posted(..)
            | Hand::GiveBack(_)
            | Hand::Compared { .. }
            | Hand::Resend
            | Hand::Sweep => Boundary::Write,
            Hand::Settle(..) => Boundary::Settle,
            Hand::Send(operation, _) if self.store.operations[operation].progress.kind == OperationKind::Delete => {
                Boundary::Delete
            }
            Hand::Send(..) => Boundary::Build,
            Hand::Remove(..) | Hand::RemoveFound(_) => Boundary::Delete,
            Hand::LookUp(_) | Hand::Tidy(_) | Hand::Track | Hand::Compare => Boundary::Look,
            Hand::Post(_) => Boundary::Post,
        };
        if boundary.writes() && self.now < self.read_only_until {
            return self.refuse(place);
        }
        let fault = self.fault(boundary);
        match fault {
            Some(Fault::ReadOnly) => {
                self.read_only_until = self.now + READ_ONLY;
                self.refuse(place);
            }
            Some(Fault::Crash) => self.die(place),
            Some(Fault::Outage) => self.outage(),
            Some(Fault::Pause) => self.workers[place].resume = self.now + PAUSE,
            Some(Fault::LongPause) => self.workers[place].resume = self.now + LONG_PAUSE,
            _ => {
                self.let_lie(fault);
                if boundary == Boundary::Look {
                    self.cloud.lies.turn(self.reason(place), self.now);
                }
                let next = self.carry_out(place, fault);
                self.workers[place].hand = next;
                if fault == Some(Fault::Unheard) {
                    self.die(place);
                }
            }
        }
    }

    /// The kind of the worker's read.
    fn reason(&self, place: usize) -> u8 {
        match self.workers[place].hand {
            Hand::Track => 0,
            Hand::Compare => 1,
            Hand::LookUp(_) => 2,
            _ => 3,
        }
    }

    /// The database accepts no writes: the worker notices that, and leaves the work to the next holder of its lease.
    fn refuse(&mut self, place: usize) {
        self.note(|| format!("worker {place} may not write"));
        self.workers[place].hand = match self.workers[place].hand {
            Hand::Note(operation) if self.twin == Twin::SendsUnrecorded => Hand::Send(operation, self.clock),
            _ => Hand::Idle,
        };
    }

    /// A worker dies; with worker 0 the door of its process.
    fn die(&mut self, place: usize) {
        self.memories[place] = NOTHING;
        self.clocks.die(place, self.store.skew);
        self.workers[place].hand = Hand::Idle;
        if place == 0 {
            self.door.die();
        }
    }

    fn carry_out(&mut self, place: usize, fault: Option<Fault>) -> Hand {
        let token = self.workers[place].token;
        match self.workers[place].hand {
            Hand::Idle => Hand::Idle,
            Hand::Note(operation) => self.note_attempt(place, operation),
            Hand::Send(operation, signed) => self.send(place, operation, signed, fault),
            Hand::LookUp(operation) => self.look_up(place, operation, fault),
            Hand::Settle(operation, effect, cache) => {
                let progress = self.progress(place, operation);
                self.note(|| format!("operation {operation}: {effect:?}"));
                let waits = place == 0 && self.door.waits();
                self.store.settle((operation, token), progress, effect, cache, self.clock, waits);
                self.note_end(operation);
                self.door.hear(waits && self.store.owed == Some(Owed::Sending));
                if self.twin == Twin::NoAftercare {
                    self.store.operations[operation].unsettled = NEVER;
                }
                self.acknowledge();
                Hand::Idle
            }
            Hand::Tidy(0) => self.tidy(0, fault),
            Hand::Tidy(operation) => self.look_again(place, operation, fault),
            Hand::LookedAgain(operation) => {
                let written = self.observe(place);
                Hand::Tidied(operation, if written { NEVER } else { self.clock + 30 })
            }
            Hand::Remove(operation, cache) => {
                self.remove(cache, fault);
                Hand::Tidied(operation, self.clock + LAG)
            }
            Hand::Tidied(operation, until) => {
                self.store.note_unsettled(operation, token, until);
                Hand::Idle
            }
            Hand::Track => self.track(place, fault),
            Hand::Observed => {
                self.observe(place);
                self.store.release(token, self.clock);
                Hand::Idle
            }
            Hand::Post(delivery) => self.post(delivery, fault),
            Hand::Posted(delivery, ended) => self.posted(place, delivery, ended),
            Hand::GiveBack(delivery) => {
                self.store.give_back(delivery, token, self.clock + 1);
                Hand::Idle
            }
            Hand::Sweep => {
                self.sweep();
                Hand::Idle
            }
            Hand::Resend => {
                self.store.resend(self.clock);
                Hand::Idle
            }
            Hand::Compare => self.compare(place, fault),
            Hand::Compared { again } => self.write_finding(place, again),
            Hand::RemoveFound(cache) => self.remove_found(cache, fault),
        }
    }

    /// The progress as the worker has read it.
    fn progress(&self, place: usize, operation: usize) -> Progress {
        self.workers[place].progress.unwrap_or(self.store.operations[operation].progress)
    }

    fn note_attempt(&mut self, place: usize, operation: usize) -> Hand {
        let progress = self.progress(place, operation);
        if !progress.may_sign(self.present(), &self.rule) && self.twin != Twin::ResendForLookUp {
            return Hand::Settle(operation, Effect::Wait(instant(self.clock)), 0);
        }
        let signed = progress.signed(self.present());
        if !self.store.note(operation, self.workers[place].token, signed, self.now) {
            return Hand::Idle;
        }
        self.workers[place].progress = Some(signed);
        Hand::Send(operation, self.clock)
    }

    fn send(&mut self, place: usize, operation: usize, signed: Time, fault: Option<Fault>) -> Hand {
        let Some(mut progress) = self.workers[place].progress else { return Hand::Idle };
        let stale = is_stale(instant(signed), instant(self.clock));
        let (answer, cache) =
            if stale { (CallOutcome::NotDone, 0) } else { self.call(place, (operation, progress), signed, fault) };
        if self.twin == Twin::RefuseAtOnce && answer == CallOutcome::Refused {
            progress.in_doubt = false;
        }
        let (progress, effect) = decide(progress, OperationInput::Answered(answer), self.present(), &self.rule);
        let effect = match effect {
            Effect::Wait(until) if self.twin == Twin::RestsLong => Effect::Wait(until + self.rule.token_window),
            effect => effect,
        };
        self.note(|| format!("operation {operation}: the answer is {answer:?}"));
        self.workers[place].progress = Some(progress);
        Hand::Settle(operation, effect, cache)
    }

    pub(crate) fn is_rebuilt(&self, shown: u8, before: u8) -> bool {
        self.twin == Twin::NoEvidence || (self.setting.comparable && before != 0 && shown != before)
    }
}

/// A delete waits for the create.
pub(crate) fn unwanted(progress: Progress, place: usize, row: &ModelCacheRow) -> bool {
    progress.kind == OperationKind::Create && row.newest != place
}

/// Whether an operation has ended, or was never requested.
pub(crate) fn is_over(state: Option<OperationState>) -> bool {
    state.is_none_or(OperationState::is_over)
}
