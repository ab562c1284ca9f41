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

    /// Tells the clock that a better one, asked at `asked` by the monotonic clock and answering just now, said `told`.
    /// Returns by how much this one was put forward. Most clocks know no better than themselves.
    fn learn(&self, _told: Instant, _asked: std::time::Instant) -> Duration {
        Duration::zero()
    }

    /// Whether it can be gone by: a clock that is to be set by a better one cannot, until it was.
    fn is_set(&self) -> bool {
        true
    }
}

/// Whether `then` was less than `span` ago. A clock that was set back makes everything old, never young for ever.
pub fn within(then: Option<Instant>, span: Duration, now: Instant) -> bool {
    then.is_some_and(|then| (Duration::zero()..span).contains(&(now - then)))
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

    /// Sets it, never adds to it: readings that come at once do not add up. What lies within half of what the reading
    /// took is no difference.
    fn learn(&self, told: Instant, asked: std::time::Instant) -> Duration {
        let half = Duration::from_std(asked.elapsed() / 2).unwrap_or(Duration::MAX);
        let passed = Duration::from_std(self.begun.elapsed()).unwrap_or(Duration::MAX);
        let mut then = self.then();
        let better = told.checked_add_signed(half).and_then(|now| now.checked_sub_signed(passed)).unwrap_or(*then);
        let behind = better - *then;
        let moved = if behind.abs() > half { behind } else { Duration::zero() };
        *then += moved;
        self.set.store(true, Ordering::Release);
        moved
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
        let (told, asked) = (start + Duration::hours(2), std::time::Instant::now());
        // Twice at once is as good as once.
        assert!(clock.learn(told, asked) > Duration::minutes(119));
        assert!(clock.learn(told, asked) < Duration::minutes(1));
        assert!(clock.is_set());
        assert!(clock.now() >= told && clock.now() < told + Duration::minutes(1));
        clock.learn(start - Duration::hours(1), std::time::Instant::now());
        assert!(clock.now() < start);
    }
}
