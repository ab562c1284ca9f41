//! Whose line stands: parties that ask for more than can be done, for long.
//!
//! A burst is a line that empties; an overload is one that does not (the standing queue of RFC 8289). A line stands
//! once every request of the party that began within [`Congestion::AFTER`] had waited behind more than
//! [`Congestion::LONG`] others. Counted in requests, not in time, so that a slow machine is no overload. Each party is
//! judged by its own line: nobody's burst is cut short by another's overload.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// The judgement of each party; those that need none are forgotten.
#[derive(Debug)]
pub(super) struct Congestion<K> {
    parties: HashMap<K, Line>,
    swept: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    /// Since when all who began had waited behind many.
    long_since: Option<Duration>,
    /// When one began last that had.
    noted: Duration,
    /// Until when the line counts as standing, even where it is empty for a moment.
    until: Duration,
}

impl<K: Eq + Hash + Clone> Congestion<K> {
    /// How many must begin before one, that its wait is a long one.
    pub(super) const LONG: u64 = 128;
    /// For how long all waits must be long. Whatever an idle gateway could serve within it is a burst.
    pub(super) const AFTER: Duration = Duration::from_secs(2);
    /// How long nobody must have been turned away until a line stands no more. Sooner, and each moment of relief would
    /// let it grow again.
    pub(super) const RELIEF: Duration = Duration::from_millis(500);

    pub(super) fn new() -> Self {
        Self { parties: HashMap::new(), swept: Duration::ZERO }
    }

    /// One of `party` begins, after it let so many others begin.
    pub(super) fn began(&mut self, party: &K, behind: u64, now: Duration) {
        self.sweep(now);
        if behind <= Self::LONG {
            if let Some(line) = self.parties.get_mut(party) {
                line.long_since = None;
            }
            return;
        }
        let fresh = Line { long_since: None, noted: now, until: Duration::ZERO };
        let line = self.parties.entry(party.clone()).or_insert(fresh);
        if now.saturating_sub(line.noted) > Self::AFTER {
            line.long_since = None;
        }
        line.long_since.get_or_insert(now);
        line.noted = now;
    }

    /// One of `party` is turned away because its line stands.
    pub(super) fn turned_away(&mut self, party: &K, now: Duration) {
        if let Some(line) = self.parties.get_mut(party) {
            line.until = now + Self::RELIEF;
        }
    }

    /// Whether the line of `party` stands.
    pub(super) fn is(&self, party: &K, now: Duration) -> bool {
        self.parties.get(party).is_some_and(|line| now < line.until || line.is_long(Self::AFTER, now))
    }

    /// Forgets who needs no judgement any more: so memory holds no more parties than began something lately.
    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) >= Self::AFTER {
            self.swept = now;
            self.parties.retain(|_, line| now < line.until || now.saturating_sub(line.noted) <= Self::AFTER);
        }
    }
}

impl Line {
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
    fn it_ends_half_a_second_after_the_last_refusal_and_is_forgotten() {
        let mut congestion = Parties::new();
        (0..=20).for_each(|step| congestion.began(&"a", MANY, ms(step * 100)));
        congestion.turned_away(&"a", ms(2_000));
        congestion.began(&"a", 0, ms(2_001));
        assert!(congestion.is(&"a", ms(2_499)) && !congestion.is(&"a", ms(2_500)));
        congestion.began(&"b", 0, ms(10_000));
        assert!(congestion.parties.is_empty());
    }
}
