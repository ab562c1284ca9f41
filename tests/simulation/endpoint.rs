//! The endpoint, its team that resumes it, and the workers that deliver to it: each worker remembers, besides the
//! database, that the endpoint is resting, and must notice what its team does.

use eci_cache_gateway::domain::webhooks::retry::{AfterFailure, MAX_ATTEMPTS, after_failure};
use eci_cache_gateway::domain::webhooks::scheduler::{AttemptEnd, EndpointMemory};

use crate::cloud::{NEVER, Time};
use crate::faults::Fault;
use crate::store::{ModelEndpoint, ModelLease, ModelStore, instant, time};
use crate::twin::Twin;
use crate::worker::Hand;
use crate::world::World;

/// The longest rest that a receiver may ask for.
const REST: Time = 86_400;
/// After this many attempts, the normal pauses are as long as half a rest.
const SOON: i16 = 6;
/// What a newly started worker remembers of the endpoint.
pub(crate) const NOTHING: EndpointMemory = EndpointMemory::new(0, 0);

/// The result of a delivery attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    Delivered,
    Failed,
    /// Refused, and the receiver asks for a rest.
    Rests,
}

/// A receiver that may ask for a rest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ModelReceiver {
    /// When it first asked, and how often; the time is unused if that is 0.
    asked: (Time, u32),
    /// When its team resumed the endpoint.
    resumed_at: Option<Time>,
    /// It refused something for another reason, or its response was lost.
    refused: bool,
    /// When the last delivery arrived.
    last_at: Time,
}

impl ModelReceiver {
    /// When its team resumes the endpoint.
    pub(crate) fn is_resumed_at(&self) -> Time {
        if self.asked.1 == 0 { NEVER } else { self.asked.0 + 2 }
    }

    /// Something was sent to it.
    fn hear(&mut self, ended: DeliveryEnd, now: Time) {
        match ended {
            DeliveryEnd::Delivered => self.last_at = now,
            DeliveryEnd::Failed => self.refused = true,
            DeliveryEnd::Rests if self.asked.1 == 0 => self.asked = (now, 1),
            DeliveryEnd::Rests => self.asked.1 += 1,
        }
    }

    /// A delivery was delayed although the team had resumed the endpoint and the receiver has refused nothing since,
    /// and although it was not attempted so often that the normal pauses are as long.
    pub(crate) fn was_let_wait(&self, attempts: i16) -> bool {
        let waited = self.resumed_at.is_some_and(|resumed| self.last_at > resumed + REST / 2);
        waited && self.asked.1 == 1 && !self.refused && attempts <= SOON
    }
}

impl World {
    /// The team resumes the endpoint.
    pub(crate) fn resume(&mut self) {
        self.endpoint.resumed_at = Some(self.now);
        self.store.resume();
    }

    pub(crate) fn post(&mut self, place: usize, fault: Option<Fault>) -> Hand {
        let (event, seen) = (self.store.deliveries[place].event, &mut self.received[place]);
        let ended = match fault {
            Some(Fault::HookFails | Fault::HookUnheard) => DeliveryEnd::Failed,
            Some(Fault::HookRests) => DeliveryEnd::Rests,
            _ => DeliveryEnd::Delivered,
        };
        if !matches!(fault, Some(Fault::HookFails | Fault::HookRests)) {
            if seen.1 > 0 && seen.0 != event {
                self.violation = Some("one event was delivered under two ids");
            }
            *seen = (event, seen.1 + 1);
        }
        self.endpoint.hear(ended, self.now);
        Hand::Posted(place, ended)
    }

    /// Whether the endpoint is resting, as far as the worker knows that reads a delivery to it.
    pub(crate) fn rests(&mut self, worker: usize) -> bool {
        let memory = &mut self.memories[worker];
        if self.twin != Twin::RestsOn || memory.revision() == NOTHING.revision() {
            memory.renew(self.store.endpoint.revision);
        }
        memory.is_resting(instant(self.clock))
    }

    pub(crate) fn posted(&mut self, worker: usize, place: usize, ended: DeliveryEnd) -> Hand {
        let held = &self.workers[worker];
        let (token, revision, delivered) = (held.token, held.revision, ended == DeliveryEnd::Delivered);
        let rests_until = (ended == DeliveryEnd::Rests).then_some(self.clock + REST);
        let end = AttemptEnd { revision, good: delivered, paused_until: rests_until.map(instant) };
        self.memories[worker].count(&end);
        if let Some(until) = rests_until {
            self.store.rest(revision, until);
        }
        let attempts = self.store.deliveries[place].attempts.min(MAX_ATTEMPTS);
        let again = match after_failure(attempts, None, 0) {
            AfterFailure::Again(pause) => time(instant(self.clock) + pause),
            AfterFailure::Exhausted => NEVER,
        };
        self.store.finish(place, token, delivered, again);
        Hand::Idle
    }
}

impl ModelStore {
    /// The team resumes the endpoint.
    pub(crate) fn resume(&mut self) {
        self.endpoint = ModelEndpoint { revision: self.endpoint.revision + 1, rests_until: 0 };
    }

    /// The endpoint rests because of an attempt that was read at that revision.
    pub(crate) fn rest(&mut self, revision: i64, until: Time) {
        if revision == self.endpoint.revision || self.twin == Twin::CountsOldEnds {
            self.endpoint.rests_until = self.endpoint.rests_until.max(until);
        }
    }

    /// Returns a delivery that its worker may not send yet.
    pub(crate) fn give_back(&mut self, place: usize, token: u32, until: Time) {
        let delivery = &mut self.deliveries[place];
        if delivery.lease.is(token) {
            (delivery.lease, delivery.due) = (ModelLease::default(), until);
            delivery.attempts -= 1;
        }
    }

    /// Ends a delivery attempt; `again` is when the next one is due.
    pub(crate) fn finish(&mut self, place: usize, token: u32, delivered: bool, again: Time) {
        let delivery = &mut self.deliveries[place];
        if delivery.lease.is(token) {
            delivery.lease = ModelLease::default();
            delivery.delivered = delivered;
            delivery.due = if delivered { NEVER } else { again };
        }
    }
}
