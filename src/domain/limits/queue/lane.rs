//! The queues of one class: one for each party, and whose turn it is.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use super::congestion::Congestion;

/// A request that waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueuedRequest {
    /// The id that the queue gave it.
    pub(super) id: u64,
    pub(super) since: Duration,
    /// When its caller gives up.
    pub(super) until: Duration,
    /// Whether it is delayed rather than turned away.
    pub(super) delayed: bool,
    /// How many requests of its kind had started when it arrived.
    pub(super) begun: u64,
}

impl QueuedRequest {
    /// Whether its turn comes too late, in a congested queue that serves nobody who arrived before `before`.
    pub(super) fn is_late(&self, before: Duration, now: Duration) -> bool {
        now > self.until || !self.delayed && self.since < before
    }
}

/// The queues of one class: whose turn it is, and which requests wait for each party.
#[derive(Debug)]
pub(super) struct Lane<K> {
    pub(super) turns: VecDeque<K>,
    pub(super) lines: HashMap<K, Line>,
    /// Which parties' queues are congested.
    pub(super) congestion: Congestion<K>,
    waiting: usize,
}

/// One party's queue, in order of arrival: the requests that are not delayed, and those that are.
#[derive(Debug, Default)]
pub(super) struct Line([VecDeque<QueuedRequest>; 2]);

impl<K: Eq + Hash + Clone> Lane<K> {
    pub(super) fn new() -> Self {
        Self { turns: VecDeque::new(), lines: HashMap::new(), congestion: Congestion::new(), waiting: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// How many requests wait in all its queues.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn length(&self, party: &K) -> usize {
        self.lines.get(party).map_or(0, Line::len)
    }

    /// How many requests are served before a new one of `party` when parties take turns: those in its own queue, and up
    /// to as many of each other party's plus one.
    pub(super) fn ahead_of(&self, party: &K) -> usize {
        let own = self.length(party);
        let others = self.lines.iter().filter(|(other, _)| *other != party);
        own + others.map(|(_, line)| line.len().min(own + 1)).sum::<usize>()
    }

    pub(super) fn push(&mut self, party: &K, waiter: QueuedRequest) {
        let line = self.lines.entry(party.clone()).or_default();
        if line.len() == 0 {
            self.turns.push_back(party.clone());
        }
        line.0[usize::from(waiter.delayed)].push_back(waiter);
        self.waiting += 1;
    }

    /// Removes a request of the next party in turn among those that `may`, and says whether its queue is congested;
    /// then it is the next party's turn.
    pub(super) fn pop(&mut self, now: Duration, may: impl Fn(&K) -> bool) -> Option<(K, QueuedRequest, bool)> {
        let place = self.turns.iter().position(may)?;
        let party = self.turns.remove(place)?;
        let stands = self.congestion.is(&party, now);
        let line = self.lines.get_mut(&party)?;
        let found = line.pop(stands)?;
        self.waiting -= 1;
        if line.len() == 0 {
            self.lines.remove(&party);
        } else {
            self.turns.push_back(party.clone());
        }
        Some((party, found, stands))
    }

    /// Removes the party's requests that arrived before `before` and are not delayed.
    pub(super) fn expire(&mut self, party: &K, before: Duration, turned_away: &mut Vec<u64>) {
        let Some(Line([line, _])) = self.lines.get_mut(party) else { return };
        let count = line.iter().take_while(|waiter| waiter.since < before).count();
        turned_away.extend(line.drain(..count).map(|waiter| waiter.id));
        self.waiting -= count;
        self.forget_empty(party);
    }

    /// Removes the request with that id.
    pub(super) fn remove(&mut self, party: &K, id: u64) -> Option<QueuedRequest> {
        let line = self.lines.get_mut(party)?;
        let found = line.0.iter_mut().find_map(|half| {
            let place = half.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
            half.remove(place)
        })?;
        self.waiting -= 1;
        self.forget_empty(party);
        Some(found)
    }

    /// The party with the longest queue, its length, and the newest request in it.
    pub(super) fn longest(&self) -> Option<(K, usize, u64)> {
        // In the order of turns, so that it does not depend on a hash.
        let longest = self.turns.iter().max_by_key(|party| self.length(party))?;
        let line = self.lines.get(longest)?;
        let last = line.0.iter().filter_map(VecDeque::back).map(|waiter| waiter.id).max()?;
        Some((longest.clone(), line.len(), last))
    }

    fn forget_empty(&mut self, party: &K) {
        if self.lines.get(party).is_some_and(|line| line.len() == 0) {
            self.lines.remove(party);
            self.turns.retain(|other| other != party);
        }
    }
}

impl Line {
    fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }

    /// Removes the first request; in a congested queue the first delayed one, or else the newest.
    fn pop(&mut self, stands: bool) -> Option<QueuedRequest> {
        let [others, delayed] = &mut self.0;
        if stands {
            return delayed.pop_front().or_else(|| others.pop_back());
        }
        let first = [others.front(), delayed.front()].into_iter().flatten().map(|waiter| waiter.id).min()?;
        let half = if others.front().is_some_and(|waiter| waiter.id == first) { others } else { delayed };
        half.pop_front()
    }
}
