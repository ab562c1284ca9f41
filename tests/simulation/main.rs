//! The simulation: the decision code of `domain`, run through every schedule of up to three faults, then through random
//! ones; and broken twins of the rules, each of which must be detected.
//!
//! It contains the clocks, the cloud, the database, the receiver and several workers ([`world`]); nothing waits,
//! nothing is allocated while a schedule runs, and what schedules have in common is run once ([`enumerate`]). Its
//! assumptions about the cloud are in [`cloud`] and [`lies`], those about clocks in [`clocks`]; the invariants are in
//! [`check`] and [`recovery`]. If requests arrive promptly, at most one create is carried out per operation; only a
//! copy that arrives after the cloud has forgotten the token creates a second cache, which must be deleted at rest.
//!
//! ```text
//! cargo test --release --test simulation                         everything, 1,000,000 schedules at least
//! cargo test --release --test simulation -- --schedules 50000000 --from 7 --no-twins
//! cargo test --test simulation -- --seed 4711                    replays one random schedule, and tells it
//! cargo test --test simulation -- --schedule Update,3=LostAnswer,5=Outage
//! ```

mod arguments;
mod caller;
mod calls;
mod check;
mod clocks;
mod cloud;
mod endpoint;
mod enumerate;
mod failover;
mod far_times;
mod faults;
mod lies;
mod random;
mod reconciler;
mod recovery;
mod requests;
mod rows;
mod schedule;
mod store;
mod tracker;
mod twin;
mod work;
mod worker;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arguments::Arguments;
use random::Random;
use schedule::{FaultSource, MOST_FAULTS, Schedule};
use twin::Twin;
use world::{RunSetting, World};

/// A failed run.
#[derive(Debug, Clone)]
pub(crate) struct RunFailure {
    /// How to reproduce it.
    replay: String,
    what: &'static str,
    met: Schedule,
}

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.list {
        println!("simulation: test");
    } else if let Some(seed) = arguments.seed {
        return tell(drawn(seed, arguments.twin));
    } else if let Some(schedule) = arguments.schedule {
        return tell(given(schedule, arguments.twin));
    } else if !arguments.filtered {
        return all(&arguments);
    }
    ExitCode::SUCCESS
}

/// The world of a random schedule.
fn drawn(seed: u64, twin: Twin) -> World {
    let mut random = Random::new(seed);
    let script = random.pick(twin.scripts());
    let setting = RunSetting {
        memory: random.pick(&[300, 300, 301, 600, 3_600]),
        build: random.pick(&[20, 50, 50, 200]),
        lag: random.pick(&[0, 0, 5, 59]),
        comparable: random.below(4) > 0,
        vanish: random.pick(&[60, 120, 300, 600]),
        alone: random.below(2) == 0,
        leap: random.pick(&[60, 300, 600, 900]),
    };
    let odds = random.pick(&[8, 24, 64, 128]);
    World::new(script, setting, FaultSource::Drawn { random, odds, left: MOST_FAULTS }, twin).begun()
}

fn given(schedule: Schedule, twin: Twin) -> World {
    World::new(schedule.script, RunSetting::PLAIN, FaultSource::Given(schedule), twin).begun()
}

/// Runs one, and prints every step.
fn tell(mut world: World) -> ExitCode {
    world.told = true;
    let wrong = world.run();
    println!("{} -> {}", world.met, wrong.unwrap_or("as it must be"));
    if wrong.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Random schedules with the seeds from `from`, on all threads; returns their number, and the first failure.
fn at_random(from: u64, count: u64, threads: usize, twin: Twin) -> (u64, Option<RunFailure>) {
    const BATCH: u64 = 1_000;
    let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = std::sync::Mutex::new(None::<RunFailure>);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= count || failed.lock().expect("nobody panics with it").is_some() {
                        return;
                    }
                    for seed in from + first..from + (first + BATCH).min(count) {
                        let mut world = drawn(seed, twin);
                        let wrong = world.run();
                        if let Some(what) = wrong {
                            let replay = format!("--seed {seed}{}", twin.argument());
                            let failure = RunFailure { replay, what, met: world.met };
                            failed.lock().expect("nobody panics with it").get_or_insert(failure);
                            break;
                        }
                    }
                    ran.fetch_add(BATCH.min(count - first), Ordering::Relaxed);
                }
            });
        }
    });
    (ran.into_inner(), failed.into_inner().expect("nobody panics with it"))
}

/// Runs everything: the real rules must hold, each broken twin must be detected.
fn all(arguments: &Arguments) -> ExitCode {
    let begun = Instant::now();
    let mut passed = 0;
    let (enumerated, failure) =
        enumerate::all(arguments.twin.scripts(), arguments.depth, arguments.threads, arguments.twin);
    let drawn = arguments.schedules.saturating_sub(enumerated);
    let (drawn, failure) = match failure {
        None => at_random(arguments.from, drawn, arguments.threads, arguments.twin),
        failed => (0, failed),
    };
    let seconds = begun.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(enumerated + drawn).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{enumerated} schedules of up to {} faults, {drawn} random ones from seed {}: {seconds:.1} s, {rate:.0} a second",
        arguments.depth, arguments.from
    );
    let mut failed = u32::from(report("the rules hold", failure.is_none(), failure.as_ref()));
    passed += 1 - failed;
    if arguments.twins && arguments.twin == Twin::Sound {
        for twin in Twin::BROKEN {
            let caught = enumerate::all(twin.scripts(), 2, arguments.threads, twin).1;
            let caught = caught.or_else(|| at_random(1, 200_000, arguments.threads, twin).1);
            let missed = u32::from(report(&format!("{twin:?} is caught"), caught.is_some(), caught.as_ref()));
            failed += missed;
            passed += 1 - missed;
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one line like the test harness. Returns whether it failed.
fn report(name: &str, good: bool, failure: Option<&RunFailure>) -> bool {
    println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
    if let Some(RunFailure { replay, what, met }) = failure {
        println!("    {what}\n    schedule: {met}\n    replay: cargo test --test simulation -- {replay}");
    }
    !good
}
