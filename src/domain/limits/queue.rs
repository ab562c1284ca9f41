//! Decides which request runs next, and which is turned away, when there is more to do than can be done at once.
//!
//! The number of requests that run at once is limited, and so is the number of lists and exports among them. The others
//! wait in queues: one per party in each class. A free slot goes to the highest class in which anyone waits, there to
//! the party whose turn it is, there to the request that came first. One slot in [`LEFT_OVER`] goes to the lowest
//! class, so that no class starves. So a party that sends ten times its share waits in its own queue, ten times as
//! long.
//!
//! A queue that empties again is a burst, and is accepted: a request waits as long as its caller would. Only a request
//! that the queue, at the rate at which it really drains ([`drain`]), would not reach in time is turned away at once. A
//! queue that never empties is an overload, and waiting only makes everybody late. So while the queue of a party is
//! congested ([`congestion`]), nobody waits in it for longer than [`Capacity::target`] (the controlled delay of RFC
//! 8289): half of it in the lowest class, twice in the highest. And the newest request goes next: the oldest has waited
//! nearly too long already, and so would everybody who is served in order. Requests whose callers take a refusal for a
//! failure ([`QueueRequest::delayed`]) go before them, in order, and are turned away by their deadline alone. When the
//! queues are full, the newest request of the longest queue of the lowest class is turned away.
//!
//! Taking turns alone would leave the other parties behind what a greedy one has just started: every core is busy with
//! it. So a party that had more than its share of lists lately ([`super::shares`]) starts another only while fewer than
//! half of the list slots are taken; the other half is reserved for other parties.
//!
//! What must stay true: apart from that, no request waits while a slot is free, and nobody waits while nothing runs;
//! memory is bounded; a request that is turned away was not started.

use std::hash::Hash;
use std::time::Duration;

use super::shares::Shares;
use drain::Drain;
use lane::{Lane, QueuedRequest};

mod congestion;
mod drain;
mod lane;

/// One slot in so many goes to the lowest class.
const LEFT_OVER: u32 = 16;

/// What a request is, the most important first. Health checks and metrics are not queued at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Changes something.
    Change,
    /// Reads one thing.
    Read,
    /// Reads many: lists and exports.
    List,
}

impl Class {
    /// Every class, the most important first.
    pub const ALL: [Self; 3] = [Self::Change, Self::Read, Self::List];

    /// The class's label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// How many requests run at once, and how long the queues are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Requests that run at once.
    pub running: usize,
    /// Of those, lists and exports. Each keeps a processor of the database and one of ours busy: running more of them
    /// at once does not finish more per second, and makes all of them later.
    pub lists: usize,
    /// Requests that wait in all queues together.
    pub queue: usize,
    /// The longest wait in a queue, for those whose callers do not say how long they would wait.
    pub max_wait: Duration,
    /// The longest wait in a congested queue; half for lists, twice for changes.
    pub target: Duration,
    /// The span of "lately": what a party had in the current span or in the one before. Long enough that a few requests
    /// at once do not count as greed, short enough that it is soon forgotten.
    pub lately: Duration,
}

/// A request that asks for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRequest<'a, K> {
    /// What kind of work it is, which decides who goes first.
    pub class: Class,
    /// The party that it counts against.
    pub party: &'a K,
    /// When its caller gives up, on the same time scale as `now`.
    pub until: Duration,
    /// Whether it waits until then in an overload, too, because its caller takes a refusal for a failure.
    pub delayed: bool,
}

/// What happens to a request that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It may start.
    Begin,
    /// It waits under that number; the second number is a waiting request that is turned away to make room.
    Wait(u64, Option<u64>),
    /// It is turned away.
    TurnedAway,
}

/// The queues, and the number of requests that run.
#[derive(Debug)]
pub struct Queue<K> {
    lanes: [Lane<K>; 3],
    running: usize,
    /// How many of the running requests are lists.
    lists: usize,
    /// Which parties had lists lately.
    shares: Shares<K>,
    /// One group for all other classes, and one for lists.
    kinds: [LaneGroup; 2],
    next_id: u64,
    turns: u32,
}

/// Classes that share slots: lists, or all others.
#[derive(Debug, Clone, Copy, Default)]
struct LaneGroup {
    /// How fast its queues drain.
    drain: Drain,
    /// How many have started since the process began.
    begun: u64,
}

impl<K: Eq + Hash + Clone> Default for Queue<K> {
    fn default() -> Self {
        let lanes = [Lane::new(), Lane::new(), Lane::new()];
        let (shares, kinds) = (Shares::default(), [LaneGroup::default(); 2]);
        Self { lanes, running: 0, lists: 0, shares, kinds, next_id: 0, turns: 0 }
    }
}

impl<K: Eq + Hash + Clone> Queue<K> {
    /// How many requests run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(Lane::waiting).sum()
    }

    /// Whether a party has for some time been asking for more of this class than can be done.
    pub fn is_overloaded_by(&self, class: Class, party: &K, now: Duration) -> bool {
        self.lanes[class as usize].congestion.is(party, now)
    }

    /// Handles a request that arrives. `now` counts from any fixed moment.
    pub fn arrive(&mut self, room: &Capacity, asking: &QueueRequest<'_, K>, now: Duration) -> Arrival {
        let QueueRequest { class, party, until, delayed } = *asking;
        self.shares.go_on(room.lately, now);
        // If it may start, no request is waiting that could start as well, except of its own party.
        if self.may_begin(room, class, party) {
            self.begin(class, party, 0, now);
            return Arrival::Begin;
        }
        if self.would_be_late(asking, now) {
            return Arrival::TurnedAway;
        }
        let mut victim = None;
        if self.waiting() >= room.queue {
            victim = self.make_room(class, party);
            if victim.is_none() {
                return Arrival::TurnedAway;
            }
        }
        let id = self.next_id;
        self.next_id += 1;
        let begun = self.kinds[kind(class)].begun;
        self.note_length(class, party, now);
        self.lanes[class as usize].push(party, QueuedRequest { id, since: now, until, delayed, begun });
        self.note_waiting(now);
        Arrival::Wait(id, victim)
    }

    /// Notes whether a queue that was congested until lately is long again.
    fn note_length(&mut self, class: Class, party: &K, now: Duration) {
        if self.lanes[class as usize].congestion.is_tried(party, now) {
            let others = self.waiting_before(class) + self.lanes[class as usize].ahead_of(party);
            self.lanes[class as usize].congestion.waits_behind(party, others, now);
        }
    }

    /// Whether the queue, at the rate it drains, would not reach the request in time. In a congested queue the target
    /// decides instead.
    fn would_be_late(&mut self, asking: &QueueRequest<'_, K>, now: Duration) -> bool {
        let QueueRequest { class, party, until, .. } = *asking;
        if self.is_overloaded_by(class, party, now) {
            return false;
        }
        let before = self.waiting_before(class);
        let drain = &mut self.kinds[kind(class)].drain;
        let mut is_late = |ahead: usize| drain.time_for(ahead + 1, now).is_some_and(|time| now + time > until);
        let lane = &self.lanes[class as usize];
        // The position by turns matters only if the queue as a whole is too long.
        is_late(before + lane.waiting()) && is_late(before + lane.ahead_of(party))
    }

    /// How many requests of higher classes wait for the same slots.
    fn waiting_before(&self, class: Class) -> usize {
        let before = Class::ALL.into_iter().filter(|other| *other < class && kind(*other) == kind(class));
        before.map(|other| self.lanes[other as usize].waiting()).sum()
    }

    /// Turns away a request that matters less than a new one of `class` and `party`, if there is one.
    fn make_room(&mut self, class: Class, party: &K) -> Option<u64> {
        let lowest = Class::ALL.into_iter().rev().find(|class| !self.lanes[*class as usize].is_empty())?;
        let lane = &mut self.lanes[lowest as usize];
        let (longest, length, last) = lane.longest()?;
        if lowest < class || lowest == class && lane.length(party) + 1 >= length {
            return None;
        }
        lane.remove(&longest, last)?;
        Some(last)
    }

    /// A request of that class has ended. Returns the request that may start now, if any; `turned_away` gets those that
    /// waited too long.
    pub fn leave(&mut self, room: &Capacity, ended: Class, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.running = self.running.saturating_sub(1);
        self.lists = self.lists.saturating_sub(usize::from(ended == Class::List));
        self.call(room, now, turned_away)
    }

    /// Returns a request that may start, if a slot is free; call it until it returns none. It seldom returns a second
    /// for one that left: a party whose excess is forgotten may start as many at once as there are slots.
    pub fn call(&mut self, room: &Capacity, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.shares.go_on(room.lately, now);
        let mut called = None;
        while let Some(class) = self.next(room) {
            let Some((party, waiter, stands)) = self.pop(room, class, now) else { break };
            let already = turned_away.len();
            // The last one runs even if late: leaving the slot free would gain nothing.
            let is_late = if stands && self.anybody(room) {
                let before = now.saturating_sub(longest_wait(room, class));
                self.lanes[class as usize].expire(&party, before, turned_away);
                waiter.is_late(before, now)
            } else {
                now > waiter.until
            };
            if is_late {
                turned_away.push(waiter.id);
            }
            if stands && turned_away.len() > already {
                self.lanes[class as usize].congestion.turned_away(&party, now);
            }
            if !is_late {
                self.kinds[kind(class)].drain.call(now);
                let behind = self.kinds[kind(class)].begun - waiter.begun;
                self.begin(class, &party, behind, now);
                called = Some(waiter.id);
                break;
            }
        }
        self.note_waiting(now);
        called
    }

    /// A request leaves its queue by itself. `false`: it is no longer there.
    pub fn give_up(&mut self, class: Class, party: &K, id: u64, now: Duration) -> bool {
        let left = self.lanes[class as usize].remove(party, id).is_some();
        self.note_waiting(now);
        left
    }

    /// Starts a request; `behind` others of its kind have started since it arrived.
    fn begin(&mut self, class: Class, party: &K, behind: u64, now: Duration) {
        self.running += 1;
        self.kinds[kind(class)].begun += 1;
        self.lanes[class as usize].congestion.began(party, behind, now);
        if class == Class::List {
            self.lists += 1;
            self.shares.note(party);
        }
    }

    fn is_free(&self, room: &Capacity, class: Class) -> bool {
        self.running < room.running && (class != Class::List || self.lists < room.lists)
    }

    /// Whether a request of `party` could start at once.
    fn may_begin(&self, room: &Capacity, class: Class, party: &K) -> bool {
        self.is_free(room, class) && (self.is_for_all(room, class) || !self.shares.has_more(party))
    }

    /// Whether a free slot is open to parties that had more than their share, too.
    fn is_for_all(&self, room: &Capacity, class: Class) -> bool {
        class != Class::List || self.lists < (room.lists / 2).max(1)
    }

    fn pop(&mut self, room: &Capacity, class: Class, now: Duration) -> Option<(K, QueuedRequest, bool)> {
        let for_all = self.is_for_all(room, class);
        let Self { lanes, shares, .. } = self;
        lanes[class as usize].pop(now, |party| for_all || !shares.has_more(party))
    }

    fn note_waiting(&mut self, now: Duration) {
        let [change, read, list] = &self.lanes;
        let anybody = [!change.is_empty() || !read.is_empty(), !list.is_empty()];
        for (kind, anybody) in self.kinds.iter_mut().zip(anybody) {
            kind.drain.wait(anybody, now);
        }
    }

    /// Whether any request waits that could start.
    fn anybody(&self, room: &Capacity) -> bool {
        Class::ALL.into_iter().any(|class| self.can_begin(room, class))
    }

    fn can_begin(&self, room: &Capacity, class: Class) -> bool {
        let turns = &self.lanes[class as usize].turns;
        turns.iter().any(|party| self.may_begin(room, class, party))
    }

    /// The class whose turn it is, among those with a request that could start.
    fn next(&mut self, room: &Capacity) -> Option<Class> {
        self.turns = (self.turns + 1) % LEFT_OVER;
        let mut order = Class::ALL;
        if self.turns == 0 {
            order.reverse();
        }
        order.into_iter().find(|class| self.can_begin(room, *class))
    }
}

/// The index in [`Queue::kinds`] of a class's group.
fn kind(class: Class) -> usize {
    usize::from(class == Class::List)
}

/// The longest wait of a class in a congested queue.
fn longest_wait(room: &Capacity, class: Class) -> Duration {
    match class {
        Class::Change => room.target * 2,
        Class::Read => room.target,
        Class::List => room.target / 2,
    }
}

#[cfg(test)]
mod tests;
