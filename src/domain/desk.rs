//! The deliverer's desk: what it has in hand, and what goes out next.
//!
//! Pure: takes what was claimed, says what may be sent now, hears how it ended. Teams take turns, and within a team
//! its endpoints; nobody has more in flight than the limits say. What must stay true: an endpoint that hangs, fails,
//! rests or is bound by its rate holds up nothing but itself, and what it cannot use is given back.
//!
//! One worker has one desk and holds whole teams, so these limits hold for all workers together.
//!
//! In memory beside the database: that an endpoint rests, its failures in a row, when its rate lets the next one go, and
//! where its deliveries go. Whoever acts upon an endpoint raises its revision; deliveries that are read later carry it, and
//! the deliverer compares what it remembers twice a second. `docs/memory.md` has the bounds.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::Duration;

use super::caller::TeamId;
use super::clock::Instant;
use super::health::CAREFUL_AFTER;
use super::ids::EndpointId;

/// Nobody rests longer than a day; what lies further ahead than this was written by a clock that leapt.
const LONGEST_REST: Duration = Duration::hours(25);
/// The lowest rate is one delivery a second: the same for the time at which a rate lets the next one go.
const LONGEST_SPACING: Duration = Duration::seconds(2);
/// An endpoint for which nothing was under way for that long is forgotten: the database knows how it fares.
const KEEP_IDLE: Duration = Duration::minutes(10);

/// How much a desk takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most in flight.
    pub flying: usize,
    /// Most in flight for one team.
    pub per_team: usize,
    /// Most in flight to one endpoint; 1 while it fails.
    pub per_endpoint: usize,
    /// Most in hand, in flight or waiting here.
    pub hand: usize,
    /// Most in hand for one endpoint that takes what it is sent.
    pub hand_per_endpoint: usize,
}

impl Limits {
    /// Most in hand for an endpoint of which nothing is known: one that hangs keeps no more than that from the others.
    pub fn first_hand(&self) -> usize {
        (self.per_endpoint * 8).min(self.hand_per_endpoint)
    }
}

/// What is known of an endpoint when something for it comes in.
#[derive(Debug, Clone)]
pub struct Address {
    /// Whose.
    pub team: TeamId,
    /// Which.
    pub endpoint: EndpointId,
    /// The least time between two deliveries to it.
    pub spacing: Option<Duration>,
    /// Before that, its rate lets nothing go.
    pub free_at: Option<Instant>,
    /// Failures in a row.
    pub failures: i32,
    /// Rises whenever somebody acts upon the endpoint: what is known of an older revision no longer holds.
    pub revision: i64,
}

/// How much more an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Which.
    pub endpoint: EndpointId,
    /// The revision for which it holds.
    pub revision: i64,
    /// How many deliveries.
    pub most: usize,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The endpoint's revision as it was read for the attempt.
    pub revision: i64,
    /// Whether it arrived.
    pub good: bool,
    /// Until when the endpoint rests because of it.
    pub paused_until: Option<Instant>,
}

/// The desk; `T` is one delivery.
#[derive(Debug)]
pub struct Desk<T> {
    limits: Limits,
    places: HashMap<EndpointId, Place<T>>,
    teams: HashMap<TeamId, Team>,
    turns: VecDeque<TeamId>,
    resting: BTreeSet<(Instant, EndpointId)>,
    flying: usize,
    waiting: usize,
    hungry: bool,
}

#[derive(Debug, Default)]
struct Team {
    ready: VecDeque<EndpointId>,
    flying: usize,
    in_turns: bool,
}

#[derive(Debug)]
struct Place<T> {
    address: Address,
    queue: VecDeque<T>,
    flying: usize,
    paused_until: Option<Instant>,
    listed: bool,
    /// How much of it may be in hand: more with each that arrives, half as much with each that does not.
    trust: usize,
    /// Whether the database holds more that is due.
    more: bool,
    /// When something for it came in or ended.
    used_at: Instant,
}

impl<T> Place<T> {
    fn new(address: Address, trust: usize, now: Instant) -> Self {
        Self {
            address,
            queue: VecDeque::new(),
            flying: 0,
            paused_until: None,
            listed: false,
            trust,
            more: false,
            used_at: now,
        }
    }

    fn is_resting(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now && until - now <= LONGEST_REST)
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.flying == 0
    }

    fn cap(&self, limits: &Limits) -> usize {
        if self.is_failing() { 1 } else { limits.per_endpoint }
    }

    /// How much of it may be in hand.
    fn most(&self, now: Instant) -> usize {
        match self.is_resting(now) {
            true => 0,
            false if self.is_failing() => 1,
            false => self.trust,
        }
    }

    fn room(&self, now: Instant) -> usize {
        self.most(now).saturating_sub(self.queue.len() + self.flying)
    }

    /// Whether a look for more of it is worth a statement: not for every one that ends, and not while it rests.
    fn is_hungry(&self, now: Instant) -> bool {
        let most = self.most(now);
        self.more && most > 0 && self.queue.len() + self.flying <= most / 4 * 3
    }

    fn count(&mut self, good: bool, limits: &Limits) {
        self.address.failures = if good { 0 } else { self.address.failures.saturating_add(1) };
        let trust = if good { self.trust + 1 } else { self.trust / 2 };
        self.trust = trust.clamp(limits.first_hand(), limits.hand_per_endpoint);
    }

    fn is_failing(&self) -> bool {
        self.address.failures >= CAREFUL_AFTER
    }
}

impl<T> Desk<T> {
    /// An empty desk.
    pub fn new(limits: Limits) -> Self {
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
    /// acted upon since it was read; what was read before this one if it is of a newer revision.
    pub fn take(&mut self, address: Address, item: T, now: Instant) -> Vec<T> {
        let endpoint = address.endpoint;
        let renewed = self.places.get(&endpoint).is_some_and(|place| place.address.revision < address.revision);
        let mut unused = self.renew(endpoint, address.revision);
        let trust = self.limits.first_hand();
        let place = self.places.entry(endpoint).or_insert_with(|| Place::new(address.clone(), trust, now));
        if address.revision < place.address.revision {
            unused.push(item);
            return unused;
        }
        if renewed {
            place.address = address;
        } else if place.is_idle() {
            // While nothing is under way, what the database says is newer than what we remember.
            let free_at = place.address.free_at.max(address.free_at);
            place.address = Address { free_at, ..address };
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

    /// Hears of an endpoint's revision. If it is newer than the one that is known, whatever is remembered of the endpoint
    /// no longer holds, and what waits here for it is given back, to be read anew.
    pub fn renew(&mut self, endpoint: EndpointId, revision: i64) -> Vec<T> {
        let trust = self.limits.first_hand();
        let Some(place) = self.places.get_mut(&endpoint).filter(|place| place.address.revision < revision) else {
            return Vec::new();
        };
        place.address = Address { revision, failures: 0, free_at: None, ..place.address.clone() };
        (place.paused_until, place.trust, place.more) = (None, trust, true);
        self.hungry = true;
        self.clear(endpoint)
    }

    /// The endpoints of which something is remembered that another's act may end, each with its revision.
    pub fn remembered(&self, now: Instant) -> Vec<(EndpointId, i64)> {
        let holds = |place: &Place<T>| !place.queue.is_empty() || place.is_resting(now) || place.is_failing();
        let held = self.places.iter().filter(|(_, place)| holds(place));
        held.map(|(endpoint, place)| (*endpoint, place.address.revision)).collect()
    }

    /// Forgets the endpoints for which nothing was under way for long.
    pub fn forget_idle(&mut self, now: Instant) {
        self.places.retain(|_, place| !place.is_idle() || place.is_resting(now) || place.used_at + KEEP_IDLE > now);
        self.teams.retain(|_, team| team.flying > 0 || team.in_turns || !team.ready.is_empty());
    }

    /// Notes whether the database holds more for an endpoint than was claimed.
    pub fn note_more(&mut self, endpoint: EndpointId, more: bool) {
        if let Some(place) = self.places.get_mut(&endpoint) {
            place.more = more;
        }
    }

    /// Notes that something for an endpoint was written into the queue because it is closed.
    pub fn note_behind(&mut self, endpoint: EndpointId, now: Instant) {
        if let Some(place) = self.places.get_mut(&endpoint) {
            place.more = true;
            self.hungry |= place.is_hungry(now);
        }
    }

    /// What may be sent now; it counts as in flight until [`Desk::ended`].
    pub fn next(&mut self, now: Instant) -> Option<T> {
        self.rouse(now);
        if self.flying >= self.limits.flying {
            return None;
        }
        while let Some(name) = self.turns.pop_front() {
            let team = self.teams.get_mut(&name)?;
            team.in_turns = false;
            // A full team comes back when something of it ends.
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

    /// One that was in flight has ended: how it ended counts only if nobody has acted upon the endpoint since its
    /// revision was read. Returns what the endpoint cannot use for now.
    pub fn ended(&mut self, endpoint: EndpointId, end: &End, now: Instant) -> Vec<T> {
        let Some(place) = self.places.get_mut(&endpoint) else { return Vec::new() };
        let name = place.address.team.clone();
        place.flying = place.flying.saturating_sub(1);
        place.used_at = now;
        let counts = end.revision == place.address.revision;
        if counts {
            place.count(end.good, &self.limits);
            place.paused_until = place.paused_until.max(end.paused_until);
        }
        self.flying = self.flying.saturating_sub(1);
        if let Some(team) = self.teams.get_mut(&name) {
            team.flying = team.flying.saturating_sub(1);
        }
        let rests = counts && (end.paused_until.is_some() || place.is_failing());
        let unused = if rests { self.clear(endpoint) } else { Vec::new() };
        self.hungry |= self.places.get(&endpoint).is_some_and(|place| place.is_hungry(now));
        self.list(endpoint);
        self.seat(&name);
        unused
    }

    /// Takes everything away that waits here for an endpoint.
    pub fn clear(&mut self, endpoint: EndpointId) -> Vec<T> {
        let Some(place) = self.places.get_mut(&endpoint) else { return Vec::new() };
        let unused: Vec<T> = place.queue.drain(..).collect();
        self.waiting -= unused.len();
        unused
    }

    /// Takes everything away that waits here.
    pub fn clear_all(&mut self) -> Vec<T> {
        let endpoints: Vec<EndpointId> = self.places.keys().copied().collect();
        endpoints.into_iter().flat_map(|endpoint| self.clear(endpoint)).collect()
    }

    /// Failures in a row of an endpoint, as far as we know.
    pub fn failures(&self, endpoint: EndpointId) -> i32 {
        self.places.get(&endpoint).map_or(0, |place| place.address.failures)
    }

    /// Before what time an endpoint's rate lets nothing go.
    pub fn free_at(&self, endpoint: EndpointId) -> Option<Instant> {
        self.places.get(&endpoint)?.address.free_at
    }

    /// How much more may be taken in hand.
    pub fn free(&self) -> usize {
        self.limits.hand.saturating_sub(self.waiting + self.flying)
    }

    /// Whether every slot is taken: nothing more can go before something ends.
    pub fn is_full(&self) -> bool {
        self.flying >= self.limits.flying
    }

    /// The endpoints that take more or less than those of which nothing is known, and how much.
    pub fn rooms(&self, now: Instant) -> Vec<Room> {
        let usual = self.limits.first_hand();
        let room = |(endpoint, place): (&EndpointId, &Place<T>)| Room {
            endpoint: *endpoint,
            revision: place.address.revision,
            most: place.room(now),
        };
        self.places.iter().map(room).filter(|room| room.most != usual).collect()
    }

    /// The endpoints for which nothing is to be handed over past the queue.
    pub fn closed(&self, now: Instant) -> Vec<EndpointId> {
        let closed = |place: &Place<T>| place.more || place.is_failing() || place.room(now) == 0;
        self.places.iter().filter(|(_, place)| closed(place)).map(|(endpoint, _)| *endpoint).collect()
    }

    /// Whether there is room again for what the database is known to hold. Asking forgets it.
    pub fn is_hungry(&mut self) -> bool {
        std::mem::take(&mut self.hungry)
    }

    /// When something that is bound by its rate may go.
    pub fn rouses_at(&self) -> Option<Instant> {
        self.resting.first().map(|(at, _)| *at)
    }

    /// What waits here, and the rest of it.
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

    /// Gives an endpoint its place in its team's turns, if it has something to send.
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

    /// Gives a team its turn, if it has something to send and may.
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
