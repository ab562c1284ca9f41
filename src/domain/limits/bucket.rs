//! A rate with a burst: a bucket of requests that refills at a fixed rate per second (the generic cell rate algorithm,
//! so it stores only one instant).

use chrono::Duration;

use crate::domain::clock::Instant;

/// How far in advance requests may be taken at most.
const LONGEST_DEBT: Duration = Duration::seconds(10);
/// How many requests one request may count as: a batch counts as its items, also where that is more than are left.
pub const MAX_ITEMS: u32 = 100;

/// Requests per second, and requests at once after a pause. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

impl Rate {
    /// The time between two requests at this rate.
    fn interval(self) -> Duration {
        Duration::nanoseconds(1_000_000_000 / i64::from(self.per_second.max(1)))
    }

    /// How long an empty bucket takes to refill.
    fn window(self) -> Duration {
        let nanoseconds = self.interval().num_nanoseconds().unwrap_or(i64::MAX);
        Duration::nanoseconds(nanoseconds.saturating_mul(i64::from(self.burst.max(1))))
    }

    /// What is left where so much is missing.
    fn quota(self, missing: Duration, retry_after_seconds: Option<u32>) -> RateQuota {
        let (window, interval) = (self.window(), self.interval().num_nanoseconds().unwrap_or(1).max(1));
        let left = (window - missing).max(Duration::zero()).num_nanoseconds().unwrap_or(0);
        RateQuota {
            limit: self.burst,
            window_seconds: seconds(window),
            remaining: u32::try_from(left / interval).unwrap_or(0),
            reset_seconds: seconds(missing),
            retry_after_seconds,
        }
    }
}

/// What is left of a rate, for the response headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateQuota {
    /// Requests in the time that an empty bucket takes to refill.
    pub limit: u32,
    /// That time, in whole seconds.
    pub window_seconds: u32,
    /// Requests that may be made now.
    pub remaining: u32,
    /// After how many seconds the bucket is full again.
    pub reset_seconds: u32,
    /// After how many seconds the next request may be made; none if one may be made now.
    pub retry_after_seconds: Option<u32>,
}

/// A bucket: when it will be full again; none if it is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket(Option<Instant>);

impl Bucket {
    /// Takes one request. If none is left, nothing is taken, and the quota says when to retry.
    pub fn take(&mut self, rate: Rate, now: Instant) -> RateQuota {
        self.take_within(rate, now, std::time::Duration::ZERO).0
    }

    /// The same, but a request that becomes available within `max_wait` is taken in advance, in the order of the calls.
    /// Also returns how long to wait for it.
    pub fn take_within(
        &mut self,
        rate: Rate,
        now: Instant,
        max_wait: std::time::Duration,
    ) -> (RateQuota, std::time::Duration) {
        let (window, interval) = (rate.window(), rate.interval());
        let max_wait = Duration::from_std(max_wait).unwrap_or(Duration::zero()).min(LONGEST_DEBT);
        let missing = self.possible(rate, now);
        let after = missing + interval;
        let taken = after <= window + max_wait;
        let missing = if taken { after } else { missing };
        self.0 = now.checked_add_signed(missing);
        let quota = rate.quota(missing, (!taken).then(|| seconds(after - window).max(1)));
        let delay = if taken { (after - window).to_std().unwrap_or_default() } else { std::time::Duration::ZERO };
        (quota, delay)
    }

    /// Takes `more` requests, at most [`MAX_ITEMS`], that belong to one that was taken already: whether or not they are
    /// left. Those that are not have to be waited for by the next.
    pub fn charge(&mut self, rate: Rate, now: Instant, more: u32) -> RateQuota {
        let more = i32::try_from(more.min(MAX_ITEMS)).unwrap_or_default();
        let missing = self.possible(rate, now) + rate.interval() * more;
        self.0 = now.checked_add_signed(missing);
        rate.quota(missing, None)
    }

    /// What is missing. More debt than is possible: the clock was set back since, and what was left is unknown.
    fn possible(&self, rate: Rate, now: Instant) -> Duration {
        let most = rate.window() + LONGEST_DEBT + rate.interval() * i32::try_from(MAX_ITEMS).unwrap_or_default();
        Some(self.missing(now)).filter(|missing| *missing <= most).unwrap_or_default()
    }

    /// Whether the bucket is full.
    pub fn is_full(&self, now: Instant) -> bool {
        self.missing(now) == Duration::zero()
    }

    fn missing(&self, now: Instant) -> Duration {
        self.0.map_or(Duration::zero(), |full| (full - now).max(Duration::zero()))
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u32 {
    let more = i64::from(time.subsec_nanos() > 0);
    u32::try_from(time.num_seconds() + more).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::property::holds;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    fn at(milliseconds: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::days(20_000) + Duration::milliseconds(milliseconds)
    }

    #[test]
    fn the_burst_then_the_rate() {
        let mut bucket = Bucket::default();
        for left in (0..5).rev() {
            let quota = bucket.take(RATE, at(0));
            assert_eq!((quota.remaining, quota.retry_after_seconds), (left, None));
        }
        let refused = bucket.take(RATE, at(0));
        let expected =
            RateQuota { limit: 5, window_seconds: 1, remaining: 0, reset_seconds: 1, retry_after_seconds: Some(1) };
        assert_eq!(refused, expected);
        assert_eq!(bucket.take(RATE, at(99)).retry_after_seconds, Some(1));
        assert_eq!(bucket.take(RATE, at(100)).retry_after_seconds, None, "one came back");
        assert_eq!(bucket.take(RATE, at(100)).retry_after_seconds, Some(1));
    }

    #[test]
    fn in_the_long_run_the_rate_holds() {
        let mut bucket = Bucket::default();
        let taken = (0..10_000).filter(|step| bucket.take(RATE, at(*step)).retry_after_seconds.is_none()).count();
        assert_eq!(taken, 5 + 99, "10 s at 10 a second, and the burst");
    }

    #[test]
    fn a_pause_fills_it_and_no_further() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, at(0));
        assert!(!bucket.is_full(at(99)) && bucket.is_full(at(100)));
        assert_eq!(bucket.take(RATE, at(3_600_000)).remaining, 4);
    }

    #[test]
    fn who_waits_takes_in_advance_in_order_and_no_more_than_it_would_wait_for() {
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            bucket.take(RATE, at(0));
        }
        let max_wait = std::time::Duration::from_millis(250);
        for expected in [100, 200] {
            let (quota, delay) = bucket.take_within(RATE, at(0), max_wait);
            assert_eq!((quota.retry_after_seconds, quota.remaining, delay.as_millis()), (None, 0, expected));
        }
        let (refused, delay) = bucket.take_within(RATE, at(0), max_wait);
        assert_eq!((refused.retry_after_seconds, delay), (Some(1), std::time::Duration::ZERO));
        assert_eq!(bucket.take(RATE, at(150)).retry_after_seconds, Some(1), "what was taken in advance is gone");
        assert_eq!(bucket.take(RATE, at(300)).retry_after_seconds, None);
        assert_eq!(bucket.take_within(RATE, at(2_000), max_wait).1, std::time::Duration::ZERO);
    }

    #[test]
    fn a_clock_that_is_put_back_costs_nobody_anything() {
        let mut bucket = Bucket::default();
        bucket.take(RATE, at(3_600_000));
        assert_eq!(bucket.take(RATE, at(0)).remaining, 4, "it begins anew");
        assert_eq!(bucket.take(RATE, at(0)).remaining, 3);
    }

    fn rate() -> impl Strategy<Value = Rate> {
        (1..=20_000_u32, 1..=50_u32).prop_map(|(per_second, burst)| Rate { per_second, burst })
    }

    /// The callers: microseconds since the previous one, and for how many milliseconds each would wait.
    fn callers() -> impl Strategy<Value = Vec<(u32, u64)>> {
        let pause = prop_oneof![Just(0), 0..2_000_u32, 0..2_000_000_u32];
        vec((pause, prop_oneof![Just(0), 0..20_000_u64]), 1..60)
    }

    #[test]
    fn in_any_time_no_more_are_let_through_than_the_burst_and_the_rate() {
        holds(2_000, (rate(), callers()), |(rate, callers)| {
            let (mut bucket, mut now, mut let_through) = (Bucket::default(), at(0), Vec::new());
            for (pause, max_wait) in callers {
                now += Duration::microseconds(pause.into());
                let max_wait = std::time::Duration::from_millis(max_wait);
                let (quota, delay) = bucket.take_within(rate, now, max_wait);
                prop_assert!(delay <= max_wait, "nobody waits longer than they would: {:?}", delay);
                if quota.retry_after_seconds.is_none() {
                    let_through.push(now + Duration::from_std(delay).unwrap());
                }
            }
            for (place, first) in let_through.iter().enumerate() {
                for (more, last) in let_through[place..].iter().enumerate() {
                    let fits = (*last - *first).num_nanoseconds().unwrap() / rate.interval().num_nanoseconds().unwrap();
                    let most = i64::from(rate.burst) + fits;
                    prop_assert!(i64::try_from(more).unwrap() < most, "{} within {}", more + 1, *last - *first);
                }
            }
            Ok(())
        });
    }

    #[test]
    fn whoever_comes_back_when_told_is_let_in() {
        holds(1_000, (rate(), 0..200_u32), |(rate, before)| {
            let (mut bucket, now) = (Bucket::default(), at(0));
            let refused = (0..before).filter_map(|_| bucket.take(rate, now).retry_after_seconds).last();
            let later = now + Duration::seconds(refused.unwrap_or(0).into());
            let quota = bucket.take(rate, later);
            prop_assert_eq!(quota.retry_after_seconds.is_none(), refused.is_some() || before < rate.burst);
            Ok(())
        });
    }
}
