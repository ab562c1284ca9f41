//! The time grid on which lookups happen.
//!
//! The intervals are the usual one, doubled or halved a few times, so that caches that are looked up rarely are looked
//! up together with those that are looked up often: builds that are due at the same instant share pages. A cache is due
//! if there was a grid point since the last lookup; the grid is absolute, so every gateway computes the same.

use chrono::Duration;

use crate::domain::clock::Instant;

/// Selects an interval: the usual one times two to the power of this.
pub type RhythmLevel = i8;
/// The shortest interval: for a build of which nothing is known, or when many end now.
pub const QUICKEST: RhythmLevel = -3;
/// The longest interval: nothing will happen for a while.
pub const SLOWEST: RhythmLevel = 2;

/// The longest time between two lookups of a cache in motion; jitter is added to it.
pub fn longest(usual: Duration) -> Duration {
    usual * (1 << SLOWEST)
}

/// The grid of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    usual_ms: i64,
    phase_ms: i64,
}

impl Rhythm {
    /// The grid of a group; `name` determines its phase, so that groups do not run in step.
    pub fn new(usual: Duration, name: &str) -> Self {
        let usual_ms = usual.num_milliseconds().max(8);
        // FNV-1a: it only has to spread, and to be the same on every gateway.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let widest = usual_ms << SLOWEST;
        Self { usual_ms, phase_ms: i64::try_from(hash >> 1).unwrap_or(0) % widest }
    }

    /// The interval of a level.
    pub fn interval(&self, level: RhythmLevel) -> Duration {
        Duration::milliseconds(self.length(level))
    }

    /// The level of the longest interval that is no longer than `wish`, between `from` and `to`.
    pub fn level_of(&self, wish: Duration, from: RhythmLevel, to: RhythmLevel) -> RhythmLevel {
        (from..=to).rev().find(|level| self.interval(*level) <= wish).unwrap_or(from)
    }

    /// Whether there is a grid point after `since` and not after `now`.
    pub fn is_due(&self, level: RhythmLevel, since: Instant, now: Instant) -> bool {
        // A clock that was set back must not stop the lookups.
        self.slot(level, now) > self.slot(level, since) || now < since
    }

    /// The next grid point after `now`.
    pub fn next(&self, level: RhythmLevel, now: Instant) -> Instant {
        let length = self.length(level);
        let into = (now.timestamp_millis() + self.phase_ms).rem_euclid(length);
        now + Duration::milliseconds(length - into)
    }

    fn length(&self, level: RhythmLevel) -> i64 {
        if level < 0 { (self.usual_ms >> -level).max(1) } else { self.usual_ms << level }
    }

    fn slot(&self, level: RhythmLevel, at: Instant) -> i64 {
        (at.timestamp_millis() + self.phase_ms).div_euclid(self.length(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::milliseconds(ms)
    }

    #[test]
    fn what_is_due_rarely_is_due_together_with_what_is_due_often() {
        let rhythm = Rhythm::new(Duration::seconds(8), "default cn-beijing");
        let slow = rhythm.next(SLOWEST, at(1_000_000));
        for level in QUICKEST..=SLOWEST {
            let just_before = slow - Duration::milliseconds(1);
            assert!(rhythm.is_due(level, just_before, slow), "{level}");
            assert_eq!(rhythm.next(level, slow) - slow, rhythm.interval(level));
        }
    }

    #[test]
    fn nothing_is_due_twice_for_one_grid_point() {
        let rhythm = Rhythm::new(Duration::seconds(8), "g");
        let point = rhythm.next(0, at(0));
        assert!(rhythm.is_due(0, at(0), point));
        assert!(!rhythm.is_due(0, point, point + Duration::milliseconds(7_999)));
        assert!(rhythm.is_due(0, point, point + Duration::seconds(8)));
        assert!(rhythm.is_due(0, point, at(0)), "a clock that was put back");
    }

    #[test]
    fn groups_have_phases_of_their_own() {
        let next = |name| Rhythm::new(Duration::seconds(8), name).next(0, at(0));
        assert_ne!(next("default cn-beijing"), next("default cn-hangzhou"));
    }

    #[test]
    fn a_wish_becomes_the_longest_interval_within_it() {
        let rhythm = Rhythm::new(Duration::seconds(8), "g");
        let of = |seconds| rhythm.level_of(Duration::seconds(seconds), QUICKEST, 0);
        assert_eq!((of(0), of(1), of(3), of(100)), (-3, -3, -2, 0));
    }
}
