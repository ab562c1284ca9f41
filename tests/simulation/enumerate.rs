//! Every schedule of up to a number of faults: a run without faults, then each fault at each of its boundaries, then
//! each fault at each later boundary of the resulting run.
//!
//! Two schedules with the same beginning share a world until they differ. So the world before each step with a boundary
//! is kept, and runs with one more fault continue from there: most of a run is never repeated.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::schedule::{Schedule, Script};
use crate::twin::Twin;
use crate::world::{MOST_BOUNDARIES, World};
use crate::{RunFailure, given};

/// What the threads share.
struct Shared {
    twin: Twin,
    ran: AtomicU64,
    /// A run failed, so the others need not continue.
    over: AtomicBool,
    failed: Mutex<Option<RunFailure>>,
}

/// A world before a step, with the number of the step's first boundary.
type Mark = (u16, World);

/// Runs all schedules of these scripts on all threads; returns their number, and the first failure.
pub(crate) fn all(scripts: &[Script], depth: usize, threads: usize, twin: Twin) -> (u64, Option<RunFailure>) {
    let shared = Shared { twin, ran: AtomicU64::new(0), over: AtomicBool::new(false), failed: Mutex::new(None) };
    let mut roots = Vec::new();
    for script in scripts {
        let (root, mut marks) = (Schedule::new(*script), Vec::new());
        if let Some(met) = shared.mark(root, &given(root, twin), &mut marks)
            && depth > 0
        {
            children(root, &met, &marks, |child, world| roots.push((child, *world)));
        }
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut levels = vec![Vec::new(); depth];
                while let Some((root, world)) = roots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    shared.descend(*root, world, &mut levels[1..]);
                }
            });
        }
    });
    (shared.ran.into_inner(), shared.failed.into_inner().expect("nobody panics with it"))
}

/// Calls `with` for each schedule with one more fault, and the world in which it starts to differ.
fn children(schedule: Schedule, met: &World, marks: &[Mark], mut with: impl FnMut(Schedule, &World)) {
    let after = schedule.faults[..schedule.count].last().map_or(0, |(at, _)| at + 1);
    let count = usize::from(met.boundary).min(MOST_BOUNDARIES);
    let mut mark = 0;
    for (at, boundary) in (0..).zip(&met.boundaries[..count]).skip(usize::from(after)) {
        while marks.get(mark + 1).is_some_and(|(first, _)| *first <= at) {
            mark += 1;
        }
        for fault in boundary.faults() {
            with(schedule.with(at, *fault), &marks[mark].1);
        }
    }
}

impl Shared {
    /// Runs a schedule from `world`, and all schedules with additional faults, one for each level.
    fn descend(&self, schedule: Schedule, world: &World, levels: &mut [Vec<Mark>]) {
        if self.over.load(Ordering::Relaxed) {
            return;
        }
        let Some((marks, further)) = levels.split_first_mut() else {
            let mut world = world.with(schedule);
            let wrong = world.run();
            self.count(schedule, wrong);
            return;
        };
        marks.clear();
        let mut own = std::mem::take(marks);
        if let Some(met) = self.mark(schedule, world, &mut own) {
            children(schedule, &met, &own, |child, world| self.descend(child, world, further));
        }
        *marks = own;
    }

    /// Runs a schedule, and keeps the world before each step with a boundary. `None` if this or another run failed.
    fn mark(&self, schedule: Schedule, world: &World, marks: &mut Vec<Mark>) -> Option<World> {
        let mut world = world.with(schedule);
        let wrong = loop {
            let (before, number) = (world, world.boundary);
            let end = world.go_on();
            if world.boundary != number && usize::from(number) < MOST_BOUNDARIES {
                marks.push((number, before));
            }
            if let ControlFlow::Break(wrong) = end {
                break wrong;
            }
        };
        self.count(schedule, wrong).then_some(world)
    }

    /// Counts a run. `false` if this or another run failed.
    fn count(&self, schedule: Schedule, wrong: Option<&'static str>) -> bool {
        self.ran.fetch_add(1, Ordering::Relaxed);
        if let Some(what) = wrong {
            let replay = format!("--schedule {schedule}{}", self.twin.argument());
            let failure = RunFailure { replay, what, met: schedule };
            self.failed.lock().expect("nobody panics with it").get_or_insert(failure);
            self.over.store(true, Ordering::Relaxed);
        }
        !self.over.load(Ordering::Relaxed)
    }
}
