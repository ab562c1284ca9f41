//! When a failed webhook delivery is retried.

use chrono::Duration;

/// The pauses before attempts 2, 3, …: 5 s to 24 h. Eleven attempts in all, then the dead letter.
const PAUSES_SECONDS: [i32; 10] = [5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The most attempts for a delivery whose endpoint has no schedule of its own.
pub const MAX_ATTEMPTS: i16 = 11;

/// The longest pause a receiver may ask for with `Retry-After`.
pub const LONGEST_PAUSE: Duration = Duration::hours(24);

/// What happens to a delivery after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// Retry after this pause.
    Again(Duration),
    /// Give up: the delivery becomes a dead letter, which a person can queue again.
    Exhausted,
}

/// Decides after failed attempt number `attempt` (from 1), by the endpoint's own schedule (pauses in seconds) or the
/// default. `spread` in `0..1000` adds up to 20 %. A receiver's `Retry-After` makes its whole endpoint rest, and is
/// stored only there: so the later of the two times counts, and ending the rest also ends it for deliveries that were
/// waiting already.
pub fn after_failure(attempt: i16, schedule: Option<&[i32]>, spread: i32) -> AfterFailure {
    let place = usize::try_from(attempt.max(1) - 1).unwrap_or(0);
    let Some(seconds) = schedule.unwrap_or(&PAUSES_SECONDS).get(place) else { return AfterFailure::Exhausted };
    let pause = Duration::seconds((*seconds).into());
    AfterFailure::Again(pause + pause * spread.clamp(0, 1_000) / 5_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_ends_in_the_dead_letter() {
        assert_eq!(after_failure(1, None, 0), AfterFailure::Again(Duration::seconds(5)));
        assert_eq!(after_failure(1, None, 1_000), AfterFailure::Again(Duration::seconds(6)));
        assert_eq!(after_failure(MAX_ATTEMPTS - 1, None, 0), AfterFailure::Again(Duration::hours(24)));
        assert_eq!(after_failure(MAX_ATTEMPTS, None, 0), AfterFailure::Exhausted);
    }

    #[test]
    fn an_endpoint_may_have_a_schedule_of_its_own() {
        let own = [1, 60];
        assert_eq!(after_failure(1, Some(&own), 0), AfterFailure::Again(Duration::seconds(1)));
        assert_eq!(after_failure(2, Some(&own), 1_000), AfterFailure::Again(Duration::seconds(72)));
        assert_eq!(after_failure(3, Some(&own), 0), AfterFailure::Exhausted);
    }
}
