//! One account for each team or address, in bounded memory.
//!
//! What must stay true: an account in its initial state is dropped, which makes no difference to anybody; if there are
//! more busy accounts than may be stored, further parties share one. So memory is bounded however many names somebody
//! invents, and nobody who has an account loses it to them.

use std::collections::HashMap;
use std::hash::Hash;

use super::bucket::Bucket;
use crate::domain::clock::Instant;

/// How often a full book is searched for accounts to drop, in seconds.
const LOOK_THROUGH: i64 = 1;

/// What is counted for one party.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartyAccount {
    /// Its rate limit.
    pub bucket: Bucket,
    /// Requests that are running.
    pub running: u32,
    /// Requests that wait for an event.
    pub waiting: u32,
}

impl PartyAccount {
    fn is_like_new(&self, now: Instant) -> bool {
        self.running == 0 && self.waiting == 0 && self.bucket.is_full(now)
    }
}

/// Accounts by party.
#[derive(Debug)]
pub struct Book<K> {
    accounts: HashMap<K, PartyAccount>,
    shared: PartyAccount,
    most: usize,
    looked: Option<Instant>,
}

impl<K: Eq + Hash + Clone> Book<K> {
    /// An empty book for at most `most` accounts.
    pub fn new(most: usize) -> Self {
        Self { accounts: HashMap::new(), shared: PartyAccount::default(), most, looked: None }
    }

    /// The account of `party`, created if there is none, and whether the party has it to itself.
    pub fn open(&mut self, party: &K, now: Instant) -> (&mut PartyAccount, bool) {
        if !self.accounts.contains_key(party) {
            if self.accounts.len() >= self.most {
                self.forget(now);
            }
            if self.accounts.len() >= self.most {
                return (&mut self.shared, false);
            }
        }
        (self.accounts.entry(party.clone()).or_default(), true)
    }

    /// The account that [`Self::open`] returned.
    pub fn of(&mut self, party: &K, own: bool) -> &mut PartyAccount {
        if own { self.accounts.entry(party.clone()).or_default() } else { &mut self.shared }
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Not on every request: a full book would be searched from end to end each time.
    fn forget(&mut self, now: Instant) {
        // After the clock was set back, it is searched once more.
        let recently = self.looked.is_some_and(|looked| (0..LOOK_THROUGH).contains(&(now - looked).num_seconds()));
        if !recently {
            self.looked = Some(now);
            self.accounts.retain(|_, account| !account.is_like_new(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::domain::limits::bucket::Rate;

    const RATE: Rate = Rate { per_second: 1, burst: 1 };
    const START: Instant = Instant::UNIX_EPOCH;

    #[test]
    fn a_million_names_cost_the_memory_of_the_book() {
        let mut book = Book::new(100);
        let (mut own, mut shared) = (0, 0);
        for name in 0..1_000_000_u32 {
            let now = START + Duration::microseconds(i64::from(name));
            let (account, is_own) = book.open(&name, now);
            if account.bucket.take(RATE, now).retry_after_seconds.is_none() {
                *(if is_own { &mut own } else { &mut shared }) += 1;
            }
            assert!(book.len() <= 100);
        }
        assert_eq!((own, shared), (100, 1), "in a second: all others are one party");
    }

    #[test]
    fn who_is_busy_keeps_the_account_and_who_is_not_makes_room() {
        let mut book = Book::new(2);
        book.open(&"busy", START).0.running = 1;
        book.open(&"idle", START).0.bucket.take(RATE, START);
        assert!(!book.open(&"new", START).1);
        let later = START + Duration::seconds(2);
        assert!(book.open(&"new", later).1, "the bucket of the idle one is full again");
        let (busy, own) = book.open(&"busy", later);
        assert_eq!((busy.running, own), (1, true));
        assert_eq!(book.len(), 2);
    }
}
