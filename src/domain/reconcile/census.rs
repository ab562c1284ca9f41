//! Whether what the cloud does not show is believed to be gone: nothing that it says in one moment is final.
//!
//! A list that is empty, or is another account's, looks like one from which everything was removed. So where many
//! caches are missing at once, nothing is judged until they are shown again or an operator has said that they are gone.
//! A few that stay away for an hour are believed to be gone after all: whoever has one image cache and removes it at
//! the cloud must not need an operator, and what counts as gone wrongly comes back once it is shown. And a single look
//! that finds nothing counts only where looks at others find something.
//!
//! Who calls it: `app::vanishings`, and the simulation. What it does not do: ask.

use chrono::Duration;

/// Up to so many missing caches are a usual day.
const FEW: i64 = 3;
/// More than one part in so many is not.
const SHARE: i64 = 3;

/// How long so few must be missing at a stretch where that alone raised the alarm.
const LONG: Duration = Duration::hours(1);

/// What a list shows of the caches that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Rows that it should show: not those that the cloud lets go of by its own rules.
    pub known: i64,
    /// Those of them that it does not show.
    pub missing: i64,
    /// Caches in it, whoever's.
    pub listed: i64,
}

impl Census {
    /// Whether so much is missing at once that it is rather the answer that is wrong: more than three caches and more
    /// than a third of them; all, where there are several; or any, where the list is empty.
    pub fn is_doubtful(self) -> bool {
        let Self { known, missing, listed } = self;
        let many = missing > FEW && missing * SHARE > known;
        let all = missing > 0 && missing >= known && (known > 1 || listed == 0);
        many || all
    }

    /// Whether it is believed. `accepted`: so many missing ones an operator has said to be gone.
    pub fn is_believed(self, accepted: Option<i64>) -> bool {
        !self.is_doubtful() || accepted.is_some_and(|most| self.missing <= most)
    }

    /// How long it must last until it is believed without an operator's word; none: it never is.
    pub fn believed_after(self) -> Option<Duration> {
        (self.missing <= FEW).then_some(LONG)
    }
}

/// Whether a look by id that found nothing is believed: others that should be there were looked at, too, and so many of
/// them were found. Where there are no others, nothing speaks against it.
pub fn is_absence_believed(others: usize, found: usize) -> bool {
    others == 0 || found > 0
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
    fn who_is_alone_has_no_witness() {
        assert!(is_absence_believed(0, 0) && is_absence_believed(3, 1) && !is_absence_believed(3, 0));
    }
}
