//! The lines of one class: one for each party, and whose turn it is.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use super::Waiter;

/// The lines of one class: whose turn it is, and who stands for each.
#[derive(Debug)]
pub(super) struct Lane<K> {
    pub(super) turns: VecDeque<K>,
    pub(super) lines: HashMap<K, VecDeque<Waiter>>,
}

impl<K: Eq + Hash + Clone> Lane<K> {
    pub(super) fn new() -> Self {
        Self { turns: VecDeque::new(), lines: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn length(&self, party: &K) -> usize {
        self.lines.get(party).map_or(0, VecDeque::len)
    }

    pub(super) fn push(&mut self, party: &K, waiter: Waiter) {
        let line = self.lines.entry(party.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(party.clone());
        }
        line.push_back(waiter);
    }

    /// The first of the party whose turn it is among those that `may`, or its `newest`; then it is the next one's.
    pub(super) fn pop(&mut self, newest: bool, may: impl Fn(&K) -> bool) -> Option<(K, Waiter)> {
        let place = self.turns.iter().position(may)?;
        let party = self.turns.remove(place)?;
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
    pub(super) fn expire(&mut self, party: &K, before: Duration, turned_away: &mut Vec<u64>) -> usize {
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
    pub(super) fn remove(&mut self, party: &K, id: u64) -> Option<Waiter> {
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
    pub(super) fn longest(&self) -> Option<(K, usize, u64)> {
        // By the order of turns, so that it does not depend on a hash.
        let longest = self.turns.iter().max_by_key(|party| self.length(party))?;
        let line = self.lines.get(longest)?;
        Some((longest.clone(), line.len(), line.back()?.id))
    }
}
