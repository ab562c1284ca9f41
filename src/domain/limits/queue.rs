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
//! What must stay true: work never waits while a place is free; the memory is bounded; what is turned away was not begun.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

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
}

/// Who stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    /// Its number.
    pub id: u64,
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

/// The lines of one class: whose turn it is, and who stands for each.
#[derive(Debug)]
struct Lane<K> {
    turns: VecDeque<K>,
    lines: HashMap<K, VecDeque<Waiter>>,
}

impl<K: Eq + Hash + Clone> Lane<K> {
    fn new() -> Self {
        Self { turns: VecDeque::new(), lines: HashMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn length(&self, party: &K) -> usize {
        self.lines.get(party).map_or(0, VecDeque::len)
    }

    fn push(&mut self, party: &K, waiter: Waiter) {
        let line = self.lines.entry(party.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(party.clone());
        }
        line.push_back(waiter);
    }

    /// The first of the party whose turn it is, or the `newest`; then it is the next one's.
    fn pop(&mut self, newest: bool) -> Option<(K, Waiter)> {
        let party = self.turns.pop_front()?;
        let line = self.lines.get_mut(&party)?;
        let found = if newest { line.pop_back() } else { line.pop_front() };
        if line.is_empty() {
            self.lines.remove(&party);
        } else {
            self.turns.push_back(party.clone());
        }
        found.map(|found| (party, found))
    }

    /// Takes out those of the party who came before that; how many they were.
    fn expire(&mut self, party: &K, before: Duration, turned_away: &mut Vec<u64>) -> usize {
        let Some(line) = self.lines.get_mut(party) else { return 0 };
        let count = line.iter().take_while(|waiter| waiter.since < before).count();
        turned_away.extend(line.drain(..count).map(|waiter| waiter.id));
        if line.is_empty() {
            self.lines.remove(party);
            self.turns.retain(|other| other != party);
        }
        count
    }

    /// Takes out who stands there under that number.
    fn remove(&mut self, party: &K, id: u64) -> Option<Waiter> {
        let line = self.lines.get_mut(party)?;
        let place = line.iter().position(|waiter| waiter.id == id)?;
        let found = line.remove(place);
        if line.is_empty() {
            self.lines.remove(party);
            self.turns.retain(|other| other != party);
        }
        found
    }

    /// The party with the longest line, how long it is, and who came last in it.
    fn longest(&self) -> Option<(K, usize, u64)> {
        // By the order of turns, so that it does not depend on a hash.
        let longest = self.turns.iter().max_by_key(|party| self.length(party))?;
        let line = self.lines.get(longest)?;
        Some((longest.clone(), line.len(), line.back()?.id))
    }
}

/// The lines, and how many are worked for.
#[derive(Debug)]
pub struct Queue<K> {
    lanes: [Lane<K>; 3],
    running: usize,
    /// Of those, lists.
    lists: usize,
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
        Self { lanes, running: 0, lists: 0, waiting: 0, times: [Busy::default(); 2], next_id: 0, turns: 0 }
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
        // Where a place is free, nobody waits for one like it.
        self.note_free(room, now);
        if self.is_free(room, class) {
            self.begin(class);
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
        while let Some(class) = self.next(room) {
            let overloaded = self.is_overloaded(room, class, now);
            let Some((party, waiter)) = self.lanes[class as usize].pop(overloaded) else { break };
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
                self.begin(class);
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

    fn begin(&mut self, class: Class) {
        self.running += 1;
        self.lists += usize::from(class == Class::List);
    }

    fn is_free(&self, room: &Room, class: Class) -> bool {
        self.running < room.running && (class != Class::List || self.lists < room.lists)
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
        self.is_free(room, class) && !self.lanes[class as usize].is_empty()
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
