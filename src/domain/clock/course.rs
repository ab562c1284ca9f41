//! The time that the gateway uses, as readings of a shared clock set it, and which readings are not believed.
//!
//! What must stay true: one clock alone never makes the time jump. Three are compared: the shared one (the database's),
//! how long this machine has been up ([`Uptime`](super::Uptime), which counts on while it is suspended), and the
//! machine's own. A reading that differs by at most [`DRIFT`] from where the uptime puts it corrects the time at once.
//! A jump is believed once it has lasted: for [`LASTS`] if the machine's clock agrees (everybody's clock was wrong
//! before, or the machine did not notice a pause), for [`LASTS_ALONE`] if it does not. Meanwhile the time advances by
//! the uptime, and is in doubt.
//!
//! The first reading is taken as it is, because all gateways must start with the same time. But if the machine's clock
//! disagrees, it is in doubt for as long: a gateway that starts during a jump must not discard anything because of its
//! age, and is not sure how long ago something was ([`Course::is_sure`]). The cloud's clock, which comes with each of
//! its answers, settles this at once if it agrees with the shared one: then the machine's clock is wrong.
//!
//! What it cannot do: tell a jump that lasts from the truth.

use chrono::Duration;

use super::Instant;

/// The most that a reading corrects at once: more than the clocks of database servers that take over from one another
/// differ.
pub const DRIFT: Duration = Duration::seconds(10);
/// How long a jump must last if the machine's own clock confirms it.
pub const LASTS: Duration = Duration::minutes(2);
/// How long a jump must last if the machine's own clock contradicts it.
pub const LASTS_ALONE: Duration = Duration::hours(1);

/// One reading of the shared clock.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    /// What the shared clock said, plus half of the time that the reading took.
    pub told: Instant,
    /// Half of the time that the reading took: a smaller difference does not count.
    pub half: Duration,
    /// The time of the machine's own clock.
    pub machine: Instant,
    /// How long the course has run, by uptime.
    pub passed: Duration,
}

/// The time that the gateway uses.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// What the time was when the course began, as far as is known.
    begun_at: Instant,
    doubt: Option<ClockDoubt>,
    /// The doubt began with the first reading, and has not ended since.
    unsure: bool,
}

/// A time that differs from that of the uptime or of the machine's clock, and may turn out to be right.
#[derive(Debug, Clone, Copy)]
struct ClockDoubt {
    /// What the time was, by that clock, when the course began.
    begun_at: Instant,
    /// Since when it has been reported, as time since the course began.
    since: Duration,
    /// By how much it differs.
    by: Duration,
}

impl Course {
    /// A course that nothing has set yet.
    pub fn from(begun_at: Instant) -> Self {
        Self { begun_at, doubt: None, unsure: false }
    }

    /// The time when `passed` has passed since the course began.
    pub fn at(&self, passed: Duration) -> Instant {
        self.begun_at.checked_add_signed(passed).unwrap_or(self.begun_at)
    }

    /// Since when a clock that is not believed has differed, if one does: as time since the course began.
    pub fn doubted_since(&self) -> Option<Duration> {
        self.doubt.map(|doubt| doubt.since)
    }

    /// By how much a clock that is not believed differs, if one does.
    pub fn doubt(&self) -> Option<Duration> {
        self.doubt.map(|doubt| doubt.by)
    }

    /// Whether the time was not in doubt when it was first set, or has been confirmed since.
    pub fn is_sure(&self) -> bool {
        !self.unsure
    }

    /// Takes the first reading, and returns by how much it moved the time.
    pub fn set(&mut self, reading: &ClockReading) -> Duration {
        let by = reading.told - reading.machine;
        let moved = self.correct(reading);
        self.unsure = by.abs() > DRIFT;
        self.doubt = self.unsure.then_some(ClockDoubt { begun_at: self.begun_at, since: reading.passed, by });
        moved
    }

    /// A third clock says `third`: if it agrees with the current time, the doubt from the first reading ends.
    pub fn confirm(&mut self, third: Instant, passed: Duration) {
        if self.unsure && (third - self.at(passed)).abs() <= DRIFT {
            (self.doubt, self.unsure) = (None, false);
        }
    }

    /// Takes a further reading, and returns by how much it moved the time.
    pub fn learn(&mut self, reading: &ClockReading) -> Duration {
        let begun_at = reading.told - reading.passed;
        let by = begun_at - self.begun_at;
        let lasting = self.doubt.filter(|doubt| (begun_at - doubt.begun_at).abs() <= DRIFT);
        if let Some(doubt) = lasting {
            let confirmed = (reading.told - reading.machine).abs() <= DRIFT;
            let lasts = if confirmed { LASTS } else { LASTS_ALONE };
            if reading.passed - doubt.since >= lasts {
                (self.doubt, self.unsure) = (None, false);
                return self.correct(reading);
            }
            return if by.abs() <= DRIFT { self.correct(reading) } else { Duration::zero() };
        }
        let leaps = by.abs() > DRIFT;
        // A doubt from the first reading must last the full time again after the clock has been elsewhere.
        let by = if leaps { by } else { reading.told - reading.machine };
        self.doubt = (leaps || self.unsure).then_some(ClockDoubt { begun_at, since: reading.passed, by });
        if leaps { Duration::zero() } else { self.correct(reading) }
    }

    /// Sets the time, never adds to it: concurrent readings do not add up.
    fn correct(&mut self, reading: &ClockReading) -> Duration {
        let by = reading.told - reading.passed - self.begun_at;
        if by.abs() <= reading.half {
            return Duration::zero();
        }
        self.begun_at += by;
        by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE_DAYS: Duration = Duration::days(9);

    fn start() -> Instant {
        Instant::UNIX_EPOCH + Duration::days(20_000)
    }

    /// A reading after so many seconds, with the offsets of the shared clock and of the machine's.
    fn reading(seconds: i64, shared: Duration, machine: Duration) -> ClockReading {
        let passed = Duration::seconds(seconds);
        let right = start() + passed;
        ClockReading { told: right + shared, half: Duration::milliseconds(1), machine: right + machine, passed }
    }

    fn set() -> Course {
        let mut course = Course::from(start());
        course.set(&reading(0, Duration::zero(), Duration::zero()));
        course
    }

    fn off(course: &Course, seconds: i64) -> Duration {
        course.at(Duration::seconds(seconds)) - start() - Duration::seconds(seconds)
    }

    #[test]
    fn a_leap_and_back_moves_nothing() {
        for leap in [NINE_DAYS, -Duration::seconds(600), -Duration::seconds(300)] {
            let mut course = set();
            for seconds in [3, 6, 60, 119] {
                assert_eq!(course.learn(&reading(seconds, leap, Duration::zero())), Duration::zero());
                assert_eq!((off(&course, seconds), course.doubt()), (Duration::zero(), Some(leap)));
            }
            course.learn(&reading(122, Duration::zero(), Duration::zero()));
            assert_eq!((off(&course, 122), course.doubt()), (Duration::zero(), None));
        }
    }

    #[test]
    fn a_leap_that_lasts_is_believed_sooner_where_the_machine_agrees() {
        for (machine, lasts) in [(NINE_DAYS, LASTS), (Duration::zero(), LASTS_ALONE)] {
            let mut course = set();
            let until = 3 + lasts.num_seconds();
            for seconds in [3, 3 + lasts.num_seconds() / 2, until - 1] {
                course.learn(&reading(seconds, NINE_DAYS, machine));
                assert_eq!(off(&course, seconds), Duration::zero(), "{seconds}");
            }
            assert_eq!(course.learn(&reading(until, NINE_DAYS, machine)), NINE_DAYS);
            assert_eq!((off(&course, until), course.doubt()), (NINE_DAYS, None));
        }
    }

    #[test]
    fn a_clock_that_leaps_about_is_not_believed() {
        let mut course = set();
        for seconds in (3..600).step_by(3) {
            let leap = NINE_DAYS + Duration::minutes(seconds % 2);
            course.learn(&reading(seconds, leap, leap));
            assert_eq!(off(&course, seconds), Duration::zero());
        }
    }

    #[test]
    fn the_first_reading_is_gone_by_and_in_doubt_where_the_machine_denies_it() {
        let mut course = Course::from(start());
        assert_eq!(course.set(&reading(0, NINE_DAYS, Duration::zero())), NINE_DAYS);
        assert_eq!((off(&course, 0), course.doubt()), (NINE_DAYS, Some(NINE_DAYS)));
        course.learn(&reading(3, NINE_DAYS, Duration::zero()));
        assert_eq!((off(&course, 3), course.doubt()), (NINE_DAYS, Some(NINE_DAYS)));
        // Back to the machine's time: this is another jump, and must last as well.
        course.learn(&reading(6, Duration::zero(), Duration::zero()));
        assert_eq!((off(&course, 6), course.doubt()), (NINE_DAYS, Some(-NINE_DAYS)));
        course.learn(&reading(6 + 120, Duration::zero(), Duration::zero()));
        assert_eq!((off(&course, 126), course.doubt()), (Duration::zero(), None));
    }

    #[test]
    fn a_course_that_began_in_doubt_is_sure_of_no_age_until_a_time_has_lasted() {
        let mut course = Course::from(start());
        course.set(&reading(0, NINE_DAYS, Duration::zero()));
        // Elsewhere, and back to where it began: that has not lasted.
        course.learn(&reading(3, Duration::zero(), Duration::zero()));
        course.learn(&reading(6, NINE_DAYS, Duration::zero()));
        assert_eq!((course.is_sure(), course.doubt()), (false, Some(NINE_DAYS)));
        course.learn(&reading(9, Duration::zero(), Duration::zero()));
        assert!(!course.is_sure());
        course.learn(&reading(9 + 120, Duration::zero(), Duration::zero()));
        assert_eq!((course.is_sure(), course.doubt()), (true, None));
        course.learn(&reading(140, NINE_DAYS, Duration::zero()));
        assert_eq!((course.is_sure(), course.doubt()), (true, Some(NINE_DAYS)), "it goes on by the monotonic clock");
    }

    #[test]
    fn a_third_clock_tells_which_of_two_is_wrong() {
        let mut course = Course::from(start());
        course.set(&reading(0, NINE_DAYS, Duration::zero()));
        course.confirm(start(), Duration::seconds(3));
        assert!(!course.is_sure(), "the database's, then");
        course.confirm(start() + NINE_DAYS, Duration::seconds(3));
        assert_eq!((course.is_sure(), course.doubt()), (true, None), "the machine's");
        // A later jump is not believed because of it.
        course.learn(&reading(6, Duration::zero(), Duration::zero()));
        course.confirm(start(), Duration::seconds(6));
        assert_eq!(off(&course, 6), NINE_DAYS);
    }

    #[test]
    fn small_differences_are_corrected_at_once() {
        let mut course = set();
        let second = Duration::seconds(1);
        assert_eq!(course.learn(&reading(3, second, Duration::zero())), second);
        assert_eq!(course.learn(&reading(3, second, Duration::zero())), Duration::zero(), "twice is as good as once");
        let within = second + Duration::microseconds(900);
        assert_eq!(course.learn(&reading(6, within, Duration::zero())), Duration::zero(), "what the reading took");
        assert_eq!((off(&course, 6), course.doubt()), (second, None));
    }
}
