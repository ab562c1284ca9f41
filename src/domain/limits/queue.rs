//! Who is worked for next, and who is turned away, when there is more to do than can be done at once.
//!
//! So many requests are worked on, and so many lists and exports among them; the others stand in lines: one for each
//! party in each class. A place that becomes free goes to the highest class in which anybody stands, there to the party
//! whose turn it is, there to whom came first; one place in [`LEFT_OVER`] goes to the lowest class, so that none
//! starves. So a party that sends ten times its share waits in its own line, ten times as long.
//!
//! A line that empties is a burst, and borne: whoever stands there waits as long as its caller would. Only whom the
//! line, as fast as it really drains ([`drain`]), would not reach within that time is turned away at once. A line that
//! never empties is an overload, and waiting only makes everybody late. So where the line of a party stands
//! ([`congestion`]), nobody waits there for longer than [`Capacity::target`] (the controlled delay of RFC 8289): half
//! of it in the lowest class, twice in the highest; and whoever came last is the next: who came first has waited nearly
//! too long already, and everybody who is worked for would have. Those whose callers take a refusal for a failure
//! ([`QueueRequest::delayed`]) go before them, in their order, and are turned away by their deadline alone. Where the
//! lines are full, the newest of the longest line of the lowest class is turned away.
//!
//! Taking turns alone would leave the others behind whatever the greedy one has just begun: every core is busy with it.
//! So a party that had more than its share of lists lately ([`super::shares`]) begins another only while fewer than
//! half of the places for lists are taken; the other half is kept for those who come.
//!
//! What must stay true: but for that, work never waits while a place is free, and nobody waits where nothing is worked
//! on; the memory is bounded; what is turned away was not begun.

use std::hash::Hash;
use std::time::Duration;

use super::shares::Shares;
use drain::Drain;
use lane::{Lane, QueuedRequest};

mod congestion;
mod drain;
mod lane;

/// One place in so many goes to the lowest class.
const LEFT_OVER: u32 = 16;

/// What a request is, the more important the earlier. Health and metrics do not stand in lines at all.
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

    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// How much is worked on, and how long the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Requests that are worked on at once.
    pub running: usize,
    /// Of those, lists and exports. Each keeps a processor of the database and of ours busy: more of them at once are
    /// no more a second, and all are later.
    pub lists: usize,
    /// Requests that stand in all lines together.
    pub queue: usize,
    /// The longest wait in a line, for those whose callers do not say how long they would wait.
    pub max_wait: Duration,
    /// The longest wait in a line that stands.
    pub target: Duration,
    /// What a party had in this span of time or in the one before, it had lately. Long enough that a few requests at
    /// once are no greed, short enough that it is soon forgotten.
    pub lately: Duration,
}

/// A request that asks for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRequest<'a, K> {
    /// What it is.
    pub class: Class,
    /// Whose turn it takes.
    pub party: &'a K,
    /// When its caller gives up, counted as `now` is.
    pub until: Duration,
    /// Whether it waits until then in an overload, too: its caller takes a refusal for a failure.
    pub delayed: bool,
}

/// What becomes of a request that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It may begin.
    Begin,
    /// It stands in line under that number; one that was there before is turned away for it.
    Wait(u64, Option<u64>),
    /// It is turned away.
    TurnedAway,
}

/// The lines, and how many are worked for.
#[derive(Debug)]
pub struct Queue<K> {
    lanes: [Lane<K>; 3],
    running: usize,
    /// Of those, lists.
    lists: usize,
    /// Who had those lately.
    shares: Shares<K>,
    /// Of all else, and of lists.
    kinds: [LaneGroup; 2],
    next_id: u64,
    turns: u32,
}

/// What shares places: lists, or all else.
#[derive(Debug, Clone, Copy, Default)]
struct LaneGroup {
    /// How fast its lines drain.
    drain: Drain,
    /// How many have begun, ever.
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
    /// How many are worked for.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many stand in line.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(Lane::waiting).sum()
    }

    /// Whether a party asks for more of this class than can be done, for some time already.
    pub fn is_overloaded_by(&self, class: Class, party: &K, now: Duration) -> bool {
        self.lanes[class as usize].congestion.is(party, now)
    }

    /// A request arrives. `now` is counted from any one moment.
    pub fn arrive(&mut self, room: &Capacity, asking: &QueueRequest<'_, K>, now: Duration) -> Arrival {
        let QueueRequest { class, party, until, delayed } = *asking;
        self.shares.go_on(room.lately, now);
        // Where it may begin, nobody waits who might as well, but others of its own.
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

    /// Whether a line that stood until lately is long again.
    fn note_length(&mut self, class: Class, party: &K, now: Duration) {
        if self.lanes[class as usize].congestion.is_tried(party, now) {
            let others = self.waiting_before(class) + self.lanes[class as usize].ahead_of(party);
            self.lanes[class as usize].congestion.waits_behind(party, others, now);
        }
    }

    /// Whether the line, as fast as it drains, would not reach it in time. In one that stands, the target says more.
    fn would_be_late(&mut self, asking: &QueueRequest<'_, K>, now: Duration) -> bool {
        let QueueRequest { class, party, until, .. } = *asking;
        if self.is_overloaded_by(class, party, now) {
            return false;
        }
        let before = self.waiting_before(class);
        let drain = &mut self.kinds[kind(class)].drain;
        let mut is_late = |ahead: usize| drain.time_for(ahead + 1, now).is_some_and(|time| now + time > until);
        let lane = &self.lanes[class as usize];
        // Whose turn it is needs to be known only where the whole line is too long.
        is_late(before + lane.waiting()) && is_late(before + lane.ahead_of(party))
    }

    /// How many of higher classes stand in line for the same places.
    fn waiting_before(&self, class: Class) -> usize {
        let before = Class::ALL.into_iter().filter(|other| *other < class && kind(*other) == kind(class));
        before.map(|other| self.lanes[other as usize].waiting()).sum()
    }

    /// Turns away who is less worth than a new one of `class` and `party`.
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

    /// One of that class has ended. Who may begin now, if anybody; `turned_away` gets those whose wait was too long.
    pub fn leave(&mut self, room: &Capacity, ended: Class, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.running = self.running.saturating_sub(1);
        self.lists = self.lists.saturating_sub(usize::from(ended == Class::List));
        self.call(room, now, turned_away)
    }

    /// Who may begin, if a place is free for anybody; to be asked until there is nobody. Seldom is there a second for
    /// one who left: a party whose greed is forgotten may begin as many at once as there are places.
    pub fn call(&mut self, room: &Capacity, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.shares.go_on(room.lately, now);
        let mut called = None;
        while let Some(class) = self.next(room) {
            let Some((party, waiter, stands)) = self.pop(room, class, now) else { break };
            let already = turned_away.len();
            // The last one is worked for: nothing would be won by leaving the place free.
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

    /// One leaves its line by itself. `false`: it does not stand there any more.
    pub fn give_up(&mut self, class: Class, party: &K, id: u64, now: Duration) -> bool {
        let left = self.lanes[class as usize].remove(party, id).is_some();
        self.note_waiting(now);
        left
    }

    /// One begins that let `behind` others of its kind begin since it came.
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

    /// Whether one of `party` would be worked for at once.
    fn may_begin(&self, room: &Capacity, class: Class, party: &K) -> bool {
        self.is_free(room, class) && (self.is_for_all(room, class) || !self.shares.has_more(party))
    }

    /// Whether a place that is free is there for whoever had more than its share, too.
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

    /// Whether anybody stands there who could begin.
    fn anybody(&self, room: &Capacity) -> bool {
        Class::ALL.into_iter().any(|class| self.can_begin(room, class))
    }

    fn can_begin(&self, room: &Capacity, class: Class) -> bool {
        let turns = &self.lanes[class as usize].turns;
        turns.iter().any(|party| self.may_begin(room, class, party))
    }

    /// The class whose turn it is, among those in which somebody could begin.
    fn next(&mut self, room: &Capacity) -> Option<Class> {
        self.turns = (self.turns + 1) % LEFT_OVER;
        let mut order = Class::ALL;
        if self.turns == 0 {
            order.reverse();
        }
        order.into_iter().find(|class| self.can_begin(room, *class))
    }
}

/// Which of [`Queue::kinds`] a class belongs to.
fn kind(class: Class) -> usize {
    usize::from(class == Class::List)
}

/// The longest wait in a line that stands.
fn longest_wait(room: &Capacity, class: Class) -> Duration {
    match class {
        Class::Change => room.target * 2,
        Class::Read => room.target,
        Class::List => room.target / 2,
    }
}

#[cfg(test)]
mod tests;
