//! How long one transaction has been blocking the feed, the streams and the sealing of the audit.
//!
//! They stay behind the oldest transaction that runs anywhere on the database's server, because an event with a lower
//! position may still be committed. That lasts only moments, unless somebody leaves a transaction open.

use chrono::Duration;

use crate::domain::clock::Instant;

/// How long a transaction may hold up events before it is reported.
pub const TOO_LONG: Duration = Duration::seconds(60);

/// What was seen of the oldest transaction over several readings.
#[derive(Debug, Default)]
pub struct HorizonWatch {
    /// The oldest running transaction, and since when it has been known.
    oldest: Option<(i64, Instant)>,
}

impl HorizonWatch {
    /// Records a reading: the number of the oldest running transaction, if there is one. Returns since when it has been
    /// known.
    pub fn saw(&mut self, oldest: Option<i64>, now: Instant) -> Option<Instant> {
        let since = match (self.oldest, oldest) {
            (Some((known, since)), Some(oldest)) if known == oldest => since,
            _ => now,
        };
        self.oldest = oldest.map(|oldest| (oldest, since));
        oldest.map(|_| since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_one_transaction() {
        let (mut watch, start) = (HorizonWatch::default(), Instant::UNIX_EPOCH);
        let at = |seconds| start + Duration::seconds(seconds);
        assert_eq!(watch.saw(Some(7), at(0)), Some(at(0)));
        assert_eq!(watch.saw(Some(7), at(40)), Some(at(0)));
        assert_eq!(watch.saw(Some(8), at(50)), Some(at(50)), "another one");
        assert_eq!(watch.saw(None, at(60)), None);
        assert_eq!(watch.saw(Some(8), at(70)), Some(at(70)), "what was over begins anew");
    }
}
