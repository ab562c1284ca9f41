//! Time, handed in. Production reads the system clock, tests own a [`ManualClock`].
//!
//! Every instant the gateway stores is cut to microseconds, as Postgres keeps it: otherwise the answer to
//! a POST and a later GET of the same thing would differ in their last digits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// An instant in UTC, in microseconds.
pub type Instant = DateTime<Utc>;

/// Where "now" comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant in UTC, cut to microseconds.
    fn now(&self) -> Instant;

    /// Moves the clock: a better one was read, and this one was `by` behind it. Most clocks know no better.
    fn correct(&self, _by: Duration) {}

    /// Whether it can be gone by: a clock that is to be set by a better one cannot, until it was.
    fn is_set(&self) -> bool {
        true
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Instant {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that no step of the machine's own can move: it begins with that, goes on by the monotonic clock, and
/// is corrected by one that all gateways share (the database's). So schedules, signatures and the windows of
/// "never twice" mean the same to every gateway, whatever happens to the clock of one machine.
#[derive(Debug)]
pub struct SteadyClock {
    begun: std::time::Instant,
    /// What the clock showed at `begun`, as far as is known.
    then: Mutex<Instant>,
    set: AtomicBool,
}

impl SteadyClock {
    /// A clock that shows what `clock` shows, to be corrected before it is gone by.
    pub fn set_by(clock: &dyn Clock) -> Self {
        Self { begun: std::time::Instant::now(), then: Mutex::new(clock.now()), set: AtomicBool::new(false) }
    }

    fn then(&self) -> std::sync::MutexGuard<'_, Instant> {
        // A panic while holding the lock cannot leave a half-written instant behind.
        self.then.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Instant {
        let passed = Duration::from_std(self.begun.elapsed()).unwrap_or(Duration::MAX);
        let then = *self.then();
        then.checked_add_signed(passed).unwrap_or(then).trunc_subsecs(6)
    }

    fn correct(&self, by: Duration) {
        let mut then = self.then();
        *then = then.checked_add_signed(by).unwrap_or(*then);
        self.set.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Instant>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn at(start: Instant) -> Self {
        Self(Mutex::new(start.trunc_subsecs(6)))
    }

    /// Moves the clock forward (or, with a negative `by`, back).
    pub fn advance(&self, by: Duration) {
        *self.hand() += by;
    }

    /// Puts the clock at `instant`.
    pub fn set(&self, instant: Instant) {
        *self.hand() = instant.trunc_subsecs(6);
    }

    fn hand(&self) -> std::sync::MutexGuard<'_, Instant> {
        // A panic while holding the lock cannot leave a half-written instant behind.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.hand()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_goes_on_from_where_it_was_set_and_is_corrected() {
        let start = Instant::UNIX_EPOCH + Duration::hours(1);
        let machine = ManualClock::at(start);
        let clock = SteadyClock::set_by(&machine);
        machine.advance(Duration::days(1));
        assert!(clock.now() >= start && clock.now() < start + Duration::minutes(1), "the step is not seen");
        assert!(!clock.is_set());
        clock.correct(Duration::hours(2));
        assert!(clock.is_set());
        assert!(clock.now() >= start + Duration::hours(2));
        clock.correct(Duration::hours(-3));
        assert!(clock.now() < start);
    }
}
