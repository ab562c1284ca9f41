//! Time, handed in. Production reads the system clock, tests own a [`ManualClock`].
//!
//! Every instant the gateway stores is cut to microseconds, as Postgres keeps it: otherwise the answer to
//! a POST and a later GET of the same thing would differ in their last digits.

use std::sync::Mutex;

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// An instant in UTC, in microseconds.
pub type Instant = DateTime<Utc>;

/// Where "now" comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant in UTC, cut to microseconds.
    fn now(&self) -> Instant;
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
