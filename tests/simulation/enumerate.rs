//! Every schedule of up to so many faults: each fault that can happen at each boundary of a run, and after it each
//! at each later boundary of the run that it makes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::schedule::{Boundary, Schedule, Script};
use crate::twin::Twin;
use crate::world::{MOST_BOUNDARIES, World};
use crate::{Failure, given};

/// What the threads share.
struct Shared {
    twin: Twin,
    ran: AtomicU64,
    failed: Mutex<Option<Failure>>,
}

/// The boundaries of a run.
struct Met {
    boundaries: [Boundary; MOST_BOUNDARIES],
    count: usize,
}

/// Runs them all, on all threads; how many, and the first that went wrong.
pub(crate) fn all(depth: usize, threads: usize, twin: Twin) -> (u64, Option<Failure>) {
    let shared = Shared { twin, ran: AtomicU64::new(0), failed: Mutex::new(None) };
    let mut roots = Vec::new();
    for script in Script::ALL {
        let root = Schedule::new(script);
        if let Some(met) = shared.run(root)
            && depth > 0
        {
            children(root, &met, |child| roots.push(child));
        }
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(root) = roots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    shared.descend(*root, depth - 1);
                }
            });
        }
    });
    (shared.ran.into_inner(), shared.failed.into_inner().expect("nobody panics with it"))
}

fn children(schedule: Schedule, met: &Met, mut with: impl FnMut(Schedule)) {
    let after = schedule.faults[..schedule.count].last().map_or(0, |(at, _)| usize::from(*at) + 1);
    for (at, boundary) in met.boundaries[..met.count].iter().enumerate().skip(after) {
        for fault in boundary.faults() {
            with(schedule.with(u16::try_from(at).unwrap_or(u16::MAX), *fault));
        }
    }
}

impl Shared {
    fn descend(&self, schedule: Schedule, depth: usize) {
        let Some(met) = self.run(schedule) else { return };
        if depth > 0 {
            children(schedule, &met, |child| self.descend(child, depth - 1));
        }
    }

    /// `None`: it, or another one, went wrong.
    fn run(&self, schedule: Schedule) -> Option<Met> {
        let mut world: World = given(schedule, self.twin);
        let wrong = world.run();
        let ran = self.ran.fetch_add(1, Ordering::Relaxed);
        if let Some(what) = wrong {
            let replay = format!("--schedule {schedule}{}", self.twin.argument());
            let failure = Failure { replay, what, met: schedule };
            self.failed.lock().expect("nobody panics with it").get_or_insert(failure);
            return None;
        }
        // Looked at now and then only: another thread's failure ends this one's work, too.
        if ran.is_multiple_of(64) && self.failed.lock().expect("nobody panics with it").is_some() {
            return None;
        }
        let count = usize::from(world.boundary).min(MOST_BOUNDARIES);
        Some(Met { boundaries: world.boundaries, count })
    }
}
