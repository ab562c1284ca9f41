//! What each party had lately of what all parties had: decides who has more than its share.
//!
//! Counted in time spans, the current one and the one before, so memory holds no more parties than started something in
//! them. Called by [`super::queue`], for lists. It does not decide what happens to a party that has more.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// What each party had in the current span and in the one before.
#[derive(Debug)]
pub(super) struct Shares<K> {
    /// When the current span began.
    since: Duration,
    /// What each party had in the current span, and in the one before.
    had: HashMap<K, [u64; 2]>,
    all: u64,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { since: Duration::ZERO, had: HashMap::new(), all: 0 }
    }
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// Advances to `now`: forgets everything older than the previous `span`.
    pub(super) fn go_on(&mut self, span: Duration, now: Duration) {
        let past = now.saturating_sub(self.since);
        if past < span {
            return;
        }
        let is_next = past < span * 2;
        let next = |[this, _]: [u64; 2]| if is_next { [0, this] } else { [0, 0] };
        self.had.values_mut().for_each(|had| *had = next(*had));
        self.had.retain(|_, had| *had != [0, 0]);
        self.all = self.had.values().map(|[_, before]| before).sum();
        self.since = if is_next { self.since + span } else { now };
    }

    /// Records one more for `party`.
    pub(super) fn note(&mut self, party: &K) {
        match self.had.get_mut(party) {
            Some(had) => had[0] += 1,
            None => drop(self.had.insert(party.clone(), [1, 0])),
        }
        self.all += 1;
    }

    /// Whether the party had more than one and a half times an equal share. Of two parties, that is more than three
    /// quarters of the total; a party that is alone never has more.
    pub(super) fn has_more(&self, party: &K) -> bool {
        let parties = u64::try_from(self.had.len()).unwrap_or(u64::MAX);
        self.had.get(party).is_some_and(|[this, before]| (this + before) * parties * 2 > self.all * 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(1);

    fn shares(had: &[(&'static str, u32)]) -> Shares<&'static str> {
        let mut shares = Shares::default();
        for (party, count) in had {
            (0..*count).for_each(|_| shares.note(party));
        }
        shares
    }

    #[test]
    fn one_alone_never_has_more_than_its_share() {
        assert!(!shares(&[("a", 1_000)]).has_more(&"a"));
        assert!(!shares(&[]).has_more(&"a"));
    }

    #[test]
    fn half_again_as_much_as_the_others_on_average_is_more() {
        let two = shares(&[("a", 76), ("b", 24)]);
        assert!(two.has_more(&"a") && !two.has_more(&"b"));
        assert!(!shares(&[("a", 75), ("b", 25)]).has_more(&"a"));
        let four = shares(&[("a", 38), ("b", 21), ("c", 21), ("d", 20)]);
        assert!(four.has_more(&"a") && !four.has_more(&"b") && !four.has_more(&"e"));
    }

    #[test]
    fn what_is_two_spans_ago_is_forgotten() {
        let mut shares = shares(&[("a", 80), ("b", 20)]);
        shares.go_on(SPAN, SPAN);
        assert!(shares.has_more(&"a"), "the span before counts");
        shares.note(&"b");
        shares.go_on(SPAN, SPAN * 2);
        assert!(!shares.has_more(&"a") && !shares.has_more(&"b"));
        assert_eq!((shares.had.len(), shares.all), (1, 1), "only what b had in the span before is left");
        shares.go_on(SPAN, SPAN * 4);
        assert_eq!((shares.had.len(), shares.all), (0, 0));
    }
}
