//! The database: operations with leases, a row with compare-and-set, events and their deliveries. Each method is one
//! transaction.

use eci_cache_gateway::domain::event::EventType;
use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{Effect, OperationKind, OperationState, Owed, Progress};
use eci_cache_gateway::domain::transition::core::{self, CacheState, TransitionInput, TransitionOutcome};

use crate::cloud::{ANOTHERS, NEVER, Time};
use crate::reconciler::VanishingAlarm;
pub(crate) use crate::rows::{
    LAG, LEASE, ModelCacheRow, ModelDelivery, ModelEndpoint, ModelLease, ModelOperation, Work, instant, lag, time,
};
use crate::twin::Twin;
use crate::worker::ModelObservation;

/// The tracker's pause between two reads.
const LOOK_EVERY: Time = 30;
/// Create, two updates, delete.
pub(crate) const OPERATIONS: usize = 4;
/// The index of the delete.
pub(crate) const DELETE: usize = 3;
/// Ready events: one for each generation, from 1.
pub(crate) const EVENTS: usize = 3;
/// The number of generations whose events are distinguished; later ones count as the last.
const GENERATIONS: usize = 6;
// Each type has a bit.
const _: () = assert!(EventType::ALL.len() <= u32::BITS as usize);

#[derive(Clone, Copy)]
pub(crate) struct ModelStore {
    pub(crate) operations: [ModelOperation; OPERATIONS],
    pub(crate) row: ModelCacheRow,
    /// The error of its clock.
    pub(crate) skew: Time,
    pub(crate) look_due: Time,
    pub(crate) group: ModelLease,
    pub(crate) deliveries: [ModelDelivery; EVENTS],
    pub(crate) endpoint: ModelEndpoint,
    /// The operation that created each generation.
    pub(crate) made_by: [usize; EVENTS + 1],
    /// The dedupe keys of the events: a bit for each type, by generation.
    told: [u32; GENERATIONS],
    events: u32,
    pub(crate) tokens: u32,
    /// An invalid transition, or a Ready that was reported twice or too early.
    pub(crate) fault: Option<&'static str>,
    /// What is owed to the create's caller.
    pub(crate) owed: Option<Owed>,
    /// The create's caller will never be told.
    pub(crate) abandoned: bool,
    /// It was withdrawn, or its deletion was started, without a request.
    pub(crate) given_up: bool,
    /// When the row was last changed.
    pub(crate) changed: Time,
    /// Until when what vanished has been looked up again.
    pub(crate) revisited: Time,
    /// When the complete list is compared next; never, before the cloud has returned wrong data.
    pub(crate) compare_due: Time,
    /// Set if too much vanished at once.
    pub(crate) doubt: Option<VanishingAlarm>,
    /// Caches without a row that were found, one bit each.
    pub(crate) found: u8,
    /// The cloud's id that an ended row has.
    pub(crate) ended_has: Option<usize>,
    /// The create ended because another row has the id that the cloud returned.
    pub(crate) taken: bool,
    /// How often a delete was repeated.
    pub(crate) resends: u16,
    pub(crate) twin: Twin,
}

impl ModelStore {
    pub(crate) fn new(twin: Twin) -> Self {
        let kinds = [OperationKind::Create, OperationKind::Update, OperationKind::Update, OperationKind::Delete];
        let operation = |kind| ModelOperation {
            state: None,
            progress: Progress::new(kind),
            due: 0,
            lease: ModelLease::default(),
            unsettled: NEVER,
        };
        let core = CacheState {
            status: Status::Pending,
            generation: 1,
            known: false,
            ready: false,
            misses: 0,
            missed_at: None,
            build_seen: false,
            failed_before: false,
            accepted_at: None,
            expires_at: None,
        };
        let delivery =
            ModelDelivery { event: 0, attempts: 0, due: NEVER, lease: ModelLease::default(), delivered: false };
        Self {
            operations: kinds.map(operation),
            row: ModelCacheRow { core, version: 1, cache: None, newest: 0, snapshot: 0, snapshot_before: 0 },
            skew: 0,
            look_due: NEVER,
            group: ModelLease::default(),
            deliveries: [delivery; EVENTS],
            endpoint: ModelEndpoint { revision: 1, rests_until: 0 },
            made_by: [0; EVENTS + 1],
            told: [0; GENERATIONS],
            events: 0,
            tokens: 0,
            fault: None,
            owed: None,
            abandoned: false,
            given_up: false,
            changed: 0,
            revisited: 0,
            compare_due: NEVER,
            doubt: None,
            found: 0,
            ended_has: None,
            taken: false,
            resends: 0,
            twin,
        }
    }

    /// Loses everything that was committed; earlier leases are void.
    pub(crate) fn lose_all(&mut self) {
        *self = Self { tokens: self.tokens, skew: self.skew, ..Self::new(self.twin) };
    }

    /// Records an attempt. `false` if the lease is lost.
    pub(crate) fn note(&mut self, place: usize, token: u32, signed: Progress, now: Time) -> bool {
        let now = now + self.skew;
        let operation = &mut self.operations[place];
        let held = operation.is(OperationState::Running) && operation.lease.is(token) && now <= operation.lease.until;
        if held {
            operation.progress = Progress { in_doubt: true, ..signed };
            operation.lease.until = now + LEASE;
        }
        held
    }

    /// Ends or postpones an operation, with all consequences; `cache` is what a create created.
    pub(crate) fn settle(
        &mut self,
        (place, token): (usize, u32),
        progress: Progress,
        effect: Effect,
        cache: usize,
        now: Time,
        caller_waits: bool,
    ) {
        let operation = &mut self.operations[place];
        if !operation.is(OperationState::Running) || !operation.lease.is(token) {
            return;
        }
        let kind = progress.kind;
        let made = kind == OperationKind::Create && matches!(effect, Effect::Succeed { .. });
        let has_another = made && (cache == ANOTHERS || self.ended_has == Some(cache));
        if has_another && self.twin == Twin::RepeatsTaken {
            // Refused by a unique index, every time.
            return;
        }
        self.taken |= has_another && cache == ANOTHERS;
        // An ended row gives up its id; a living one keeps it, and the create is refused.
        let effect = if self.taken && made { Effect::Refuse } else { effect };
        if made {
            self.ended_has = None;
        }
        operation.progress = progress;
        operation.lease = ModelLease::default();
        let ended = match effect {
            Effect::Wait(until) => {
                operation.due = time(until);
                return;
            }
            Effect::Succeed { unsettled_until } => {
                operation.unsettled = unsettled_until.map_or(NEVER, time);
                OperationState::Succeeded
            }
            Effect::Refuse | Effect::Withdraw | Effect::Sign | Effect::LookUp => OperationState::Refused,
        };
        operation.state = Some(ended);
        self.owe(place, ended, caller_waits);
        let input = match (effect, kind) {
            (Effect::Succeed { .. }, OperationKind::Create) => Some(TransitionInput::Created),
            (Effect::Succeed { .. }, OperationKind::Update) => Some(TransitionInput::Updated),
            (Effect::Succeed { .. }, OperationKind::Delete) => Some(TransitionInput::Deleted),
            (Effect::Refuse, OperationKind::Create) => Some(TransitionInput::CreateRefused),
            _ => None,
        };
        if let Some(input) = input {
            self.moved_by(place, input, cache, now);
        }
        self.row.version += 1;
        self.begin_waiting(place, now);
    }

    /// What is owed to the create's caller from now on.
    fn owe(&mut self, place: usize, ended: OperationState, caller_waits: bool) {
        if place == 0 && self.owed.is_some() {
            let waits = caller_waits && self.twin != Twin::ClearsAfterwards;
            self.owed = Owed::after_success(waits, false).filter(|_| ended == OperationState::Succeeded);
        }
    }

    /// Ends the create, of which nothing was sent.
    pub(crate) fn end_unsent(&mut self, now: Time) {
        let create = &mut self.operations[0];
        (create.state, create.lease) = (Some(OperationState::Refused), ModelLease::default());
        self.owed = None;
        self.moved_by(0, TransitionInput::CreateRefused, 0, now);
        self.row.version += 1;
        self.begin_waiting(0, now);
    }

    fn moved_by(&mut self, place: usize, input: TransitionInput, cache: usize, now: Time) {
        let now = now.max(self.changed);
        let outcome = core::step(self.row.core, input, instant(now), lag());
        if input == TransitionInput::Created {
            self.row.cache = Some(cache);
        }
        if input == TransitionInput::Updated {
            self.row.snapshot_before = self.row.snapshot;
        }
        if outcome.next.generation > 0 && input != TransitionInput::Deleted {
            let generation = usize::try_from(outcome.next.generation).unwrap_or(0).min(EVENTS);
            self.made_by[generation] = place;
        }
        self.write_core(self.row.core.status, outcome, now);
        if self.row.core.status.is_in_motion() {
            self.look_due = self.look_due.min(now + 1);
        }
    }

    fn begin_waiting(&mut self, ended: usize, now: Time) {
        let delete = &mut self.operations[DELETE];
        if self.row.newest != ended && delete.is(OperationState::Waiting) {
            delete.state = Some(OperationState::Running);
            delete.due = now;
        }
    }

    fn write_core(&mut self, believed: Status, outcome: TransitionOutcome, now: Time) {
        let (from, to) = (self.row.core.status, outcome.next.status);
        if from != to && !from.may_become(to) {
            self.fault = Some("a transition that the graph does not have");
        }
        if from != believed && self.twin != Twin::NoCompareAndSet {
            self.fault = Some("a step from a status that is not the row's");
        }
        self.row.core = outcome.next;
        self.changed = self.changed.max(now);
        if let Some(kind) = outcome.event {
            self.tell(kind, outcome.next.generation, now);
        }
    }

    /// Writes an event with its delivery, once per generation and type.
    pub(crate) fn tell(&mut self, kind: EventType, generation: i32, now: Time) {
        let place = EventType::ALL.iter().position(|known| *known == kind).unwrap_or(0);
        let generation = usize::try_from(generation).unwrap_or(0);
        let (told, bit) = (&mut self.told[generation.min(GENERATIONS - 1)], 1 << place);
        if *told & bit != 0 {
            return;
        }
        *told |= bit;
        self.events += 1;
        if matches!(kind, EventType::Ready | EventType::Updated) && (1..=EVENTS).contains(&generation) {
            let delivery = &mut self.deliveries[generation - 1];
            if delivery.event != 0 {
                self.fault = Some("a second Ready event of one generation");
            }
            (delivery.event, delivery.due) = (self.events, now);
        }
    }

    /// Writes what the tracker observed, if the row still has the version that was read. `false` if it has not, and
    /// nothing is written.
    pub(crate) fn observe(&mut self, read: &ModelCacheRow, seen: &ModelObservation, now: Time) -> bool {
        let ModelObservation { outcome, snapshot } = *seen;
        if read.version != self.row.version && self.twin != Twin::NoCompareAndSet {
            return false;
        }
        let vanishes = outcome.moved.is_some_and(|(_, to)| to.is_final() && to != Status::Deleted);
        let delete = self.operations[DELETE].state;
        if vanishes && delete.is_some_and(|state| !state.is_over()) {
            return false;
        }
        if self.twin == Twin::NoCompareAndSet {
            self.row.cache = read.cache;
        }
        self.write_core(read.core.status, outcome, now);
        if outcome.moved.is_some_and(|(from, to)| to.is_in_motion() && !from.is_in_motion()) {
            self.look_due = self.look_due.min(now);
        }
        self.row.snapshot = snapshot.unwrap_or(self.row.snapshot);
        self.row.version += 1;
        true
    }

    /// Releases the group; it is due again while something is in progress.
    pub(crate) fn release(&mut self, token: u32, now: Time) {
        if self.group.is(token) {
            self.group = ModelLease::default();
            self.look_due = if self.row.core.status.is_in_motion() { now + LOOK_EVERY } else { NEVER };
        }
    }

    /// Postpones or ends the follow-up work of an operation.
    pub(crate) fn note_unsettled(&mut self, place: usize, token: u32, until: Time) {
        let operation = &mut self.operations[place];
        if operation.lease.is(token) {
            operation.lease = ModelLease::default();
            operation.unsettled = until;
        }
    }
}
