//! The reconciler, the janitor of deletes, and the operator: what they do once the cloud has returned wrong data.
//! Before that the complete list says nothing that the tracker does not know, so runs are not made longer by it.
//!
//! Besides the row's cache the account may have others, which are not simulated: they are shown whenever anything is,
//! and determine whether an absence is believed.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{OperationKind, OperationState, Progress};
use eci_cache_gateway::domain::reconcile::Census;
use eci_cache_gateway::domain::reconcile::census::{is_absence_believed, sample_that_ends};
use eci_cache_gateway::domain::reconcile::pace::is_revisit_due;
use eci_cache_gateway::domain::reconcile::verdict::{Facts, Verdict};
use eci_cache_gateway::domain::transition::core::{self, CacheState, TransitionInput as Change};

use crate::cloud::{NEVER, ShownCache, Time};
use crate::faults::Fault;
use crate::store::{DELETE, LAG, ModelCacheRow, ModelStore, instant, lag};
use crate::twin::Twin;
use crate::worker::{Hand, ModelObservation, is_over};
use crate::world::World;

/// The interval of lists.
const EVERY: Time = 600;
/// The interval while something is open.
const AGAIN: Time = 60;
/// The number of caches of the account that are not simulated.
const OTHERS: i64 = 10;
/// How long an alarm lasts before an operator handles it.
const OPERATOR_AFTER: Time = 700;
/// How long until a delete that is not carried out is repeated.
const SEND_AGAIN_AFTER: Time = 300;

/// So much vanished at once that nothing is concluded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VanishingAlarm {
    since: Time,
    missing: i64,
    /// An operator has confirmed it.
    accepted: bool,
    /// Lookups raised it, and no list has done so since.
    sampled: bool,
}

impl World {
    /// The cloud returns wrong data from now on, or has just done so.
    pub(crate) fn lied(&mut self) {
        self.store.compare_due = self.store.compare_due.min(self.now + EVERY);
    }

    /// Reads the complete list and compares it.
    pub(crate) fn compare(&mut self, place: usize, fault: Option<Fault>) -> Hand {
        if fault == Some(Fault::LookFails) {
            return self.compared(false);
        }
        // Rows are read after the list: whatever it shows is known by then, or still being created.
        let row = self.store.row;
        self.workers[place].row = Some(row);
        let then = self.seen_at(fault);
        if let Some((seen, again)) = self.revisit(&row, then) {
            self.workers[place].seen = Some(seen);
            return Hand::Compared { again };
        }
        let census = self.census(&row, then);
        if !self.believes(census) {
            return self.compared(false);
        }
        self.find(&row, then);
        if let Some((seen, again)) = self.differs(&row, then) {
            self.workers[place].seen = Some(seen);
            return Hand::Compared { again };
        }
        match self.removable() {
            Some(cache) => Hand::RemoveFound(cache),
            None => self.compared(true),
        }
    }

    /// What vanished a short while ago is looked up by its id, whatever the list is worth.
    fn revisit(&mut self, row: &ModelCacheRow, then: Time) -> Option<(ModelObservation, bool)> {
        let (since, now) = (instant(self.store.revisited), instant(self.clock));
        let due = row.core.status.has_vanished() && is_revisit_due(instant(self.store.changed), since, now, lag());
        self.store.revisited = self.clock;
        let changing = self.store.operations.iter().any(|operation| !is_over(operation.state));
        if due && !changing { self.look_twice(row, self.facts(row, then), then) } else { None }
    }

    fn census(&self, row: &ModelCacheRow, then: Time) -> Census {
        let others = if self.setting.alone { 0 } else { OTHERS };
        let hidden = self.cloud.lies.is_hidden(then);
        let gone = row.core.status.is_final() || row.core.status == Status::Deleting;
        let old = row.core.accepted_at.is_none_or(|at| at + lag() <= instant(self.local(then)));
        let living = i64::from(row.core.known && !gone && old);
        let shown = row.cache.is_some_and(|cache| self.cloud.look(cache, then).is_some());
        let listed = i64::try_from(self.cloud.listed(then).count()).unwrap_or(0);
        Census {
            known: others + living,
            missing: if hidden { others } else { 0 } + if shown { 0 } else { living },
            listed: if hidden { 0 } else { others } + listed,
        }
    }

    /// That time by the clock of the process that acts.
    fn local(&self, then: Time) -> Time {
        then + self.clock - self.now
    }

    /// Whether a list is believed; if not, an operator eventually handles it.
    fn believes(&mut self, census: Census) -> bool {
        let known = self.store.doubt.filter(|doubt| doubt.accepted).map(|doubt| doubt.missing);
        if self.twin == Twin::BelievesVanishing || census.is_believed(known) {
            if !census.is_doubtful() {
                self.store.doubt = None;
            }
            return true;
        }
        let since = self.store.doubt.map_or(self.now, |doubt| doubt.since);
        let accepted = self.now - since >= OPERATOR_AFTER && self.now >= self.cloud.lies.until() + LAG;
        self.store.doubt = Some(VanishingAlarm { since, missing: census.missing, accepted, sampled: false });
        self.note(|| format!("{census:?} is not believed; accepted by an operator: {accepted}"));
        false
    }

    /// Whether a read by id that found nothing is believed. `strict`: even if there is nothing else to compare with.
    pub(crate) fn is_absence_believed(&mut self, strict: bool, then: Time) -> bool {
        if self.twin == Twin::BelievesVanishing {
            return true;
        }
        if let Some(doubt) = self.store.doubt {
            return doubt.accepted || self.is_sample_shown(doubt, then);
        }
        let (others, found) = match (self.setting.alone, strict) {
            (true, false) => (0, 0),
            // The list stands for the others.
            (true, true) => (1, usize::from(self.cloud.listed(then).next().is_some())),
            (false, _) => (3, if self.cloud.lies.is_hidden(then) { 0 } else { 3 }),
        };
        let believed = is_absence_believed(others, found);
        if !believed {
            self.note(|| "nothing is shown where others should be: not believed".to_owned());
            self.store.doubt = Some(VanishingAlarm { since: self.now, missing: 3, accepted: false, sampled: true });
            self.store.compare_due = self.store.compare_due.min(self.now);
        }
        believed
    }

    /// Whether as many others as were missing are shown again, which ends what lookups raised.
    fn is_sample_shown(&mut self, doubt: VanishingAlarm, then: Time) -> bool {
        let others = if self.setting.alone { 0 } else { OTHERS };
        let size = sample_that_ends(doubt.sampled, doubt.missing);
        let shown = size.is_some_and(|size| size <= others) && !self.cloud.lies.is_hidden(then);
        if shown {
            self.note(|| "a sample is shown again: the alarm ends".to_owned());
            self.store.doubt = None;
        }
        shown
    }

    /// Records caches that no row knows, and forgets those that no longer exist.
    fn find(&mut self, row: &ModelCacheRow, then: Time) {
        self.store.found = 0;
        for place in self.cloud.listed(then).filter(|place| Some(*place) != row.cache) {
            self.store.found |= 1 << place;
        }
    }

    /// How the list differs from the row's cache, and whether the row had ended.
    fn differs(&mut self, row: &ModelCacheRow, then: Time) -> Option<(ModelObservation, bool)> {
        // Nor while the cache is being changed.
        let changing = self.store.operations.iter().any(|operation| !is_over(operation.state));
        if changing {
            return None;
        }
        let facts = self.facts(row, then);
        let Some(seen) = row.cache.and_then(|cache| self.cloud.look(cache, then)) else {
            return self.misses(row, facts);
        };
        let verdict = match facts.listed(seen.status) {
            Verdict::LookById if self.twin != Twin::ComparesOnce => return self.look_twice(row, facts, then),
            Verdict::LookById => facts.found(seen.status),
            verdict => verdict,
        };
        self.follows(row, (facts, verdict), seen, then)
    }

    /// What is known about the row when a read of that time is judged. Its changes are recorded with the worker's
    /// clock.
    fn facts(&self, row: &ModelCacheRow, then: Time) -> Facts {
        let CacheState { status, known, .. } = row.core;
        let fresh = self.local(then) >= self.store.changed + LAG;
        Facts { status, known, gone: false, noted: false, fresh }
    }

    /// What is written about it, if anything is new. Drifts are reported, but not simulated.
    fn follows(
        &mut self,
        row: &ModelCacheRow,
        (facts, verdict): (Facts, Verdict),
        seen: ShownCache,
        then: Time,
    ) -> Option<(ModelObservation, bool)> {
        let left = row.core.status == Status::Failed && self.twin == Twin::FailsForGood
            || row.core.status.is_final() && self.twin == Twin::NeverRevives;
        let again = match verdict {
            Verdict::Compare if facts.is_unlikely(seen.status) => return self.drifts(row, then),
            Verdict::GoesOn if left => return None,
            Verdict::GoesOn => true,
            Verdict::Compare => false,
            Verdict::Nothing | Verdict::LookById => return None,
        };
        new_to(row, (self.seen_in_list(row, seen, again), again))
    }

    fn drifts(&mut self, row: &ModelCacheRow, then: Time) -> Option<(ModelObservation, bool)> {
        let truth = row.cache.and_then(|cache| self.cloud.truth(cache, then));
        if truth.is_some_and(|truth| truth.status == row.core.status) {
            self.violation = Some("a drift was told that the cloud does not have");
        }
        None
    }

    /// A read by its id missed it too. A failed one keeps its status, which is not simulated.
    fn misses(&self, row: &ModelCacheRow, facts: Facts) -> Option<(ModelObservation, bool)> {
        if !facts.is_missed() || row.core.status == Status::Failed {
            return None;
        }
        let outcome = core::step(row.core, Change::Missed, instant(self.clock), self.lag());
        new_to(row, (ModelObservation { outcome, snapshot: None }, false))
    }

    /// What the list shows is not believed by itself: the result of a read by id.
    fn look_twice(&mut self, row: &ModelCacheRow, facts: Facts, then: Time) -> Option<(ModelObservation, bool)> {
        self.cloud.lies.odd = false;
        let seen = row.cache.and_then(|cache| self.cloud.look(cache, then))?;
        self.follows(row, (facts, facts.found(seen.status)), seen, then)
    }

    fn seen_in_list(&self, row: &ModelCacheRow, seen: ShownCache, again: bool) -> ModelObservation {
        let (shown, rebuilt) = (seen.status, self.is_rebuilt(seen.snapshot, row.snapshot_before));
        let input = if again { Change::ShownAgain { shown, rebuilt } } else { Change::SeenAtRest { shown, rebuilt } };
        let outcome = core::step(row.core, input, instant(self.clock), self.lag());
        ModelObservation { outcome, snapshot: Some(seen.snapshot).filter(|snapshot| *snapshot != 0) }
    }

    /// What a create that has ended left behind, once none of its attempts can be accepted any more.
    fn removable(&self) -> Option<usize> {
        let create = &self.store.operations[0];
        let closed = create
            .progress
            .last_signed_at
            .is_none_or(|last| last + self.rule.acceptance + self.rule.list_lag <= instant(self.clock));
        let ended = is_over(create.state) && closed;
        (ended && self.store.found != 0).then(|| self.store.found.trailing_zeros() as usize)
    }

    /// Deletes what was found, if there is still no row for it.
    pub(crate) fn remove_found(&mut self, cache: usize, fault: Option<Fault>) -> Hand {
        if self.store.row.cache != Some(cache) {
            self.remove(cache, fault);
        }
        self.compared(false)
    }

    pub(crate) fn write_finding(&mut self, place: usize, again: bool) -> Hand {
        if !again {
            self.observe(place);
        } else if let (Some(row), Some(seen)) = (self.workers[place].row, self.workers[place].seen) {
            let written = self.store.revive(&row, &seen, self.clock);
            self.note(|| format!("the list revives the row: {:?}, {written}", seen.outcome.moved));
            self.check_early();
        }
        self.compared(false)
    }

    /// Ends the comparison; `clean`: it is believed, and nothing had to be done.
    pub(crate) fn compared(&mut self, clean: bool) -> Hand {
        let operations = &self.store.operations;
        let over = operations.iter().all(|operation| is_over(operation.state) && operation.unsettled == NEVER);
        // Even by a read that lags.
        let shown = self.now >= self.cloud.lies.until() + LAG && self.clock >= self.store.changed + 2 * LAG;
        let row = &self.store.row.core;
        let rests = !row.status.is_in_motion() && row.misses == 0 && row.status != Status::Pending;
        let gone = row.status.is_final() || row.status == Status::Failed;
        let settled =
            clean && over && self.now >= self.cloud.shown_from() && shown && (rests || gone) && self.store.found == 0;
        let soon = !clean || row.misses > 0;
        let next = self.now + if soon { AGAIN } else { EVERY };
        self.store.compare_due = if settled { NEVER } else { next };
        Hand::Idle
    }
}

/// The result of a read, if it is not in the row yet.
fn new_to(row: &ModelCacheRow, found: (ModelObservation, bool)) -> Option<(ModelObservation, bool)> {
    let ModelObservation { outcome, snapshot } = found.0;
    let new = outcome.next != row.core || snapshot.is_some_and(|new| new != row.snapshot);
    new.then_some(found)
}

impl ModelStore {
    /// When a delete that was not carried out is repeated.
    pub(crate) fn resend_due(&self) -> Option<Time> {
        let core = &self.row.core;
        let asked = self.operations[DELETE].state.is_some_and(OperationState::is_over);
        let undone = core.status == Status::Deleting && core.misses == 0 && asked;
        (undone && self.twin != Twin::NeverSendsAgain).then_some(self.changed + SEND_AGAIN_AFTER)
    }

    /// Repeats the delete with a token of its own.
    pub(crate) fn resend(&mut self, now: Time) {
        if self.resend_due().is_none_or(|due| due > now) {
            return;
        }
        let delete = &mut self.operations[DELETE];
        (delete.state, delete.due) = (Some(OperationState::Running), now);
        delete.progress = Progress::new(OperationKind::Delete);
        self.resends += 1;
        self.row.newest = DELETE;
        self.row.version += 1;
        self.changed = self.changed.max(now);
    }

    /// Continues an ended cache, as the cloud shows it. `false` if the row has changed.
    fn revive(&mut self, read: &ModelCacheRow, seen: &ModelObservation, now: Time) -> bool {
        let ModelObservation { outcome, snapshot } = *seen;
        if read.version != self.row.version {
            return false;
        }
        self.row.core = outcome.next;
        self.row.snapshot = snapshot.unwrap_or(self.row.snapshot);
        self.row.version += 1;
        self.changed = self.changed.max(now);
        if let Some(kind) = outcome.event {
            self.tell(kind, outcome.next.generation, now);
        }
        if self.row.core.status.is_in_motion() {
            self.look_due = self.look_due.min(now);
        }
        true
    }
}
