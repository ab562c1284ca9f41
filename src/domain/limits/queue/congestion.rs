//! Which queues are congested: parties that ask for more than can be done, and have done so for some time.
//!
//! A burst is a queue that empties; an overload is one that does not (the standing queue of RFC 8289). A queue is
//! congested once every request of the party that started within [`Congestion::AFTER`] had waited behind more than
//! [`Congestion::LONG`] others. This counts requests, not time, so that a slow machine is no overload. Each party is
//! judged by its own queue: nobody's burst is cut short by another's overload.
//!
//! A congested queue is kept short, so its length says nothing about the demand. Nor do refusals: a caller who retries
//! at once is refused again, and a few such callers would prolong an overload that ended long ago. So every
//! [`Congestion::STANDS`] the queue is probed: nobody is turned away until it is long again, which an overload shows
//! almost at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// The state of each party; parties without congestion are forgotten.
#[derive(Debug)]
pub(super) struct Congestion<K> {
    parties: HashMap<K, LineState>,
    swept: Duration,
}

#[derive(Debug, Clone, Copy)]
struct LineState {
    /// Since when every request that started had waited behind many others.
    long_since: Option<Duration>,
    /// When the last such request started.
    noted: Duration,
    /// Until when the queue counts as congested, even if it is empty for a moment; after that it is probed. Zero: it
    /// never was.
    until: Duration,
}

impl<K: Eq + Hash + Clone> Congestion<K> {
    /// A wait behind more requests than this is a long one.
    pub(super) const LONG: u64 = 128;
    /// How long all waits must be long. Whatever an idle gateway could serve within this time is a burst.
    pub(super) const AFTER: Duration = Duration::from_secs(2);
    /// How long a queue is congested before it is probed. If this were shorter, the waits during probes would show
    /// among all waits.
    pub(super) const STANDS: Duration = Duration::from_secs(2);
    /// A queue that is being probed counts as long again if a request waits behind more than this.
    pub(super) const LONG_AGAIN: usize = 64;

    pub(super) fn new() -> Self {
        Self { parties: HashMap::new(), swept: Duration::ZERO }
    }

    /// A request of `party` starts, after `behind` others started since it arrived.
    pub(super) fn began(&mut self, party: &K, behind: u64, now: Duration) {
        self.sweep(now);
        if behind <= Self::LONG {
            if let Some(line) = self.parties.get_mut(party) {
                line.long_since = None;
            }
            return;
        }
        let fresh = LineState { long_since: None, noted: now, until: Duration::ZERO };
        let line = self.parties.entry(party.clone()).or_insert(fresh);
        if now.saturating_sub(line.noted) > Self::AFTER {
            line.long_since = None;
        }
        line.long_since.get_or_insert(now);
        line.noted = now;
    }

    /// A request of `party` is turned away because its queue is congested.
    pub(super) fn turned_away(&mut self, party: &K, now: Duration) {
        if let Some(line) = self.parties.get_mut(party).filter(|line| now >= line.until) {
            line.until = now + Self::STANDS;
        }
    }

    /// Whether the queue of `party` was congested until lately, and is being probed.
    pub(super) fn is_tried(&self, party: &K, now: Duration) -> bool {
        self.parties.get(party).is_some_and(|line| line.is_tried(Self::AFTER, now))
    }

    /// A request of `party` will wait behind so many others: a probe that finds a long queue is over.
    pub(super) fn waits_behind(&mut self, party: &K, others: usize, now: Duration) {
        let tried = |line: &&mut LineState| line.is_tried(Self::AFTER, now);
        if let Some(line) = self.parties.get_mut(party).filter(tried).filter(|_| others > Self::LONG_AGAIN) {
            line.until = now + Self::STANDS;
        }
    }

    /// Whether the queue of `party` is congested.
    pub(super) fn is(&self, party: &K, now: Duration) -> bool {
        self.parties.get(party).is_some_and(|line| now < line.until || line.is_long(Self::AFTER, now))
    }

    /// Forgets parties that are neither congested nor probed, so memory holds no more parties than started something
    /// lately.
    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) >= Self::AFTER {
            self.swept = now;
            let is_needed = |line: &LineState| now < line.until || line.is_tried(Self::AFTER, now);
            self.parties.retain(|_, line| is_needed(line) || now.saturating_sub(line.noted) <= Self::AFTER);
        }
    }
}

impl LineState {
    /// Whether it was congested until a short time ago.
    fn is_tried(&self, after: Duration, now: Duration) -> bool {
        !self.until.is_zero() && now >= self.until && now.saturating_sub(self.until) <= after
    }

    fn is_long(&self, after: Duration, now: Duration) -> bool {
        let lately = now.saturating_sub(self.noted) <= after;
        lately && self.long_since.is_some_and(|since| now.saturating_sub(since) >= after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parties = Congestion<&'static str>;
    const MANY: u64 = Parties::LONG + 1;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_line_stands_once_all_waits_of_two_seconds_were_long() {
        let mut congestion = Parties::new();
        for at in (100..=2_000).step_by(100) {
            congestion.began(&"a", MANY, ms(at));
            assert!(!congestion.is(&"a", ms(at)), "{at}");
        }
        congestion.began(&"a", MANY, ms(2_100));
        assert!(congestion.is(&"a", ms(2_100)) && !congestion.is(&"b", ms(2_100)), "each by its own");
        congestion.began(&"a", Parties::LONG, ms(2_150));
        assert!(!congestion.is(&"a", ms(2_150)), "it has emptied");
    }

    #[test]
    fn waits_that_lie_far_apart_are_no_standing_line() {
        let mut congestion = Parties::new();
        for at in (0..60_000).step_by(5_000) {
            congestion.began(&"a", MANY, ms(at));
            assert!(!congestion.is(&"a", ms(at)));
        }
    }

    #[test]
    fn a_line_that_stands_is_tried_however_many_are_turned_away() {
        let mut congestion = Parties::new();
        (0..=20).for_each(|step| congestion.began(&"a", MANY, ms(step * 100)));
        for at in (2_000..4_000).step_by(10) {
            congestion.began(&"a", 0, ms(at));
            congestion.turned_away(&"a", ms(at));
        }
        let few = Parties::LONG_AGAIN;
        assert!(congestion.is(&"a", ms(3_999)) && !congestion.is(&"a", ms(4_000)));
        congestion.waits_behind(&"a", few, ms(4_100));
        assert!(!congestion.is(&"a", ms(4_100)), "a short line does not stand");
        congestion.waits_behind(&"a", few + 1, ms(4_100));
        assert!(congestion.is(&"a", ms(4_100)) && congestion.is(&"a", ms(6_099)) && !congestion.is(&"a", ms(6_100)));
        congestion.waits_behind(&"a", few + 1, ms(8_200));
        assert!(!congestion.is(&"a", ms(8_200)), "two seconds without one are the end of it");
        congestion.began(&"b", 0, ms(10_000));
        assert!(congestion.parties.is_empty());
    }
}
