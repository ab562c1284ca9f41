//! Calls to the cloud: what is sent, what a read returns, and when the cloud starts to return wrong data.

use eci_cache_gateway::domain::operation::{
    CallOutcome, LookupResult, OperationInput, OperationKind, Progress, decide,
};
use eci_cache_gateway::domain::transition::core;

use crate::cloud::{ACCEPTANCE, ANOTHERS, ModelRequest, Time};
use crate::faults::{Fault, ReusedIdOwner};

use crate::twin::Twin;
use crate::worker::{Hand, unwanted};
use crate::world::World;

/// The longest lag of a read.
const WORST_LAG: Time = 59;

impl World {
    /// The cloud starts to return wrong data, or the database's clock is changed.
    pub(crate) fn let_lie(&mut self, fault: Option<Fault>) {
        if let Some(Fault::StepDb(leap)) = fault {
            self.leap(leap);
        }
        let newest = self.cloud.count.checked_sub(1);
        if fault == Some(Fault::Vanish) {
            self.cloud.lies.hide(self.now, self.now + self.setting.vanish);
        }
        if fault == Some(Fault::Hide) {
            self.cloud.lies.veil(newest, self.now, self.now + self.setting.vanish);
        }
        if let Some(Fault::Flap(odd)) = fault {
            self.cloud.lies.flap(odd, newest, self.now + self.setting.vanish);
        }
        if matches!(fault, Some(Fault::Vanish | Fault::Hide | Fault::Flap(_) | Fault::AckedNotDone)) {
            self.lied();
        }
    }

    pub(crate) fn call(
        &mut self,
        place: usize,
        (operation, progress): (usize, Progress),
        signed: Time,
        fault: Option<Fault>,
    ) -> (CallOutcome, usize) {
        let attempt = if self.twin == Twin::FreshToken { progress.attempts } else { 0 };
        let again = if progress.kind == OperationKind::Delete { 100 * self.store.resends } else { 0 };
        let token = u16::try_from(operation * 1_000).unwrap_or(0) + again + u16::try_from(attempt).unwrap_or(0);
        let token = token + self.renamed();
        let target = self.workers[place].row.and_then(|row| row.cache).unwrap_or(0);
        let fails = fault == Some(Fault::BuildFails);
        let request = ModelRequest { kind: progress.kind, operation, token, signed, target, fails };
        let create = progress.kind == OperationKind::Create;
        if let Some(Fault::ReusedId(owner)) = fault.filter(|_| create) {
            self.lied();
            match owner {
                ReusedIdOwner::Living => self.cloud.anothers = Some(token),
                ReusedIdOwner::Ended => self.store.ended_has = Some(self.cloud.count),
            }
        }
        if create && self.cloud.anothers == Some(token) {
            return (CallOutcome::Done, ANOTHERS);
        }
        match fault {
            Some(Fault::LostRequest) => (CallOutcome::Unknown, 0),
            Some(Fault::Late) => self.delay(90, request),
            Some(Fault::LateMid) => self.delay(400, request),
            Some(Fault::LateEnd) => self.delay(840, request),
            Some(Fault::Throttle) => (CallOutcome::NotDone, 0),
            Some(Fault::Refuse) => (CallOutcome::Refused, 0),
            Some(Fault::Mismatch) => (CallOutcome::Mismatch, 0),
            Some(Fault::AckedNotDone) => self.cloud.deny(request),
            Some(Fault::LostAnswer) => {
                self.reach(request);
                (CallOutcome::Unknown, 0)
            }
            _ => self.reach(request),
        }
    }

    /// What the cloud hides, it does not find when it is to be changed either; a delete then counts as done.
    fn reach(&mut self, request: ModelRequest) -> (CallOutcome, usize) {
        match request.kind {
            OperationKind::Update if self.cloud.lies.is_veiled(request.target, self.now) => (CallOutcome::Refused, 0),
            OperationKind::Delete if self.cloud.lies.is_veiled(request.target, self.now) => {
                (CallOutcome::Done, request.target)
            }
            // The cloud rejects that timestamp.
            _ if !self.sure && (self.now - request.signed).abs() > ACCEPTANCE => (CallOutcome::NotDone, 0),
            _ => self.cloud.arrive(request, self.now),
        }
    }

    fn delay(&mut self, by: Time, request: ModelRequest) -> (CallOutcome, usize) {
        self.cloud.delay(self.now + by, request);
        (CallOutcome::Unknown, 0)
    }

    /// The time whose state a read returns.
    pub(crate) fn seen_at(&self, fault: Option<Fault>) -> Time {
        self.now - if fault == Some(Fault::Lag) { WORST_LAG } else { self.setting.lag }
    }

    pub(crate) fn look_up(&mut self, place: usize, operation: usize, fault: Option<Fault>) -> Hand {
        let (Some(progress), Some(row)) = (self.workers[place].progress, self.workers[place].row) else {
            return Hand::Idle;
        };
        let then = self.seen_at(fault);
        let mut cache = 0;
        let sight = match progress.kind {
            _ if fault == Some(Fault::LookFails) => LookupResult::Failed,
            OperationKind::Create => {
                let mut found = self.cloud.listed(then);
                let first = found.next();
                cache = first.unwrap_or(0);
                let twice = found.next().is_some();
                if first.is_some() { LookupResult::Found { twice } } else { LookupResult::Absent }
            }
            OperationKind::Update | OperationKind::Delete => {
                let shown = row.cache.and_then(|cache| self.cloud.look(cache, then));
                let done = if progress.kind == OperationKind::Delete {
                    shown.is_none()
                } else {
                    let rebuilt = |snapshot| self.is_rebuilt(snapshot, row.snapshot);
                    shown.is_some_and(|s| core::was_updated(row.core.status, s.status, rebuilt(s.snapshot)))
                };
                match shown {
                    _ if done => LookupResult::Found { twice: false },
                    Some(seen) if row.core.status.is_unlikely(seen.status) => LookupResult::Absent,
                    Some(_) => LookupResult::Nothing,
                    None => LookupResult::Absent,
                }
            }
        };
        // A missing cache proves something only if others are shown.
        let is_delete = progress.kind == OperationKind::Delete;
        let absent = match sight {
            LookupResult::Found { .. } => is_delete,
            LookupResult::Absent => row.cache.is_none_or(|cache| self.cloud.look(cache, then).is_none()),
            LookupResult::Nothing | LookupResult::Failed => false,
        };
        let strict = progress.kind == OperationKind::Update;
        let sight = if absent && !self.is_absence_believed(strict, then) { LookupResult::Failed } else { sight };
        self.note(|| format!("operation {operation}: the look shows {sight:?}"));
        let believed = self.twin == Twin::BelievesOneLook && sight == LookupResult::Absent;
        let sight = if believed { LookupResult::Nothing } else { sight };
        let input = OperationInput::Looked { sight, unwanted: unwanted(progress, operation, &row) };
        let (progress, effect) = decide(progress, input, self.present(), &self.rule);
        self.workers[place].progress = Some(progress);
        Hand::Settle(operation, effect, cache)
    }
}
