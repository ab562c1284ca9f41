//! Clocks: the database's, which leaps and comes back; and what each process goes by, as `domain::clock` decides.
//! [`World::now`] is the truth, by which the cloud, the machines and the monotonic clocks go: where they were wrong
//! together with the database's, nothing could tell.
//!
//! What the database leases is by its own clock; what a process signs, puts off, and judges by its age is by that
//! process's. A process that has died begins anew, with what the database says then, when it next takes something up,
//! or a little later. Before the first leap all clocks agree, and nothing here costs a run anything.

use eci_cache_gateway::domain::clock::course::{ClockReading, Course, LASTS, LASTS_ALONE};

use crate::cloud::{NEVER, Time};
use crate::faults::Leap;
use crate::rows::{instant, time};
use crate::twin::Twin;
use crate::world::{WORKERS, World};

/// How often a process reads the database's clock.
const READ_EVERY: Time = 3;
/// How often the janitor passes.
const CLEAN_EVERY: Time = 30;
/// How long the idempotency key of the create is kept.
const KEEP_KEY: Time = 2 * 86_400;

/// What each process goes by, and when the database's clock is read next.
#[derive(Clone, Copy)]
pub(crate) struct Clocks {
    /// By how much each process is off.
    off: [Time; WORKERS],
    /// Of which processes the time is in doubt.
    doubted: [bool; WORKERS],
    /// Which processes began in doubt.
    unsure: [bool; WORKERS],
    /// None before the first leap.
    courses: Option<[Course; WORKERS]>,
    /// Which processes have not begun yet.
    fresh: [bool; WORKERS],
    /// Until when the database's clock is off.
    until: Time,
    /// When it leapt first, and whether it was ever ahead.
    first: Time,
    ahead: bool,
    next_reading: Time,
    /// A leap may have lasted for so long that it is rightly believed: when it ends, nothing tells what was written by
    /// which time.
    pub(crate) lasted: bool,
    /// When the janitors passed last, and whether something was done since.
    cleaned_at: Time,
    cleaned: bool,
}

/// The time of a process, as its work looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// By how much it is off.
    pub(crate) off: Time,
    /// Whether it may forget and give up by it.
    pub(crate) certain: bool,
    /// Whether it can tell by it how long ago something was.
    pub(crate) sure: bool,
}

impl Trust {
    /// Before the first leap.
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

    /// Whether none has leapt so far.
    pub(crate) fn agree(&self) -> bool {
        self.courses.is_none()
    }

    /// The time of a process.
    pub(crate) fn of(&self, place: usize) -> Trust {
        Trust { off: self.off[place], certain: !self.doubted[place], sure: !self.unsure[place] }
    }

    /// A process is dead.
    pub(crate) fn die(&mut self, place: usize, skew: Time) {
        if self.courses.is_some() {
            self.fresh[place] = true;
            self.will_start(place, skew);
        }
    }

    /// It will go by what the database's clock says then, and be in doubt where that is off.
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
    /// The database's clock leaps, and is right again later.
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

    /// The database's clock is right again, or is read.
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

    /// The janitors pass now and then, and while nothing else is to be done for a while. `false`: they have passed.
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

    /// One janitor for each time that there is.
    fn clean_all(&mut self) {
        self.clocks.cleaned_at = self.now;
        for place in 0..WORKERS {
            let trust = self.clocks.of(place);
            if (0..place).all(|before| self.clocks.of(before) != trust || self.clocks.fresh[before]) {
                self.clean(place);
            }
        }
    }

    /// The process of a worker, or of a request, acts now.
    pub(crate) fn go_by_clock_of(&mut self, place: usize) {
        let trust = self.clocks.of(place);
        (self.clock, self.sure, self.clocks.cleaned) = (self.now + trust.off, trust.sure, false);
    }

    /// A process begins, where it has not yet.
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

    /// When a reading can be the first that is believed.
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

    /// The janitor of one process: what lies too far ahead is shortened, and what is past is forgotten.
    fn clean(&mut self, place: usize) {
        if self.clocks.fresh[place] {
            return;
        }
        let now = self.now + self.clocks.off[place];
        if self.twin != Twin::LeavesFarTimes {
            self.store.shorten_leases(self.now);
            let Trust { certain, sure, .. } = self.clocks.of(place);
            // A clock that was never ahead has put nothing off too far.
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

/// As the simulation counts.
#[expect(clippy::cast_possible_truncation, reason = "of what the rules put off, nothing is longer than days")]
pub(crate) const fn seconds(duration: chrono::Duration) -> Time {
    duration.num_seconds() as Time
}
