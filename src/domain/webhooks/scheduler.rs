//! The deliverer's scheduler: which deliveries this worker holds, and which goes out next.
//!
//! Pure: it takes what was claimed, says what may be sent now, and records how each attempt ended. Teams take turns,
//! and within a team its endpoints; none has more in flight than the limits allow. What must stay true: an endpoint
//! that hangs, fails, rests or is held back by its rate limit delays only itself, and what it cannot use is given back.
//!
//! One worker has one scheduler and holds whole teams, so these limits hold across all workers.
//!
//! Kept in memory beside the database: whether an endpoint rests, its failures in a row, when its rate allows the next
//! delivery, and where its deliveries go. Whoever changes an endpoint raises its revision; deliveries read later carry
//! the new revision, and the deliverer compares what it remembers twice a second. `docs/memory.md` has the bounds.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;

mod memory;
mod slot;
mod types;

pub use memory::EndpointMemory;
use slot::EndpointSlot;
pub use types::{AttemptEnd, DeliveryLimits, EndpointCapacity, EndpointInfo};

/// The lowest rate is one delivery a second: a time further ahead at which a rate allows the next one is not believed.
const LONGEST_SPACING: Duration = Duration::seconds(2);
/// An endpoint with nothing in flight for this long is dropped from memory: the database knows its state.
const KEEP_IDLE: Duration = Duration::minutes(10);

/// The scheduler; `T` is the type of a delivery.
#[derive(Debug)]
pub struct Scheduler<T> {
    limits: DeliveryLimits,
    places: HashMap<EndpointId, EndpointSlot<T>>,
    teams: HashMap<TeamId, TeamQueue>,
    turns: VecDeque<TeamId>,
    resting: BTreeSet<(Instant, EndpointId)>,
    flying: usize,
    waiting: usize,
    hungry: bool,
}

#[derive(Debug, Default)]
struct TeamQueue {
    ready: VecDeque<EndpointId>,
    flying: usize,
    in_turns: bool,
}

impl<T> Scheduler<T> {
    /// An empty scheduler.
    pub fn new(limits: DeliveryLimits) -> Self {
        Self {
            limits,
            places: HashMap::new(),
            teams: HashMap::new(),
            turns: VecDeque::new(),
            resting: BTreeSet::new(),
            flying: 0,
            waiting: 0,
            hungry: false,
        }
    }

    /// Puts one delivery into its endpoint's queue. Returns what cannot be used: this one if the endpoint rests or was
    /// changed since it was read; those read earlier if this one has a newer revision.
    pub fn take(&mut self, address: EndpointInfo, item: T, now: Instant) -> Vec<T> {
        let endpoint = address.endpoint;
        let renewed = self.places.get(&endpoint).is_some_and(|place| place.memory.revision() < address.revision);
        let mut unused = self.renew(endpoint, address.revision);
        let trust = self.limits.first_hand();
        let place = self.places.entry(endpoint).or_insert_with(|| EndpointSlot::new(address.clone(), trust, now));
        if address.revision < place.memory.revision() {
            unused.push(item);
            return unused;
        }
        if renewed {
            place.memory.set_failures(address.failures);
            place.address = address;
        } else if place.is_idle() {
            // While nothing is in flight, the database is newer than our memory.
            place.memory.set_failures(address.failures);
            let free_at = place.address.free_at.max(address.free_at);
            place.address = EndpointInfo { free_at, ..address };
        } else {
            place.address.spacing = address.spacing;
        }
        place.used_at = now;
        if place.room(now) == 0 {
            unused.push(item);
            return unused;
        }
        place.queue.push_back(item);
        self.waiting += 1;
        self.list(endpoint);
        unused
    }

    /// Compares an endpoint's revision with the known one. If it is newer, whatever is remembered of the endpoint is
    /// void, and what is queued here for it is given back, to be read again.
    pub fn renew(&mut self, endpoint: EndpointId, revision: i64) -> Vec<T> {
        let trust = self.limits.first_hand();
        let Some(place) = self.places.get_mut(&endpoint) else { return Vec::new() };
        if !place.memory.renew(revision) {
            return Vec::new();
        }
        (place.address.free_at, place.trust, place.more) = (None, trust, true);
        self.hungry = true;
        self.clear(endpoint)
    }

    /// The endpoints with remembered state that a change by somebody else may void, each with its revision.
    pub fn remembered(&self, now: Instant) -> Vec<(EndpointId, i64)> {
        let holds = |place: &EndpointSlot<T>| {
            !place.queue.is_empty() || place.memory.is_resting(now) || place.memory.is_failing()
        };
        let held = self.places.iter().filter(|(_, place)| holds(place));
        held.map(|(endpoint, place)| (*endpoint, place.memory.revision())).collect()
    }

    /// Forgets the endpoints that have been idle for long.
    pub fn forget_idle(&mut self, now: Instant) {
        self.places
            .retain(|_, place| !place.is_idle() || place.memory.is_resting(now) || place.used_at + KEEP_IDLE > now);
        self.teams.retain(|_, team| team.flying > 0 || team.in_turns || !team.ready.is_empty());
    }

    /// Notes whether the database holds more deliveries for an endpoint than were claimed.
    pub fn note_more(&mut self, endpoint: EndpointId, more: bool) {
        if let Some(place) = self.places.get_mut(&endpoint) {
            place.more = more;
        }
    }

    /// Notes that a delivery for an endpoint was written to the queue in the database because the endpoint is closed
    /// here.
    pub fn note_behind(&mut self, endpoint: EndpointId, now: Instant) {
        if let Some(place) = self.places.get_mut(&endpoint) {
            place.more = true;
            self.hungry |= place.is_hungry(now);
        }
    }

    /// The next delivery that may be sent; it counts as in flight until [`Scheduler::ended`].
    pub fn next(&mut self, now: Instant) -> Option<T> {
        self.rouse(now);
        if self.flying >= self.limits.flying {
            return None;
        }
        while let Some(name) = self.turns.pop_front() {
            let team = self.teams.get_mut(&name)?;
            team.in_turns = false;
            // A team at its limit returns when one of its deliveries ends.
            if team.flying < self.limits.per_team
                && let Some(item) = self.next_of(&name, now)
            {
                self.seat(&name);
                return Some(item);
            }
        }
        None
    }

    fn next_of(&mut self, name: &TeamId, now: Instant) -> Option<T> {
        let team = self.teams.get_mut(name)?;
        while let Some(endpoint) = team.ready.pop_front() {
            let Some(place) = self.places.get_mut(&endpoint) else { continue };
            place.listed = false;
            if place.flying >= place.cap(&self.limits) {
                continue;
            }
            let bound = |free_at: &Instant| *free_at > now && *free_at - now <= LONGEST_SPACING;
            if let Some(free_at) = place.address.free_at.filter(bound) {
                self.resting.insert((free_at, endpoint));
                continue;
            }
            let Some(item) = place.queue.pop_front() else { continue };
            if let Some(spacing) = place.address.spacing {
                place.address.free_at = Some(now + spacing);
            }
            place.flying += 1;
            team.flying += 1;
            self.flying += 1;
            self.waiting -= 1;
            self.hungry |= place.is_hungry(now);
            self.list(endpoint);
            return Some(item);
        }
        None
    }

    /// Records that a delivery in flight has ended. Its result counts only if nobody has changed the endpoint since its
    /// revision was read. Returns what the endpoint cannot use for now.
    pub fn ended(&mut self, endpoint: EndpointId, end: &AttemptEnd, now: Instant) -> Vec<T> {
        let Some(place) = self.places.get_mut(&endpoint) else { return Vec::new() };
        let name = place.address.team.clone();
        place.flying = place.flying.saturating_sub(1);
        place.used_at = now;
        let counts = place.memory.count(end);
        if counts {
            place.adjust_trust(end.good, &self.limits);
        }
        self.flying = self.flying.saturating_sub(1);
        if let Some(team) = self.teams.get_mut(&name) {
            team.flying = team.flying.saturating_sub(1);
        }
        let rests = counts && (end.paused_until.is_some() || place.memory.is_failing());
        let unused = if rests { self.clear(endpoint) } else { Vec::new() };
        self.hungry |= self.places.get(&endpoint).is_some_and(|place| place.is_hungry(now));
        self.list(endpoint);
        self.seat(&name);
        unused
    }

    /// Removes and returns what is queued here for an endpoint.
    pub fn clear(&mut self, endpoint: EndpointId) -> Vec<T> {
        let Some(place) = self.places.get_mut(&endpoint) else { return Vec::new() };
        let unused: Vec<T> = place.queue.drain(..).collect();
        self.waiting -= unused.len();
        unused
    }

    /// Removes and returns everything that is queued here.
    pub fn clear_all(&mut self) -> Vec<T> {
        let endpoints: Vec<EndpointId> = self.places.keys().copied().collect();
        endpoints.into_iter().flat_map(|endpoint| self.clear(endpoint)).collect()
    }

    /// The failures in a row of an endpoint, as far as we know.
    pub fn failures(&self, endpoint: EndpointId) -> i32 {
        self.places.get(&endpoint).map_or(0, |place| place.memory.failures())
    }

    /// The time before which an endpoint's rate allows no delivery.
    pub fn free_at(&self, endpoint: EndpointId) -> Option<Instant> {
        self.places.get(&endpoint)?.address.free_at
    }

    /// How many more deliveries the scheduler may hold.
    pub fn free(&self) -> usize {
        self.limits.hand.saturating_sub(self.waiting + self.flying)
    }

    /// Whether every slot is taken: nothing more can be sent until something ends.
    pub fn is_full(&self) -> bool {
        self.flying >= self.limits.flying
    }

    /// The endpoints that may take more or fewer deliveries than an unknown endpoint, and how many.
    pub fn rooms(&self, now: Instant) -> Vec<EndpointCapacity> {
        let usual = self.limits.first_hand();
        let room = |(endpoint, place): (&EndpointId, &EndpointSlot<T>)| EndpointCapacity {
            endpoint: *endpoint,
            revision: place.memory.revision(),
            most: place.room(now),
        };
        self.places.iter().map(room).filter(|room| room.most != usual).collect()
    }

    /// The endpoints to which nothing may be dispatched directly, past the queue in the database.
    pub fn closed(&self, now: Instant) -> Vec<EndpointId> {
        let closed = |place: &EndpointSlot<T>| place.more || place.memory.is_failing() || place.room(now) == 0;
        self.places.iter().filter(|(_, place)| closed(place)).map(|(endpoint, _)| *endpoint).collect()
    }

    /// Whether there is room again for deliveries that the database is known to hold. Reading it resets it.
    pub fn is_hungry(&mut self) -> bool {
        std::mem::take(&mut self.hungry)
    }

    /// When the first delivery that a rate limit holds back may go.
    pub fn rouses_at(&self) -> Option<Instant> {
        self.resting.first().map(|(at, _)| *at)
    }

    /// The deliveries that are queued here.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.places.values().flat_map(|place| &place.queue)
    }

    fn rouse(&mut self, now: Instant) {
        while let Some((at, endpoint)) = self.resting.first().copied()
            && at <= now
        {
            self.resting.remove(&(at, endpoint));
            self.list(endpoint);
        }
        while let Some((at, endpoint)) = self.resting.last().copied()
            && at - now > LONGEST_SPACING
        {
            self.resting.remove(&(at, endpoint));
            self.list(endpoint);
        }
    }

    /// Puts an endpoint in line in its team, if it has something to send.
    fn list(&mut self, endpoint: EndpointId) {
        let Some(place) = self.places.get_mut(&endpoint) else { return };
        if place.listed || place.queue.is_empty() || place.flying >= place.cap(&self.limits) {
            return;
        }
        place.listed = true;
        let name = place.address.team.clone();
        self.teams.entry(name.clone()).or_default().ready.push_back(endpoint);
        self.seat(&name);
    }

    /// Puts a team in line, if it has something to send and is below its limit.
    fn seat(&mut self, name: &TeamId) {
        if let Some(team) = self.teams.get_mut(name)
            && !team.in_turns
            && !team.ready.is_empty()
            && team.flying < self.limits.per_team
        {
            team.in_turns = true;
            self.turns.push_back(name.clone());
        }
    }
}

#[cfg(test)]
mod tests;
