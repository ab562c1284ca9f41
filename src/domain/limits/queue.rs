//! Who is worked for next, and who is turned away, when there is more to do than can be done at once.
//!
//! So many requests are worked on, and so many lists and exports among them; the others stand in lines: one for each party in
//! each class. A place that becomes free goes to the highest class in which anybody stands, there to the party whose turn it is, there to whom came first; one
//! place in [`LEFT_OVER`] goes to the lowest class, so that none starves. So a party that sends ten times its share waits
//! in its own line, ten times as long.
//!
//! A line that is short for a moment is a burst; one that never ends is a load, and waiting only makes everybody late.
//! So one is waited in for [`Room::patience`] at most, and once no place was free for as long, for [`Room::target`] (the
//! controlled delay of CoDel): half of it in the lowest class, twice in the highest. Then whoever came last in a line is the
//! next: who came first has waited nearly too long already, and everybody who is worked for would have. Where the lines are
//! full, the newest of the longest line of the lowest class is turned away.
//!
//! Taking turns alone would leave the others behind whatever the greedy one has just begun: every core is busy with it. So a
//! party that had more than its share of lists lately ([`super::shares`]) begins another only while fewer than half of
//! the places for lists are taken; the other half is kept for those who come.
//!
//! What must stay true: but for that, work never waits while a place is free, and nobody waits where nothing is worked on;
//! the memory is bounded; what is turned away was not begun.

use std::hash::Hash;
use std::time::Duration;

use super::shares::Shares;
use lane::Lane;

mod lane;

/// One place in so many goes to the lowest class.
const LEFT_OVER: u32 = 16;
/// How many times the patience nobody must have been turned away until a load counts as over. Sooner, and each moment
/// of relief would let the lines grow again.
const RELIEF: u32 = 5;

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
pub struct Room {
    /// Requests that are worked on at once.
    pub running: usize,
    /// Of those, lists and exports. Each keeps a processor of the database and of ours busy: more of them at once are no
    /// more a second, and all are later.
    pub lists: usize,
    /// Requests that stand in all lines together.
    pub queue: usize,
    /// The longest wait in a line, and for how long no place must have been free until that is too much to do.
    pub patience: Duration,
    /// The longest wait while there is too much to do.
    pub target: Duration,
    /// What a party had in this span of time or in the one before, it had lately. Long enough that a few requests at once
    /// are no greed, short enough that it is soon forgotten.
    pub lately: Duration,
}

/// Who stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiter {
    /// Its number.
    id: u64,
    since: Duration,
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
    waiting: usize,
    /// How busy it is for lists, and for all else.
    times: [Busy; 2],
    next_id: u64,
    turns: u32,
}

/// Since when there was no place for some classes.
#[derive(Debug, Clone, Copy, Default)]
struct Busy {
    /// When a place was free, the last time. Lines that are empty because all were turned away are no sign of that.
    last_free: Duration,
    /// Until when it counts as too much to do, even where a place is free for a moment.
    strict_until: Duration,
}

impl<K: Eq + Hash + Clone> Default for Queue<K> {
    fn default() -> Self {
        let lanes = [Lane::new(), Lane::new(), Lane::new()];
        let (shares, times) = (Shares::default(), [Busy::default(); 2]);
        Self { lanes, running: 0, lists: 0, shares, waiting: 0, times, next_id: 0, turns: 0 }
    }
}

impl<K: Eq + Hash + Clone> Queue<K> {
    /// How many are worked for.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many stand in line.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether there is more to do for this class than can be done, for some time already.
    pub fn is_overloaded(&self, room: &Room, class: Class, now: Duration) -> bool {
        let busy = self.times[kind(class)];
        self.waiting > 0 && (now < busy.strict_until || now.saturating_sub(busy.last_free) > room.patience)
    }

    /// A request of `party` arrives. `now` is counted from any one moment.
    pub fn arrive(&mut self, room: &Room, class: Class, party: &K, now: Duration) -> Arrival {
        self.note_free(room, now);
        self.shares.go_on(room.lately, now);
        // Where it may begin, nobody waits who might as well, but others of its own.
        if self.may_begin(room, class, party) {
            self.begin(class, party);
            return Arrival::Begin;
        }
        let mut victim = None;
        if self.waiting >= room.queue {
            victim = self.make_room(class, party);
            if victim.is_none() {
                return Arrival::TurnedAway;
            }
        }
        let id = self.next_id;
        self.next_id += 1;
        self.waiting += 1;
        self.lanes[class as usize].push(party, Waiter { id, since: now });
        Arrival::Wait(id, victim)
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
        self.waiting -= 1;
        Some(last)
    }

    /// One of that class has ended. Who may begin now, if anybody; `turned_away` gets those whose wait was too long.
    pub fn leave(&mut self, room: &Room, ended: Class, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.running = self.running.saturating_sub(1);
        self.lists = self.lists.saturating_sub(usize::from(ended == Class::List));
        self.call(room, now, turned_away)
    }

    /// Who may begin, if a place is free for anybody; to be asked until there is nobody. Seldom is there a second for one
    /// who left: a party whose greed is forgotten may begin as many at once as there are places.
    pub fn call(&mut self, room: &Room, now: Duration, turned_away: &mut Vec<u64>) -> Option<u64> {
        self.shares.go_on(room.lately, now);
        while let Some(class) = self.next(room) {
            let overloaded = self.is_overloaded(room, class, now);
            let Some((party, waiter)) = self.pop(room, class, overloaded) else { break };
            self.waiting -= 1;
            let already = turned_away.len();
            // The last one is worked for: nothing would be won by leaving the place free.
            let last = !self.anybody(room);
            let longest = longest_wait(room, class, overloaded && !last);
            if overloaded {
                let before = now.saturating_sub(longest);
                self.waiting -= self.lanes[class as usize].expire(&party, before, turned_away);
            }
            let begins = now.saturating_sub(waiter.since) <= longest;
            if !begins {
                turned_away.push(waiter.id);
            }
            if overloaded && turned_away.len() > already {
                self.times[kind(class)].strict_until = now + room.patience * RELIEF;
            }
            if begins {
                self.begin(class, &party);
                return Some(waiter.id);
            }
        }
        self.note_free(room, now);
        None
    }

    /// One leaves its line by itself. `false`: it does not stand there any more.
    pub fn give_up(&mut self, class: Class, party: &K, id: u64) -> bool {
        let left = self.lanes[class as usize].remove(party, id).is_some();
        self.waiting -= usize::from(left);
        left
    }

    fn begin(&mut self, class: Class, party: &K) {
        self.running += 1;
        if class == Class::List {
            self.lists += 1;
            self.shares.note(party);
        }
    }

    fn is_free(&self, room: &Room, class: Class) -> bool {
        self.running < room.running && (class != Class::List || self.lists < room.lists)
    }

    /// Whether one of `party` would be worked for at once.
    fn may_begin(&self, room: &Room, class: Class, party: &K) -> bool {
        self.is_free(room, class) && (self.is_for_all(room, class) || !self.shares.has_more(party))
    }

    /// Whether a place that is free is there for whoever had more than its share, too.
    fn is_for_all(&self, room: &Room, class: Class) -> bool {
        class != Class::List || self.lists < (room.lists / 2).max(1)
    }

    fn pop(&mut self, room: &Room, class: Class, newest: bool) -> Option<(K, Waiter)> {
        let for_all = self.is_for_all(room, class);
        let Self { lanes, shares, .. } = self;
        lanes[class as usize].pop(newest, |party| for_all || !shares.has_more(party))
    }

    fn note_free(&mut self, room: &Room, now: Duration) {
        for class in [Class::Read, Class::List] {
            if self.is_free(room, class) {
                self.times[kind(class)].last_free = now;
            }
        }
    }

    /// Whether anybody stands there who could begin.
    fn anybody(&self, room: &Room) -> bool {
        Class::ALL.into_iter().any(|class| self.can_begin(room, class))
    }

    fn can_begin(&self, room: &Room, class: Class) -> bool {
        let turns = &self.lanes[class as usize].turns;
        turns.iter().any(|party| self.may_begin(room, class, party))
    }

    /// The class whose turn it is, among those in which somebody could begin.
    fn next(&mut self, room: &Room) -> Option<Class> {
        self.turns = (self.turns + 1) % LEFT_OVER;
        let mut order = Class::ALL;
        if self.turns == 0 {
            order.reverse();
        }
        order.into_iter().find(|class| self.can_begin(room, *class))
    }
}

/// Which of [`Queue::times`] tells how busy it is for a class.
fn kind(class: Class) -> usize {
    usize::from(class == Class::List)
}

fn longest_wait(room: &Room, class: Class, overloaded: bool) -> Duration {
    match (overloaded, class) {
        (false, _) => room.patience,
        (true, Class::Change) => room.target * 2,
        (true, Class::Read) => room.target,
        (true, Class::List) => room.target / 2,
    }
}

#[cfg(test)]
mod tests;
