//! The values of closed sets, as the domain defines them, written out in statements so that the planner sees which
//! index they match.

use std::fmt;

use crate::domain::image_cache::status::Status;
use crate::domain::operation::OperationState;

/// The image cache statuses for which this is true, as `'a', 'b'`.
#[derive(Clone, Copy)]
pub(super) struct Statuses(fn(Status) -> bool);

/// The operation states for which this is true, as `'a', 'b'`.
#[derive(Clone, Copy)]
pub(super) struct States(fn(OperationState) -> bool);

/// Statuses that an image cache does not leave unless the cloud shows it again.
pub(super) const ENDED: Statuses = Statuses(Status::is_final);
/// Statuses of caches that ended without a request of ours.
pub(super) const VANISHED: Statuses = Statuses(Status::has_vanished);
/// Statuses in which the cloud is working on the cache.
pub(super) const IN_MOTION: Statuses = Statuses(Status::is_in_motion);
/// Statuses that do not change unless somebody asks for it.
pub(super) const AT_REST: Statuses = Statuses(Status::is_at_rest);
/// Statuses in which the cloud shows the cache.
pub(super) const SHOWN: Statuses = Statuses(Status::is_shown);
/// Statuses that count against the team's quota.
pub(super) const COUNTED: Statuses = Statuses(Status::is_counted);
/// Statuses of caches that are usable, or will be.
pub(super) const PROMISING: Statuses = Statuses(Status::is_promising);

/// States in which an operation is over.
pub(super) const OVER: States = States(OperationState::is_over);
/// States that are not final.
pub(super) const OPEN: States = States(OperationState::is_open);

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, Status::ALL.into_iter().filter(|status| self.0(*status)).map(Status::as_str))
    }
}

impl fmt::Display for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, OperationState::ALL.into_iter().filter(|state| self.0(*state)).map(OperationState::as_str))
    }
}

fn list(f: &mut fmt::Formatter<'_>, words: impl Iterator<Item = &'static str>) -> fmt::Result {
    for (place, word) in words.enumerate() {
        write!(f, "{}'{word}'", if place == 0 { "" } else { ", " })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The indexes of the migrations contain exactly these values: with others, no statement would use them.
    #[test]
    fn the_words_are_those_that_indexes_were_made_for() {
        assert_eq!(ENDED.to_string(), "'deleted', 'expired', 'evicted', 'lost'");
        assert_eq!(VANISHED.to_string(), "'expired', 'evicted', 'lost'");
        assert_eq!(IN_MOTION.to_string(), "'preparing', 'creating', 'updating', 'deleting', 'unknown'");
        assert_eq!(AT_REST.to_string(), "'ready', 'failed', 'update_failed'");
        assert_eq!(PROMISING.to_string(), "'pending', 'preparing', 'creating', 'ready', 'updating'");
        assert_eq!(
            (OPEN.to_string(), OVER.to_string()),
            ("'waiting', 'running'".into(), "'succeeded', 'refused'".into())
        );
    }

    #[test]
    fn what_the_cloud_shows_and_what_counts_are_told_apart_by_what_has_failed_and_what_is_only_asked_for() {
        let shown = "'preparing', 'creating', 'ready', 'failed', 'updating', 'update_failed', 'unknown'";
        assert_eq!(SHOWN.to_string(), shown);
        let counted = "'pending', 'preparing', 'creating', 'ready', 'updating', 'update_failed', 'unknown'";
        assert_eq!(COUNTED.to_string(), counted);
    }
}
