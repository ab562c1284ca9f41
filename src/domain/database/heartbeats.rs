//! Whether workers are alive, by their heartbeats in the database.
//!
//! What must stay true: a jump of the database's clock makes no worker count as dead. A heartbeat that is old by that
//! clock is believed anyway as long as this process has recently seen heartbeats change, by the machine's own uptime. A
//! process that has just started has seen nothing yet, and relies on the database's clock alone.

use std::time::Duration;

use crate::domain::clock::Uptime;

/// A worker without a heartbeat for this long counts as missing.
pub const MISSED_AFTER: Duration = Duration::from_secs(30);

/// The heartbeats of all workers, in one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeats {
    /// Whether one of them is recent by the database's clock.
    pub fresh: bool,
    /// Identifies this set of heartbeats: each new one changes it.
    pub print: String,
}

/// What this process has seen of them over several readings.
#[derive(Debug, Default)]
pub struct HeartbeatWatch {
    /// The last heartbeats, and when they were seen to change.
    last: Option<(String, Option<Uptime>)>,
}

impl HeartbeatWatch {
    /// Records a reading. Returns whether any worker is alive.
    pub fn saw(&mut self, signs: &Heartbeats, now: Uptime) -> bool {
        let changed = match self.last.take() {
            Some((print, changed)) if print == signs.print => changed,
            Some(_) => Some(now),
            None => None,
        };
        self.last = Some((signs.print.clone(), changed));
        signs.fresh || changed.is_some_and(|at| now.since(at) < MISSED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(fresh: bool, print: &str) -> Heartbeats {
        Heartbeats { fresh, print: print.to_owned() }
    }

    #[test]
    fn a_clock_that_leaps_makes_nobody_dead_whose_signs_go_on() {
        let (mut watch, start) = (HeartbeatWatch::default(), Uptime::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(watch.saw(&signs(true, "1"), at(0)));
        assert!(watch.saw(&signs(true, "2"), at(10)));
        // The clock jumps ahead: the same heartbeat is old at once.
        assert!(watch.saw(&signs(false, "2"), at(15)));
        assert!(watch.saw(&signs(false, "2"), at(39)));
        assert!(!watch.saw(&signs(false, "2"), at(40)), "no new one for so long");
        assert!(watch.saw(&signs(false, "3"), at(41)), "one that came is one, whatever its time");
    }

    #[test]
    fn whoever_has_seen_nothing_change_goes_by_the_databases_clock() {
        let (mut watch, start) = (HeartbeatWatch::default(), Uptime::now());
        assert!(!watch.saw(&signs(false, "1"), start));
        assert!(!watch.saw(&signs(false, "1"), start));
        assert!(watch.saw(&signs(true, "1"), start));
    }
}
