//! The schedule depends only on the seed, contains every fault, and nothing that the gateways would have to believe.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::outages::Outages;
use super::plan::{FaultLane, PlannedFault, Restore, halves, schedule};

const LENGTH: Duration = Duration::from_mins(5);

fn names(seed: u64) -> BTreeSet<&'static str> {
    schedule(seed, LENGTH).iter().map(|(_, fault)| fault.name()).collect()
}

#[test]
fn one_seed_is_one_schedule() {
    assert_eq!(halves(7, LENGTH), halves(7, LENGTH));
    assert_ne!(schedule(7, LENGTH), schedule(8, LENGTH));
}

#[test]
fn every_kind_comes_in_five_minutes_and_in_each_lane() {
    let lanes: Vec<_> = schedule(7, LENGTH).iter().map(|(_, fault)| fault.lane()).collect();
    assert!(FaultLane::ALL.iter().all(|lane| lanes.contains(lane)));
    let always = names(7);
    assert!(always.len() >= 18, "{always:?}");
    let all: BTreeSet<_> = (0..10).flat_map(names).collect();
    assert_eq!(all.len(), 19, "{all:?}");
    let hour = schedule(7, LENGTH * 12).len();
    assert_eq!(hour, 12 * schedule(7, LENGTH).len(), "an hour has twelve times as much");
}

#[test]
fn no_lie_lasts_until_it_must_be_believed() {
    for seed in 0..50 {
        for (at, fault) in schedule(seed, LENGTH) {
            match fault {
                // If nothing is shown for too long, the gateways believe that a create never arrived.
                PlannedFault::Hide(percent, pause) => {
                    assert!(pause < Duration::from_secs(45) && (1..=100).contains(&percent));
                }
                // A clock that stays wrong is believed after two minutes.
                PlannedFault::Leap(seconds, pause) => assert!(seconds.abs() > 10 && pause < Duration::from_mins(1)),
                // Repeated after five minutes.
                PlannedFault::Pretend => assert!(at < LENGTH / 2),
                _ => {}
            }
        }
    }
}

#[test]
fn the_halves_are_the_whole_and_both_restores_are_drawn() {
    let (first, _, second) = halves(7, LENGTH);
    let shifted = second.into_iter().map(|(at, fault)| (at + LENGTH / 2, fault));
    assert!(first.iter().all(|(at, _)| *at < LENGTH / 2));
    assert_eq!(first.into_iter().chain(shifted).collect::<Vec<_>>(), schedule(7, LENGTH));
    let restores: Vec<_> = (0..20).map(|seed| halves(seed, LENGTH).1).collect();
    assert!(restores.contains(&Restore::Whole) && restores.contains(&Restore::Late));
}

#[test]
fn only_what_an_outage_has_of_a_time_is_left_out() {
    let (start, outages) = (Instant::now(), Outages::default());
    let at = |second| start + Duration::from_secs(second);
    outages.note(at(10), at(15));
    outages.note(at(20), at(30));
    for (from, to, seconds) in [(0, 10, 0), (0, 12, 2), (12, 13, 1), (14, 22, 3), (9, 40, 15), (30, 40, 0), (40, 50, 0)]
    {
        assert_eq!(outages.between(at(from), at(to)), Duration::from_secs(seconds), "{from} to {to}");
    }
}
