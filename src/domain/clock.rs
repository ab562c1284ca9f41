//! Time, passed in as a dependency. Production reads the system clock, tests own a [`ManualClock`].
//!
//! Every instant that the gateway stores is truncated to microseconds, the precision of Postgres: otherwise the answer
//! to a POST and a later GET of the same resource would differ in their last digits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use course::{ClockReading, Course, DRIFT};
pub use uptime::Uptime;

pub mod course;
mod uptime;

/// An instant in UTC, in microseconds.
pub type Instant = DateTime<Utc>;

/// The longest lease, by the database's clock: an expiry further ahead was written before that clock jumped back.
pub const LONGEST_LEASE: std::time::Duration = std::time::Duration::from_mins(1);

/// The longest that an operation, its follow-up check or a lookup is postponed, unless settings allow more: a due time
/// further ahead was written by a clock that was ahead.
pub const FARTHEST_DUE: Duration = Duration::hours(1);

/// Longer than anything can be ago: used as the lag while ages cannot be trusted.
const UNTOLD: Duration = Duration::days(36_500);

/// The current time, as a process sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// The time.
    pub at: Instant,
    /// Whether the age of something can be computed from it ([`Clock::is_sure`]).
    pub sure: bool,
}

impl Present {
    /// How long a lookup may lag: effectively unbounded while the time is not sure.
    pub fn lag(self, lag: Duration) -> Duration {
        if self.sure { lag } else { UNTOLD }
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant in UTC, cut to microseconds.
    fn now(&self) -> Instant;

    /// How long the machine has been up: the time base for ages and leases that live in memory.
    fn uptime(&self) -> Uptime {
        Uptime::now()
    }

    /// Gives the clock a reading of a better one, which was asked at `asked` and just answered `told`. Returns by how
    /// much this clock was put forward. By default a clock ignores readings.
    fn learn(&self, _told: Instant, _asked: Uptime) -> Duration {
        Duration::zero()
    }

    /// By how much the better clock differs from this one (or, at first, from the machine's) while it is not known
    /// which is right: nothing may be discarded because of its age meanwhile. None if they agree, or if there is no
    /// other.
    fn doubt(&self) -> Option<Duration> {
        None
    }

    /// Whether it can tell how long ago something was that another process wrote. False for a clock whose first reading
    /// disagrees with the machine's own clock, until that reading has held for long enough: a gateway may have started
    /// while the database's clock is wrong.
    fn is_sure(&self) -> bool {
        true
    }

    /// Gives the clock the time of a third one that nobody here sets (the cloud's): if it agrees with the better one,
    /// the machine's own is wrong, and the time is sure.
    fn confirm(&self, _third: Instant) {}

    /// The current time by this clock.
    fn present(&self) -> Present {
        Present { at: self.now(), sure: self.is_sure() }
    }

    /// Whether the clock can be used: one that a better clock must set cannot, until that has happened.
    fn is_set(&self) -> bool {
        true
    }
}

/// Whether `then` was less than `span` ago. False for a time in the future: a clock that was set back makes everything
/// old, and nothing stays young forever.
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

/// A clock that no step of the machine's own clock can move. It starts with the machine's time, advances by uptime
/// (suspended or not, so that it is right at once when the machine wakes), and is corrected by a clock that all
/// gateways share (the database's), whose jumps it believes only once they have lasted ([`course`]). So schedules,
/// signatures and the windows of "never twice" mean the same to every gateway, whatever happens to the clock of one
/// machine.
#[derive(Debug)]
pub struct SteadyClock {
    begun: Uptime,
    machine: Arc<dyn Clock>,
    course: Mutex<Course>,
    set: AtomicBool,
}

impl SteadyClock {
    /// A clock that starts with the time of `machine`, and must be corrected before it is used.
    pub fn set_by(machine: Arc<dyn Clock>) -> Self {
        let course = Mutex::new(Course::from(machine.now()));
        Self { begun: machine.uptime(), machine, course, set: AtomicBool::new(false) }
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        // A panic while holding the lock cannot leave a half-written course behind.
        self.course.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn passed(&self) -> Duration {
        Duration::from_std(self.uptime().since(self.begun)).unwrap_or(Duration::MAX)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Instant {
        let passed = self.passed();
        self.course().at(passed).trunc_subsecs(6)
    }

    fn uptime(&self) -> Uptime {
        self.machine.uptime()
    }

    fn learn(&self, told: Instant, asked: Uptime) -> Duration {
        let half = Duration::from_std(self.uptime().since(asked) / 2).unwrap_or(Duration::MAX);
        // The machine was suspended while the answer was pending, or the answer took nearly as long: the reading is
        // useless.
        if half > DRIFT {
            return Duration::zero();
        }
        let Some(told) = told.checked_add_signed(half) else { return Duration::zero() };
        let reading = ClockReading { told, half, machine: self.machine.now(), passed: self.passed() };
        let mut course = self.course();
        if self.set.swap(true, Ordering::AcqRel) { course.learn(&reading) } else { course.set(&reading) }
    }

    fn doubt(&self) -> Option<Duration> {
        self.course().doubt()
    }

    fn is_sure(&self) -> bool {
        self.course().is_sure()
    }

    fn confirm(&self, third: Instant) {
        let passed = self.passed();
        self.course().confirm(third, passed);
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

/// A clock that moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Instant>);

impl ManualClock {
    /// A clock set to `start`.
    pub fn at(start: Instant) -> Self {
        Self(Mutex::new(start.trunc_subsecs(6)))
    }

    /// Moves the clock forward (or, with a negative `by`, back).
    pub fn advance(&self, by: Duration) {
        *self.hand() += by;
    }

    /// Sets the clock to `instant`.
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
    fn a_steady_clock_goes_on_from_where_it_was_set_and_believes_no_leap() {
        let start = Instant::UNIX_EPOCH + Duration::hours(1);
        let machine = Arc::new(ManualClock::at(start));
        let clock = SteadyClock::set_by(machine.clone());
        machine.advance(Duration::days(1));
        assert!(clock.now() >= start && clock.now() < start + Duration::minutes(1), "the step is not seen");
        assert!(!clock.is_set());
        let (told, asked) = (start + Duration::days(1), Uptime::now());
        assert!(clock.learn(told, asked) > Duration::hours(23));
        assert!(clock.is_set() && clock.doubt().is_none());
        assert!(clock.now() >= told && clock.now() < told + Duration::minutes(1));
        assert_eq!(clock.learn(told + Duration::days(9), Uptime::now()), Duration::zero());
        assert!(clock.doubt() > Some(Duration::days(8)));
        assert!(clock.now() < told + Duration::minutes(1));
    }

    /// A machine that was suspended for so long, and whose own clock resumes where it stopped, as some do when they
    /// wake.
    #[derive(Debug)]
    struct Suspended(ManualClock, Mutex<std::time::Duration>);

    impl Clock for Suspended {
        fn now(&self) -> Instant {
            self.0.now()
        }

        fn uptime(&self) -> Uptime {
            Uptime::now() + *self.1.lock().unwrap()
        }
    }

    const MINUTE: Duration = Duration::minutes(1);

    fn suspended() -> (Arc<Suspended>, SteadyClock) {
        let start = Instant::UNIX_EPOCH + Duration::hours(1);
        let machine = Arc::new(Suspended(ManualClock::at(start), Mutex::default()));
        let clock = SteadyClock::set_by(machine.clone());
        (machine, clock)
    }

    fn wake(machine: &Suspended, hours: u64) {
        *machine.1.lock().unwrap() += std::time::Duration::from_hours(hours);
    }

    #[test]
    fn a_machine_that_wakes_tells_the_time_at_once() {
        let (machine, clock) = suspended();
        let start = machine.now();
        clock.learn(start, clock.uptime());
        wake(&machine, 1);
        let right = start + Duration::hours(1);
        assert!(clock.now() >= right && clock.now() < right + MINUTE, "{}", clock.now());
        assert!(clock.learn(right, clock.uptime()).abs() < MINUTE, "the next reading agrees");
        assert!(clock.doubt().is_none() && clock.is_sure());
        assert!(crate::domain::operation::is_stale(start, clock.now()), "nothing signed before is sent");
        assert!(!within(Some(start), MINUTE, clock.now()), "nor is anything believed that was read before");
    }

    #[test]
    fn an_answer_that_lay_about_during_the_pause_sets_nothing() {
        let (machine, clock) = suspended();
        let (start, asked) = (machine.now(), clock.uptime());
        wake(&machine, 1);
        assert_eq!(clock.learn(start, asked), Duration::zero());
        assert!(!clock.is_set(), "nor may it be gone by");
        machine.0.advance(Duration::hours(1));
        clock.learn(start + Duration::hours(1), clock.uptime());
        assert!(clock.is_set());
        let (told, asked) = (clock.now(), clock.uptime());
        wake(&machine, 1);
        assert_eq!((clock.learn(told, asked), clock.doubt()), (Duration::zero(), None), "no leap is suspected");
        assert!(clock.now() >= told + Duration::hours(1));
    }
}
