//! The health of an endpoint: how many deliveries may be in flight to it, when it rests, and when its team is alerted.
//!
//! Pure: takes a run of failures and returns a verdict. The deliverer counts the failures, and they are stored with the
//! endpoint.

use chrono::Duration;

use crate::domain::clock::Instant;

/// After this many failures in a row, only one delivery at a time is sent, to find out whether it works again.
pub const CAREFUL_AFTER: i32 = 3;
/// After this many, the endpoint rests between two deliveries.
const REST_AFTER: i32 = 10;
/// The first rest; each further failure doubles it.
const FIRST_REST: Duration = Duration::seconds(30);
/// The longest rest.
const LONGEST_REST: Duration = Duration::minutes(10);
/// After failing for this long without one success, its team is alerted.
const WARN_AFTER: Duration = Duration::hours(24);
/// After this long, and [`DISABLE_FAILURES`], it is disabled.
const DISABLE_AFTER: Duration = Duration::days(5);
/// Fewer failures than this say nothing, however long ago the first was.
const DISABLE_FAILURES: i32 = 10;

/// A run of failures that no success has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// The number of failures.
    pub failures: i32,
    /// When the first one happened.
    pub since: Instant,
    /// Whether the team was alerted.
    pub warned: bool,
}

/// What to do about an endpoint that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthVerdict {
    /// Nothing yet.
    Wait,
    /// Alert the team.
    Warn,
    /// Disable it, and alert the team.
    Disable,
}

/// What to do at `now`.
pub fn verdict(failing: &Failing, now: Instant) -> HealthVerdict {
    let lasted = now - failing.since;
    if lasted >= DISABLE_AFTER && failing.failures >= DISABLE_FAILURES {
        return HealthVerdict::Disable;
    }
    if lasted >= WARN_AFTER && !failing.warned { HealthVerdict::Warn } else { HealthVerdict::Wait }
}

/// How long an endpoint rests after `failures` in a row; none while there are few.
pub fn rest(failures: i32) -> Option<Duration> {
    let beyond = u32::try_from(failures - REST_AFTER).ok()?;
    Some((FIRST_REST * 2_i32.saturating_pow(beyond.min(10))).min(LONGEST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_told_after_a_day_and_the_endpoint_is_switched_off_after_five() {
        let since = Instant::UNIX_EPOCH;
        let judge =
            |failures, hours, warned| verdict(&Failing { failures, since, warned }, since + Duration::hours(hours));
        assert_eq!(judge(1, 23, false), HealthVerdict::Wait);
        assert_eq!(judge(1, 24, false), HealthVerdict::Warn);
        assert_eq!(judge(100, 119, true), HealthVerdict::Wait);
        assert_eq!(judge(9, 500, true), HealthVerdict::Wait, "too few to say");
        assert_eq!(judge(10, 120, true), HealthVerdict::Disable);
        assert_eq!(judge(10, 120, false), HealthVerdict::Disable, "the stronger one");
    }

    #[test]
    fn rests_double_up_to_ten_minutes() {
        assert_eq!(rest(9), None);
        assert_eq!(rest(10), Some(Duration::seconds(30)));
        assert_eq!(rest(12), Some(Duration::seconds(120)));
        assert_eq!(rest(15), Some(Duration::minutes(10)));
        assert_eq!(rest(i32::MAX), Some(Duration::minutes(10)));
    }
}
