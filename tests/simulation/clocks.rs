//! Clocks: the database's, which is changed and set right again, and the time of each process, as `domain::clock`
//! determines it. [`World::now`] is the true time, which the cloud, the machines and the monotonic clocks follow: if
//! they were wrong together with the database's clock, nothing could detect it.
//!
//! Leases use the database's clock; what a process signs, postpones or judges by its age uses that process's time. A
//! process that has died starts again, with the database's time at that moment, when it next takes up work or a little
//! later. Before the first change all clocks agree, and none of this costs a run anything.

use eci_cache_gateway::domain::clock::course::{ClockReading, Course, LASTS, LASTS_ALONE};

use crate::cloud::{NEVER, Time};
use crate::faults::Leap;
use crate::rows::{instant, time};
use crate::twin::Twin;
use crate::world::{WORKERS, World};

/// How often a process reads the database's clock.
const READ_EVERY: Time = 3;
/// How often the janitor runs.
const CLEAN_EVERY: Time = 30;
/// How long the idempotency key of the create is kept.
const KEEP_KEY: Time = 2 * 86_400;

/// The time of each process, and when the database's clock is read next.
#[derive(Clone, Copy)]
pub(crate) struct Clocks {
    /// The error of each process's time.
    off: [Time; WORKERS],
    /// The processes whose time is in doubt.
    doubted: [bool; WORKERS],
    /// The processes that started in doubt.
    unsure: [bool; WORKERS],
    /// `None` before the first change.
    courses: Option<[Course; WORKERS]>,
    /// The processes that have not started yet.
    fresh: [bool; WORKERS],
    /// Until when the database's clock is wrong.
    until: Time,
    /// When it was first wrong, and whether it was ever ahead.
    first: Time,
    ahead: bool,
    next_reading: Time,
    /// It may have been wrong for so long that it is rightly believed: when that ends, nothing tells what was written
    /// by which time.
    pub(crate) lasted: bool,
    /// When the janitors last ran, and whether anything was done since.
    cleaned_at: Time,
    cleaned: bool,
}

/// The time of a process, as its work uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The error of the time.
    pub(crate) off: Time,
    /// Whether it may use the time to forget and give up.
    pub(crate) certain: bool,
    /// Whether it can use the time to tell how long ago something was.
    pub(crate) sure: bool,
}

impl Trust {
    /// Before the first change.
    pub(crate) const FULL: Self = Self { off: 0, certain: true, sure: true };
}

impl Clocks {
    pub(crate) const RIGHT: Self = Self {
        off: [0; WORKERS],
        doubted: [false; WORKERS],
        unsure: [false; WORKERS],
        courses: None,
        fresh: [false; WORKERS],
        until: NEVER,
        first: NEVER,
        ahead: false,
        next_reading: NEVER,
        lasted: false,
        cleaned_at: 0,
        cleaned: false,
    };

    /// When a clock does something next.
    pub(crate) fn due(&self) -> Time {
        self.until.min(self.next_reading)
    }

    /// Whether none has been wrong so far.
    pub(crate) fn agree(&self) -> bool {
        self.courses.is_none()
    }

    /// The time of a process.
    pub(crate) fn of(&self, place: usize) -> Trust {
        Trust { off: self.off[place], certain: !self.doubted[place], sure: !self.unsure[place] }
    }

    /// A process dies.
    pub(crate) fn die(&mut self, place: usize, skew: Time) {
        if self.courses.is_some() {
            self.fresh[place] = true;
            self.will_start(place, skew);
        }
    }

    /// It will start with the database's time at that moment, and be in doubt if that is wrong.
    fn will_start(&mut self, place: usize, skew: Time) {
        let doubted = skew != 0;
        (self.off[place], self.doubted[place], self.unsure[place]) = (skew, doubted, doubted);
    }

    /// The database's clock is read.
    fn read(&mut self, now: Time) {
        self.lasted |= now >= self.first && now - self.first >= seconds(LASTS_ALONE);
    }
}

impl World {
    /// The database's clock is changed, and set right again later.
    pub(crate) fn leap(&mut self, leap: Leap) {
        if self.clocks.courses.is_none() {
            let reading = self.reading();
            let mut course = Course::from(reading.machine - reading.passed);
            course.set(&reading);
            self.clocks.courses = Some([course; WORKERS]);
            self.clocks.first = self.now;
        }
        self.clocks.ahead |= leap.by() > 0;
        self.set_skew(leap.by(), self.now + self.setting.leap);
        self.lied();
    }

    fn set_skew(&mut self, skew: Time, until: Time) {
        self.store.skew = skew;
        self.clocks.until = until;
        self.clocks.next_reading = self.now + READ_EVERY;
        for place in 0..WORKERS {
            if self.clocks.fresh[place] {
                self.clocks.will_start(place, skew);
            }
        }
        self.note(|| format!("the database's clock is off by {skew} s"));
    }

    /// The database's clock is set right again, or read.
    pub(crate) fn tick(&mut self) {
        if self.clocks.until <= self.now {
            return self.set_skew(0, NEVER);
        }
        self.clocks.read(self.now);
        let reading = self.reading();
        for place in 0..WORKERS {
            if let Some(courses) = self.clocks.courses.as_mut().filter(|_| !self.clocks.fresh[place]) {
                courses[place].learn(&reading);
                self.go_by(place);
            }
        }
        self.clean_all();
        self.read_again();
    }

    /// The janitors run regularly, and while nothing else is due for a while. `false` if they have run.
    pub(crate) fn clean_meanwhile(&mut self, next: Time) -> bool {
        let at = self.now.max(self.away_until) + CLEAN_EVERY;
        if self.now >= self.clocks.cleaned_at + 2 * CLEAN_EVERY {
            self.clean_all();
        }
        if self.clocks.cleaned || next <= at {
            return false;
        }
        self.now = at;
        for place in 0..WORKERS {
            self.start(place);
        }
        self.clean_all();
        self.clocks.cleaned = true;
        true
    }

    /// One janitor for each different time.
    fn clean_all(&mut self) {
        self.clocks.cleaned_at = self.now;
        for place in 0..WORKERS {
            let trust = self.clocks.of(place);
            if (0..place).all(|before| self.clocks.of(before) != trust || self.clocks.fresh[before]) {
                self.clean(place);
            }
        }
    }

    /// The process of a worker or a request acts now.
    pub(crate) fn go_by_clock_of(&mut self, place: usize) {
        let trust = self.clocks.of(place);
        (self.clock, self.sure, self.clocks.cleaned) = (self.now + trust.off, trust.sure, false);
    }

    /// Starts a process if it has not started yet.
    pub(crate) fn start(&mut self, place: usize) {
        if !self.clocks.fresh[place] {
            return;
        }
        self.clocks.read(self.now);
        let reading = self.reading();
        let Some(courses) = &mut self.clocks.courses else { return };
        let course = &mut courses[place];
        *course = Course::from(reading.machine - reading.passed);
        course.set(&reading);
        self.clocks.fresh[place] = false;
        self.go_by(place);
        self.clean(place);
        self.read_again();
    }

    fn reading(&self) -> ClockReading {
        ClockReading {
            told: instant(self.now + self.store.skew),
            half: chrono::Duration::milliseconds(1),
            machine: instant(self.now),
            passed: chrono::Duration::seconds(self.now.into()),
        }
    }

    fn go_by(&mut self, place: usize) {
        let Some(courses) = &self.clocks.courses else { return };
        let course = &courses[place];
        let off = time(course.at(chrono::Duration::seconds(self.now.into()))) - self.now;
        let (off, doubt, sure) = match self.twin {
            Twin::BelievesLeaps => (self.store.skew, None, true),
            Twin::BelievesTheFirst => (off, course.doubt(), true),
            _ => (off, course.doubt(), course.is_sure()),
        };
        self.clocks.off[place] = off;
        (self.clocks.doubted[place], self.clocks.unsure[place]) = (doubt.is_some(), !sure);
        self.note(|| format!("process {place} is off by {off} s, and in doubt of {doubt:?}"));
    }

    /// When a reading can first be believed.
    fn read_again(&mut self) {
        let mut next = self.clocks.next_reading.max(self.now);
        if next == self.now {
            next = NEVER;
        }
        for course in self.clocks.courses.iter().flatten() {
            for lasts in [LASTS, LASTS_ALONE] {
                let at = course.doubted_since().map_or(NEVER, |since| seconds(since + lasts));
                next = if at > self.now { next.min(at) } else { next };
            }
        }
        self.clocks.next_reading = next;
    }

    /// The janitor of one process: shortens what is too far in the future, and forgets what has expired.
    fn clean(&mut self, place: usize) {
        if self.clocks.fresh[place] {
            return;
        }
        let now = self.now + self.clocks.off[place];
        if self.twin != Twin::LeavesFarTimes {
            self.store.shorten_leases(self.now);
            let Trust { certain, sure, .. } = self.clocks.of(place);
            // A clock that was never ahead has postponed nothing too far.
            if sure && self.clocks.ahead {
                self.store.void_far_dues(now);
            }
            if certain && self.clocks.ahead {
                self.store.void_far_rows(now);
            }
        }
        let forgets = self.clocks.of(place).certain && now >= KEEP_KEY;
        if forgets && self.now < KEEP_KEY && !self.clocks.lasted {
            self.violation = Some("a key was forgotten before its time");
        }
    }
}

/// In the simulation's unit.
#[expect(clippy::cast_possible_truncation, reason = "of what the rules put off, nothing is longer than days")]
pub(crate) const fn seconds(duration: chrono::Duration) -> Time {
    duration.num_seconds() as Time
}
