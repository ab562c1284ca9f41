//! How many calls a cloud account can take, shared by every gateway.
//!
//! Two buckets fill at the account's current rate: the reserve, which only changes (creates, updates, deletes) may draw
//! from, and the common one, which any call may. What one cannot hold overflows into the other, so nothing is lost
//! while only one kind of call is made. Throttling halves the rate and empties the common bucket; without it the rate
//! grows back linearly (additive increase, multiplicative decrease).
//!
//! What must stay true: the tracker's reads never touch the reserve; a clock that jumps blocks nobody.

use chrono::Duration;

use crate::domain::clock::Instant;

/// How many seconds of calls the buckets hold: a round of reads is drawn at once.
const HOLDS_SECONDS: f64 = 10.0;
/// Throttling within this time of the last counts as the same event: those calls were already in flight.
const ONE_EVENT: Duration = Duration::seconds(2);
/// How long recovery from nothing to the full rate takes without throttling.
const RECOVERS_SECONDS: f64 = 120.0;
/// The rate never falls below this share of the full one.
const LEAST_SHARE: f64 = 0.02;
/// A refill time further ahead than this was written by a clock that is wrong.
const TOO_FAR_AHEAD: Duration = Duration::seconds(10);

/// The settings of the budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetLimits {
    /// Calls per second while the cloud does not throttle.
    pub calls_per_second: f64,
    /// The share that is reserved for changes, 0 to 1.
    pub reserve: f64,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self { calls_per_second: 50.0, reserve: 0.3 }
    }
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A create, update or delete, or the search for one that was lost.
    Change,
    /// A read by the tracker.
    Look,
}

/// One account's budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Calls per second that the cloud accepts now.
    pub rate: f64,
    /// Calls that anyone may make now.
    pub common: f64,
    /// Calls that only changes may make now.
    pub reserve: f64,
    /// When the buckets were last filled.
    pub refilled_at: Instant,
    /// When the cloud last throttled.
    pub throttled_at: Option<Instant>,
}

/// The result of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// How many calls may be made at once.
    pub granted: u32,
    /// When to draw again, if that was fewer than wanted.
    pub again_at: Instant,
}

impl Budget {
    /// A budget that is full.
    pub fn full(limits: &BudgetLimits, now: Instant) -> Self {
        let holds = limits.calls_per_second * HOLDS_SECONDS;
        Self {
            rate: limits.calls_per_second,
            common: holds * (1.0 - limits.reserve),
            reserve: holds * limits.reserve,
            refilled_at: now,
            throttled_at: None,
        }
    }

    /// Fills the buckets up to `now`, and lets the rate recover.
    pub fn refilled(&self, limits: &BudgetLimits, now: Instant) -> Self {
        let astray = self.refilled_at > now + TOO_FAR_AHEAD;
        let since = if astray { now } else { self.refilled_at };
        let seconds = (now - since).as_seconds_f64().max(0.0);
        let full = limits.calls_per_second;
        let rate = (self.rate + full * seconds / RECOVERS_SECONDS).clamp(full * LEAST_SHARE, full);
        let (common_most, reserve_most) = Self::most(limits, rate);
        let gained = rate * seconds;
        let reserve = self.reserve + gained * limits.reserve;
        let common = self.common + gained * (1.0 - limits.reserve);
        let (over_reserve, over_common) = ((reserve - reserve_most).max(0.0), (common - common_most).max(0.0));
        Self {
            rate,
            common: (common + over_reserve).min(common_most),
            reserve: (reserve + over_common).min(reserve_most),
            refilled_at: since.max(now),
            throttled_at: self.throttled_at,
        }
    }

    /// Draws up to `wanted` calls: fewer if there are not enough.
    pub fn draw(&self, wanted: u32, purpose: Purpose, limits: &BudgetLimits, now: Instant) -> (Self, Drawn) {
        let mut next = self.refilled(limits, now);
        let wanted_calls = f64::from(wanted);
        let from_reserve = match purpose {
            Purpose::Change => wanted_calls.min(next.reserve.floor()),
            Purpose::Look => 0.0,
        };
        let from_common = (wanted_calls - from_reserve).min(next.common.floor()).max(0.0);
        next.reserve -= from_reserve;
        next.common -= from_common;
        let granted = whole(from_reserve + from_common);
        let lacking = f64::from(wanted - granted.min(wanted));
        // Do not wait for all that is missing: a part is worth drawing, and others draw, too.
        let wait = (lacking.clamp(1.0, next.rate.max(1.0)) / next.rate).clamp(0.05, 60.0);
        (next, Drawn { granted, again_at: now + Duration::milliseconds(i64::from(whole(wait * 1_000.0))) })
    }

    /// Records that the cloud throttled a call.
    pub fn throttled(&self, limits: &BudgetLimits, now: Instant) -> Self {
        let next = self.refilled(limits, now);
        if next.throttled_at.is_some_and(|at| (now - at).abs() < ONE_EVENT) {
            return Self { throttled_at: self.throttled_at, ..next };
        }
        let rate = (next.rate / 2.0).max(limits.calls_per_second * LEAST_SHARE);
        let (_, reserve_most) = Self::most(limits, rate);
        Self { rate, common: 0.0, reserve: next.reserve.min(reserve_most), throttled_at: Some(now), ..next }
    }

    /// How full it is: 1 is full at the full rate.
    pub fn level(&self, limits: &BudgetLimits) -> f64 {
        (self.common + self.reserve) / (limits.calls_per_second * HOLDS_SECONDS)
    }

    /// The capacity of the two buckets at `rate`: at least one call each, even for a slow account.
    fn most(limits: &BudgetLimits, rate: f64) -> (f64, f64) {
        let holds = rate * HOLDS_SECONDS;
        ((holds * (1.0 - limits.reserve)).max(1.0), (holds * limits.reserve).max(1.0))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits { calls_per_second: 10.0, reserve: 0.3 };

    fn at(seconds: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn draw(budget: &mut Budget, wanted: u32, purpose: Purpose, now: Instant) -> u32 {
        let (next, drawn) = budget.draw(wanted, purpose, &LIMITS, now);
        *budget = next;
        drawn.granted
    }

    #[test]
    fn looks_leave_the_reserve_to_changes() {
        let mut budget = Budget::full(&LIMITS, at(0));
        assert_eq!(draw(&mut budget, 1_000, Purpose::Look, at(0)), 70);
        assert_eq!(draw(&mut budget, 1, Purpose::Look, at(0)), 0);
        assert_eq!(draw(&mut budget, 1_000, Purpose::Change, at(0)), 30);
        // Both kinds are wanted all the time: 3 of 10 calls a second stay with changes.
        let (mut looks, mut changes) = (0, 0);
        for second in 1..=100 {
            looks += draw(&mut budget, 1_000, Purpose::Look, at(second));
            changes += draw(&mut budget, 1_000, Purpose::Change, at(second));
        }
        assert_eq!((looks, changes), (700, 300));
    }

    #[test]
    fn what_one_kind_does_not_need_is_the_others() {
        let mut budget = Budget::full(&LIMITS, at(0));
        draw(&mut budget, 70, Purpose::Look, at(0));
        let looks: u32 = (1..=10).map(|second| draw(&mut budget, 100, Purpose::Look, at(second))).sum();
        assert_eq!(looks, 100, "the reserve was full already");
    }

    #[test]
    fn throttling_halves_once_per_event_and_is_forgiven() {
        let full = Budget::full(&LIMITS, at(0));
        let first = full.throttled(&LIMITS, at(0));
        assert!((first.rate - 5.0).abs() < 0.01 && first.common < 0.01, "{first:?}");
        assert!(first.throttled(&LIMITS, at(1)).rate >= 5.0, "the same event");
        assert!(first.throttled(&LIMITS, at(2)).rate < 3.0, "another one");
        let many = (0..20).fold(full, |budget, event| budget.throttled(&LIMITS, at(event * 2)));
        assert!(many.rate >= LIMITS.calls_per_second * LEAST_SHARE);
        assert!(first.refilled(&LIMITS, at(60)).rate > 9.99);
        assert!(first.refilled(&LIMITS, at(30)).rate < 8.0);
    }

    #[test]
    fn a_draw_that_gave_too_little_says_when_to_come_again() {
        let mut budget = Budget::full(&LIMITS, at(0));
        draw(&mut budget, 70, Purpose::Look, at(0));
        let (_, drawn) = budget.draw(5, Purpose::Look, &LIMITS, at(0));
        assert_eq!(drawn, Drawn { granted: 0, again_at: at(0) + Duration::milliseconds(500) });
    }

    #[test]
    fn a_clock_that_jumps_freezes_nobody() {
        let mut budget = Budget::full(&LIMITS, at(100_000));
        draw(&mut budget, 100, Purpose::Look, at(100_000));
        draw(&mut budget, 1, Purpose::Look, at(0));
        assert!(draw(&mut budget, 100, Purpose::Look, at(10)) >= 70);
        // A clock slightly ahead is another gateway's: its seconds are not counted twice.
        let ahead = Budget::full(&LIMITS, at(5)).draw(70, Purpose::Look, &LIMITS, at(5)).0;
        assert_eq!(ahead.draw(70, Purpose::Look, &LIMITS, at(0)).1.granted, 0);
        assert_eq!(ahead.draw(70, Purpose::Look, &LIMITS, at(0)).0.refilled_at, at(5));
    }
}
