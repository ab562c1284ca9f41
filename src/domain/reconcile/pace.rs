//! How long the comparison rests: before a call that failed is made again, after a pass that was given up, and before a
//! cache that vanished is looked up again.
//!
//! What must stay true: every schedule ends, so that a cloud that fails for hours is not asked more often than one that
//! is well.
//!
//! Called by `app::reconciler`, and by the simulation. It makes no calls itself.

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::failure::CallError;

/// How often one call of a pass is made at most.
pub const TRIES: u32 = 3;
/// Before the second try; twice as long before the third.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// How long a group rests after a pass that a fault ended.
const REST: Duration = Duration::seconds(60);
/// The same, while a new alarm stands or a cache has just vanished.
const SHORT_REST: Duration = Duration::seconds(10);
/// For how long an alarm is new. After that, it is more likely true than a lie that is about to end.
const NEW: Duration = Duration::minutes(15);
/// How long after its end a vanished cache is looked up again: most lies are short.
const REVISITS: [Duration; 4] =
    [Duration::seconds(15), Duration::minutes(1), Duration::minutes(5), Duration::minutes(15)];

/// How long to wait before the call that failed for the `tries`-th time is made again. `None`: give up the pass.
pub fn again_after(tries: u32, fault: &CallError) -> Option<std::time::Duration> {
    (tries < TRIES && fault.is_transient()).then(|| PAUSE * tries)
}

/// How long a group rests after a pass that a fault ended. `alarm_age`: how old the alarm of the group is that nobody
/// has confirmed; `owed`: a vanished cache has a look to come ([`next_revisit`]).
pub fn rest_after_fault(alarm_age: Option<Duration>, owed: bool) -> Duration {
    if owed || alarm_age.is_some_and(|age| age < NEW) { SHORT_REST } else { REST }
}

/// When a cache that vanished at `ended_at` is looked up again. Not before `lag` is over: until then a lookup may show
/// it as it was.
fn revisits(ended_at: Instant, lag: Duration) -> impl Iterator<Item = Instant> {
    REVISITS.into_iter().map(move |after| ended_at + after.max(lag))
}

/// The first moment at which a cache that vanished at `ended_at` may have to be looked up, whatever the lag is.
pub fn first_revisit(ended_at: Instant) -> Instant {
    ended_at + REVISITS[0]
}

/// Whether a look at a cache that vanished at `ended_at` has become due after `since`, and no later than `now`.
pub fn is_revisit_due(ended_at: Instant, since: Instant, now: Instant, lag: Duration) -> bool {
    revisits(ended_at, lag).any(|at| since < at && at <= now)
}

/// The next look at a cache that vanished at `ended_at`. `None`: only a list shows it from now on.
pub fn next_revisit(ended_at: Instant, now: Instant, lag: Duration) -> Option<Instant> {
    revisits(ended_at, lag).filter(|at| *at > now).min()
}

/// What vanished no later than this has no look that becomes due after `since`.
pub fn revisits_over(since: Instant) -> Instant {
    since - REVISITS[REVISITS.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(seconds)
    }

    #[test]
    fn what_is_transient_is_tried_three_times() {
        let fault = CallError::Unknown("reset".into());
        assert!(again_after(1, &fault).is_some() && again_after(2, &fault) > again_after(1, &fault));
        assert_eq!(again_after(TRIES, &fault), None);
        let refused = crate::domain::failure::CloudError {
            code: "Forbidden".into(),
            message: String::new(),
            request_id: None,
            http_status: 403,
            denied: None,
        };
        assert_eq!(again_after(1, &CallError::Refused(refused.clone())), None);
        assert!(again_after(1, &CallError::Throttled(refused)).is_some());
    }

    #[test]
    fn a_rest_is_short_only_for_as_long_as_it_may_help() {
        let minutes = |age| Some(Duration::minutes(age));
        for (alarm, owed, rest) in [
            (None, false, REST),
            (None, true, SHORT_REST),
            (minutes(14), false, SHORT_REST),
            (minutes(15), false, REST),
        ] {
            assert_eq!(rest_after_fault(alarm, owed), rest, "{alarm:?} {owed}");
        }
    }

    #[test]
    fn what_vanished_is_looked_up_four_times_and_not_before_the_lag_is_over() {
        let all = |lag| revisits(at(0), Duration::seconds(lag)).map(|at| at.timestamp()).collect::<Vec<_>>();
        assert_eq!(all(2), [15, 60, 300, 900]);
        assert_eq!(all(60), [60, 60, 300, 900], "two at once are one");
        let (lag, next) = (Duration::seconds(2), |now| next_revisit(at(0), at(now), Duration::seconds(2)));
        assert_eq!((next(14), next(15), next(900)), (Some(at(15)), Some(at(60)), None));
        for (since, now, due) in [(0, 14, false), (0, 15, true), (15, 59, false), (15, 400, true), (900, 9_999, false)]
        {
            assert_eq!(is_revisit_due(at(0), at(since), at(now), lag), due, "{since} {now}");
        }
        assert_eq!(revisits_over(at(900)), at(0));
    }
}
