//! The other work of a worker: tracking the cache, and follow-up work of ended operations.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::transition::core::{self, TransitionInput as Change};

use crate::cloud::NEVER;
use crate::faults::Fault;
use crate::store::instant;
use crate::twin::Twin;
use crate::worker::{Hand, ModelObservation};
use crate::world::World;

impl World {
    pub(crate) fn tidy(&mut self, operation: usize, fault: Option<Fault>) -> Hand {
        if fault == Some(Fault::LookFails) {
            return Hand::Tidied(operation, self.clock + 30);
        }
        let (own, then) = (self.store.row.cache, self.seen_at(fault));
        let nothing = self.cloud.listed(then).next().is_none() && should_be_there(self.store.row.core.status);
        if nothing && !self.is_absence_believed(false, then) {
            return Hand::Tidied(operation, self.clock + 30);
        }
        let extra = self.cloud.listed(then).find(|cache| Some(*cache) != own);
        extra.map_or(Hand::Tidied(operation, NEVER), |cache| Hand::Remove(operation, cache))
    }

    pub(crate) fn look_again(&mut self, place: usize, operation: usize, fault: Option<Fault>) -> Hand {
        let Some(row) = self.workers[place].row.filter(|_| fault != Some(Fault::LookFails)) else {
            return Hand::Tidied(operation, self.clock + 30);
        };
        let then = self.seen_at(fault);
        let seen = row.cache.and_then(|cache| self.cloud.look(cache, then));
        let until = self.store.operations[operation].progress.looked_after_until(&self.rule);
        let early = until.is_some_and(|until| instant(self.clock) < until);
        let missing = seen.is_none() && should_be_there(row.core.status);
        // One that counts as lost may only be hidden, and is revived then.
        let status = row.core.status;
        let unlikely = status == Status::Lost || seen.is_some_and(|seen| status.is_unlikely(seen.status));
        if (unlikely && early) || (missing && (early || !self.is_absence_believed(true, then))) {
            return Hand::Tidied(operation, self.clock + 30);
        }
        let Some(seen) = seen.filter(|_| !row.core.status.is_final()) else { return Hand::Tidied(operation, NEVER) };
        let rebuilt = self.is_rebuilt(seen.snapshot, row.snapshot_before);
        let outcome =
            core::step(row.core, Change::Seen { shown: seen.status, rebuilt }, instant(self.clock), self.lag());
        let snapshot = Some(seen.snapshot).filter(|snapshot| *snapshot != 0);
        if outcome.next == row.core && snapshot.is_none_or(|new| new == row.snapshot) {
            return Hand::Tidied(operation, NEVER);
        }
        self.workers[place].seen = Some(ModelObservation { outcome, snapshot });
        Hand::LookedAgain(operation)
    }

    pub(crate) fn remove(&mut self, cache: usize, fault: Option<Fault>) {
        let lost = [
            Fault::LostRequest,
            Fault::Throttle,
            Fault::Refuse,
            Fault::Mismatch,
            Fault::Late,
            Fault::LateEnd,
            Fault::AckedNotDone,
        ];
        if !fault.is_some_and(|fault| lost.contains(&fault)) && !self.cloud.lies.is_veiled(cache, self.now) {
            self.note(|| format!("the second cache {cache} is removed"));
            self.cloud.remove(cache, self.now);
        }
    }

    pub(crate) fn track(&mut self, place: usize, fault: Option<Fault>) -> Hand {
        let token = self.workers[place].token;
        let Some(row) = self.workers[place].row.filter(|row| row.core.status.is_in_motion()) else {
            self.store.release(token, self.clock);
            return Hand::Idle;
        };
        let then = self.seen_at(fault);
        let shown = row.cache.and_then(|cache| self.cloud.look(cache, then));
        let input = match shown {
            _ if fault == Some(Fault::LookFails) => None,
            Some(seen) => {
                Some(Change::Seen { shown: seen.status, rebuilt: self.is_rebuilt(seen.snapshot, row.snapshot_before) })
            }
            None => Some(Change::Missed),
        };
        self.note(|| format!("the tracker sees {shown:?}"));
        let outcome = input.map(|input| core::step(row.core, input, instant(self.clock), self.lag()));
        let mut outcome = outcome;
        if let Some(outcome) = outcome.as_mut().filter(|_| self.twin == Twin::CountsAllMisses) {
            outcome.next.misses = outcome.next.misses.max(row.core.misses);
        }
        let end = outcome.and_then(|outcome| outcome.moved).map(|(_, to)| to).filter(|to| to.is_final());
        // Its absence is believed only if others are shown.
        let outcome = outcome.filter(|_| end.is_none_or(|to| self.is_absence_believed(to != Status::Deleted, then)));
        let snapshot = shown.map(|seen| seen.snapshot).filter(|snapshot| *snapshot != 0);
        let new = snapshot.is_some_and(|new| new != row.snapshot);
        if let Some(outcome) = outcome.filter(|outcome| new || outcome.next != row.core) {
            self.workers[place].seen = Some(ModelObservation { outcome, snapshot });
            return Hand::Observed;
        }
        self.store.release(token, self.clock);
        Hand::Idle
    }

    /// Writes what a worker observed. `false` if the row has changed.
    pub(crate) fn observe(&mut self, place: usize) -> bool {
        let (Some(row), Some(seen)) = (self.workers[place].row, self.workers[place].seen) else { return false };
        let written = self.store.observe(&row, &seen, self.clock);
        self.note(|| format!("the row moves: {:?}, {written}", seen.outcome.moved));
        let failed = seen.outcome.moved.is_some_and(|(_, to)| matches!(to, Status::Failed | Status::UpdateFailed));
        self.misled |= failed && self.cloud.lies.odd;
        self.check_early();
        written
    }
}

/// Nobody has requested its deletion, and it has not ended.
fn should_be_there(status: Status) -> bool {
    !status.is_final() && status != Status::Deleting
}
