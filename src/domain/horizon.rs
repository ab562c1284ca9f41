//! How long the feed, the streams and the sealing of the audit have stood still behind one transaction.
//!
//! They stay behind the oldest transaction that runs anywhere on the database's server, because an event with a lower
//! place may still be committed. That is over in moments, unless somebody forgets a transaction.

use chrono::Duration;

use super::clock::Instant;

/// From then on it is told.
pub const TOO_LONG: Duration = Duration::seconds(60);
/// How often it is logged while it lasts.
const AGAIN: Duration = Duration::seconds(60);

/// What was seen of it, look by look.
#[derive(Debug, Default)]
pub struct Watch {
    /// The oldest transaction that runs, and since when that is known.
    oldest: Option<(i64, Instant)>,
    /// When it was last logged.
    logged: Option<Instant>,
}

impl Watch {
    /// Takes in a look: the number of the oldest transaction that runs, if any does. Since when it is known to.
    pub fn saw(&mut self, oldest: Option<i64>, now: Instant) -> Option<Instant> {
        let since = match (self.oldest, oldest) {
            (Some((known, since)), Some(oldest)) if known == oldest => since,
            _ => now,
        };
        self.oldest = oldest.map(|oldest| (oldest, since));
        if oldest.is_none() {
            self.logged = None;
        }
        oldest.map(|_| since)
    }

    /// Whether it is to be logged now.
    pub fn may_log(&mut self, now: Instant) -> bool {
        let may = self.logged.is_none_or(|logged| now - logged >= AGAIN);
        if may {
            self.logged = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_one_transaction() {
        let (mut watch, start) = (Watch::default(), Instant::UNIX_EPOCH);
        let at = |seconds| start + Duration::seconds(seconds);
        assert_eq!(watch.saw(Some(7), at(0)), Some(at(0)));
        assert_eq!(watch.saw(Some(7), at(40)), Some(at(0)));
        assert_eq!(watch.saw(Some(8), at(50)), Some(at(50)), "another one");
        assert_eq!(watch.saw(None, at(60)), None);
        assert_eq!(watch.saw(Some(8), at(70)), Some(at(70)), "what was over begins anew");
    }

    #[test]
    fn it_is_logged_once_a_minute() {
        let (mut watch, start) = (Watch::default(), Instant::UNIX_EPOCH);
        let at = |seconds| start + Duration::seconds(seconds);
        assert!(watch.may_log(at(0)) && !watch.may_log(at(59)) && watch.may_log(at(60)));
        watch.saw(None, at(61));
        assert!(watch.may_log(at(62)));
    }
}
