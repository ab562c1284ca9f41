//! Limits repeated log lines: one per cause and minute, which says how many were left out.
//!
//! Used by code that fails on every request while the database fails.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long a cause is not logged again.
const QUIET: Duration = Duration::from_mins(1);
/// The most causes that are remembered; with more, all are forgotten. Causes are a few fixed words of the code.
const CAUSES: usize = 64;

/// What was logged, and when. It only decides about log lines.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<BTreeMap<String, LastLine>>);

#[derive(Debug)]
struct LastLine {
    at: Instant,
    left_out: u64,
}

impl LogLimit {
    /// A limit that has logged nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// How many lines about this cause were left out since the last one, if one may be logged now.
    pub fn may(&self, cause: &str, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = said.get_mut(cause).filter(|said| now.duration_since(said.at) < QUIET) {
            said.left_out += 1;
            return None;
        }
        if said.len() >= CAUSES {
            said.clear();
        }
        let before = said.insert(cause.to_owned(), LastLine { at: now, left_out: 0 });
        Some(before.map_or(0, |before| before.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_a_minute_with_what_was_left_out() {
        let (quiet, start) = (LogLimit::new(), Instant::now());
        assert_eq!(quiet.may("disk", start), Some(0));
        assert_eq!(quiet.may("other", start), Some(0), "each for itself");
        assert_eq!((quiet.may("disk", start), quiet.may("disk", start + QUIET / 2)), (None, None));
        assert_eq!(quiet.may("disk", start + QUIET), Some(2));
        assert_eq!(quiet.may("disk", start + QUIET * 2), Some(0));
    }

    #[test]
    fn causes_without_end_take_no_room_without_end() {
        let (quiet, now) = (LogLimit::new(), Instant::now());
        for number in 0..1_000 {
            assert_eq!(quiet.may(&number.to_string(), now), Some(0));
        }
        assert!(quiet.0.lock().unwrap().len() <= CAUSES);
    }
}
