//! Whether caches that the cloud does not list are believed to be gone: no single answer is final.
//!
//! A list that is empty, or that belongs to another account, looks as if everything had been removed. So if many caches
//! are missing at once, nothing is judged until they are listed again or an operator has confirmed that they are gone.
//! A few that stay missing for an hour are believed to be gone after all: a team that has one image cache and removes
//! it at the cloud must not need an operator, and a cache that wrongly counts as gone comes back once it is listed
//! again. And a single lookup that finds nothing counts only if lookups of other caches find something.
//!
//! Called by `app::vanishings`, and by the simulation. It makes no calls itself.

use chrono::Duration;

/// This many missing caches at once are normal.
const FEW: i64 = 3;
/// More than one in this many missing is not normal.
const SHARE: i64 = 3;

/// The most caches that a sample has which ends an alarm: a page.
const SAMPLE: i64 = 20;

/// How long this few must stay missing to be believed gone without an operator.
const LONG: Duration = Duration::hours(1);

/// What a list contains of the caches that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Rows that it should contain: not those that the cloud removes by its own rules.
    pub known: i64,
    /// Those of them that it does not contain.
    pub missing: i64,
    /// All caches in the list, including those of others.
    pub listed: i64,
}

impl Census {
    /// Whether so much is missing at once that the answer is more likely wrong: more than three caches and more than a
    /// third of them; all of several; or any, if the list is empty.
    pub fn is_doubtful(self) -> bool {
        let Self { known, missing, listed } = self;
        let many = missing > FEW && missing * SHARE > known;
        let all = missing > 0 && missing >= known && (known > 1 || listed == 0);
        many || all
    }

    /// Whether it is believed. `accepted`: the number of missing caches that an operator has confirmed to be gone.
    pub fn is_believed(self, accepted: Option<i64>) -> bool {
        !self.is_doubtful() || accepted.is_some_and(|most| self.missing <= most)
    }

    /// How long it must last to be believed without an operator; none: it never is.
    pub fn believed_after(self) -> Option<Duration> {
        (self.missing <= FEW).then_some(LONG)
    }
}

/// Whether a lookup by id that found nothing is believed: `others` that should be there were looked up, too, and
/// `found` of them were found. If there are no others, nothing speaks against it.
pub fn is_absence_believed(others: usize, found: usize) -> bool {
    others == 0 || found > 0
}

/// How many caches that the cloud should show must all be found by lookups to end an alarm in which `missing` were
/// missing. `None`: only a list ends it, as a list raised it (`sampled` is false).
///
/// That is no easier than it was to believe an absence without an alarm: if a share `p` is hidden, one of `n` is found
/// with the probability `1 - p^n`, but all of them only with `(1 - p)^n`, which is never more.
pub fn sample_that_ends(sampled: bool, missing: i64) -> Option<i64> {
    sampled.then(|| missing.clamp(1, SAMPLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_an_alarm_and_a_few_are_not() {
        for (known, missing, listed, doubtful) in [
            (0, 0, 0, false),
            (1, 0, 1, false),
            (1, 1, 0, true),
            (1, 1, 7, false),
            (2, 1, 1, false),
            (2, 2, 7, true),
            (9, 3, 6, false),
            (9, 4, 5, true),
            (12, 4, 8, false),
            (12, 5, 8, true),
            (5_000, 1_666, 3_334, false),
            (5_000, 1_667, 3_333, true),
            (5_000, 5_000, 0, true),
        ] {
            assert_eq!(Census { known, missing, listed }.is_doubtful(), doubtful, "{missing} of {known}, {listed}");
        }
    }

    #[test]
    fn an_operators_word_covers_what_was_missing_then_and_no_more() {
        let census = Census { known: 9, missing: 6, listed: 3 };
        assert!(!census.is_believed(None) && census.is_believed(Some(6)) && !census.is_believed(Some(5)));
        assert!(Census { missing: 1, ..census }.is_believed(None));
    }

    #[test]
    fn a_few_are_believed_in_the_end() {
        let after = |missing| Census { known: 9, missing, listed: 0 }.believed_after();
        assert_eq!((after(1), after(3), after(4)), (Some(LONG), Some(LONG), None));
    }

    #[test]
    fn a_sample_ends_what_a_sample_began() {
        let sample = |missing| sample_that_ends(true, missing);
        assert_eq!((sample(0), sample(3), sample(400)), (Some(1), Some(3), Some(SAMPLE)));
        assert_eq!(sample_that_ends(false, 3), None);
    }

    #[test]
    fn who_is_alone_has_no_witness() {
        assert!(is_absence_believed(0, 0) && is_absence_believed(3, 1) && !is_absence_believed(3, 0));
    }
}
