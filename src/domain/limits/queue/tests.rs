//! Which requests start, which wait and in what order, and which are turned away.

use std::collections::BTreeMap;

use super::*;

mod regimes;

const ROOM: Capacity = Capacity {
    running: 1,
    lists: 1,
    queue: 4,
    max_wait: Duration::from_millis(100),
    target: Duration::from_millis(10),
    lately: Duration::from_secs(1),
};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn id(arrival: Arrival) -> u64 {
    match arrival {
        Arrival::Wait(id, None) => id,
        other => panic!("{other:?}"),
    }
}

/// A request arrives that would wait as long as allowed.
fn arrive<K: Eq + Hash + Clone>(
    queue: &mut Queue<K>,
    room: &Capacity,
    class: Class,
    party: &K,
    now: Duration,
) -> Arrival {
    queue.arrive(room, &QueueRequest { class, party, until: now + room.max_wait, delayed: false }, now)
}

fn leave(queue: &mut Queue<&str>, ended: Class, now: Duration) -> (Option<u64>, Vec<u64>) {
    let mut away = Vec::new();
    (queue.leave(&ROOM, ended, now, &mut away), away)
}

#[test]
fn whoever_finds_room_begins_at_once() {
    let mut queue = Queue::default();
    assert_eq!(arrive(&mut queue, &ROOM, Class::List, &"a", ms(0)), Arrival::Begin);
    let second = id(arrive(&mut queue, &ROOM, Class::List, &"a", ms(0)));
    assert_eq!((queue.running(), queue.waiting()), (1, 1));
    assert_eq!(leave(&mut queue, Class::List, ms(1)), (Some(second), vec![]));
    assert_eq!(leave(&mut queue, Class::List, ms(2)), (None, vec![]));
    assert_eq!((queue.running(), queue.waiting()), (0, 0));
}

#[test]
fn higher_classes_go_first_and_the_lowest_does_not_starve() {
    let room = Capacity { queue: 100, ..ROOM };
    let mut queue = Queue::default();
    arrive(&mut queue, &room, Class::Read, &"a", ms(0));
    let list = id(arrive(&mut queue, &room, Class::List, &"a", ms(0)));
    let read = id(arrive(&mut queue, &room, Class::Read, &"a", ms(0)));
    let change = id(arrive(&mut queue, &room, Class::Change, &"a", ms(0)));
    let order: Vec<Option<u64>> = [Class::Read, Class::Change, Class::Read]
        .map(|ended| queue.leave(&room, ended, ms(1), &mut Vec::new()))
        .into_iter()
        .collect();
    assert_eq!(order, [Some(change), Some(read), Some(list)]);
    let list = id(arrive(&mut queue, &room, Class::List, &"a", ms(2)));
    let mut left = 0;
    while arrive(&mut queue, &room, Class::Change, &"a", ms(2)) != Arrival::TurnedAway && left < 40 {
        left += 1;
        let ended = if left == 1 { Class::List } else { Class::Change };
        if queue.leave(&room, ended, ms(2), &mut Vec::new()) == Some(list) {
            break;
        }
    }
    assert!(left <= 16, "{left}");
}

#[test]
fn parties_take_turns() {
    let room = Capacity { queue: 100, ..ROOM };
    let mut queue = Queue::default();
    arrive(&mut queue, &room, Class::Read, &"greedy", ms(0));
    let greedy: Vec<u64> = (0..10).map(|_| id(arrive(&mut queue, &room, Class::Read, &"greedy", ms(0)))).collect();
    let modest = id(arrive(&mut queue, &room, Class::Read, &"modest", ms(0)));
    let order: Vec<u64> = (0..3).filter_map(|_| queue.leave(&room, Class::Read, ms(1), &mut Vec::new())).collect();
    assert_eq!(order, [greedy[0], modest, greedy[1]]);
}

#[test]
fn the_share_of_each_is_the_same_however_much_one_sends() {
    let room = Capacity { queue: 64, ..ROOM };
    let mut queue = Queue::default();
    let mut owner = BTreeMap::new();
    let mut served: BTreeMap<&str, u32> = BTreeMap::new();
    for step in 0..10_000_u64 {
        // Ten of one party for one of each other, and one free slot for every two requests that arrive.
        for party in ["greedy"; 10].into_iter().chain(["a", "b", "c"]) {
            if let Arrival::Wait(id, _) = arrive(&mut queue, &room, Class::Read, &party, ms(step)) {
                owner.insert(id, party);
            }
        }
        for _ in 0..6 {
            if let Some(id) = queue.leave(&room, Class::Read, ms(step), &mut Vec::new()) {
                *served.entry(owner[&id]).or_default() += 1;
            }
        }
        assert!(queue.waiting() <= 64);
    }
    for modest in ["a", "b", "c"] {
        assert!(served[modest] >= 9_990, "{served:?}");
    }
}

#[test]
fn full_lines_turn_away_the_lowest_class_and_the_longest_line() {
    let mut queue = Queue::default();
    arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0));
    let lists: Vec<u64> = (0..2).map(|_| id(arrive(&mut queue, &ROOM, Class::List, &"a", ms(0)))).collect();
    let reads: Vec<u64> = (0..2).map(|_| id(arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0)))).collect();
    assert_eq!(arrive(&mut queue, &ROOM, Class::List, &"a", ms(0)), Arrival::TurnedAway);
    let Arrival::Wait(_, Some(first)) = arrive(&mut queue, &ROOM, Class::Change, &"a", ms(0)) else { panic!() };
    let Arrival::Wait(_, Some(second)) = arrive(&mut queue, &ROOM, Class::Change, &"a", ms(0)) else { panic!() };
    assert_eq!([first, second], [lists[1], lists[0]], "the newest first");
    // Within the class, another party's first request counts for more than this one's second.
    let Arrival::Wait(_, Some(third)) = arrive(&mut queue, &ROOM, Class::Read, &"b", ms(0)) else { panic!() };
    assert_eq!(third, reads[1]);
    assert_eq!(arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0)), Arrival::TurnedAway);
    assert_eq!(queue.waiting(), 4);
}

#[test]
fn lists_never_have_all_the_places() {
    let room = Capacity { running: 3, lists: 1, queue: 100, ..ROOM };
    let mut queue = Queue::default();
    assert_eq!(arrive(&mut queue, &room, Class::List, &"a", ms(0)), Arrival::Begin);
    let list = id(arrive(&mut queue, &room, Class::List, &"b", ms(1)));
    let other = id(arrive(&mut queue, &room, Class::List, &"c", ms(1)));
    assert_eq!(
        arrive(&mut queue, &room, Class::Read, &"a", ms(2)),
        Arrival::Begin,
        "what waits for another place is no obstacle"
    );
    assert_eq!(arrive(&mut queue, &room, Class::Change, &"a", ms(2)), Arrival::Begin);
    let read = id(arrive(&mut queue, &room, Class::Read, &"a", ms(3)));
    let mut away = Vec::new();
    assert_eq!(queue.leave(&room, Class::Change, ms(4), &mut away), Some(read));
    assert_eq!(queue.leave(&room, Class::Read, ms(5), &mut away), None, "no list");
    assert_eq!((queue.running(), queue.waiting()), (2, 2));
    assert_eq!(queue.leave(&room, Class::List, ms(6), &mut away), Some(list));
    assert_eq!(queue.leave(&room, Class::Read, ms(7), &mut away), None);
    assert_eq!(queue.leave(&room, Class::List, ms(8), &mut away), Some(other));
    assert_eq!(queue.leave(&room, Class::List, ms(9), &mut away), None);
    assert_eq!((queue.running(), queue.waiting(), queue.lists, away), (0, 0, 0, vec![]));
}

#[test]
fn half_of_the_places_for_lists_are_kept_from_whoever_had_more_than_its_share() {
    let room = Capacity { running: 8, lists: 2, queue: 100, ..ROOM };
    let mut queue = Queue::default();
    let mut away = Vec::new();
    assert_eq!(arrive(&mut queue, &room, Class::List, &"modest", ms(0)), Arrival::Begin);
    assert_eq!(queue.leave(&room, Class::List, ms(1), &mut away), None);
    for _ in 0..20 {
        assert_eq!(arrive(&mut queue, &room, Class::List, &"greedy", ms(1)), Arrival::Begin);
        assert_eq!(queue.leave(&room, Class::List, ms(2), &mut away), None);
    }
    // Far more than three quarters of all.
    assert_eq!(arrive(&mut queue, &room, Class::List, &"greedy", ms(3)), Arrival::Begin, "nothing is worked on");
    let greedy: Vec<u64> = (0..2).map(|_| id(arrive(&mut queue, &room, Class::List, &"greedy", ms(4)))).collect();
    assert_eq!(arrive(&mut queue, &room, Class::Read, &"greedy", ms(4)), Arrival::Begin, "only lists");
    assert_eq!(arrive(&mut queue, &room, Class::List, &"modest", ms(5)), Arrival::Begin, "its place was kept");
    assert_eq!(queue.leave(&room, Class::List, ms(6), &mut away), None, "one is worked on");
    let second = arrive(&mut queue, &room, Class::List, &"modest", ms(7));
    assert_eq!(second, Arrival::Begin, "past whoever waits");
    assert_eq!(queue.leave(&room, Class::List, ms(8), &mut away), None);
    assert_eq!(queue.leave(&room, Class::List, ms(9), &mut away), Some(greedy[0]), "nothing is worked on");
    // Two seconds later the excess is forgotten.
    assert_eq!(arrive(&mut queue, &room, Class::List, &"greedy", ms(2_100)), Arrival::Begin);
    assert!(queue.give_up(Class::List, &"greedy", greedy[1], ms(9_999)));
    assert_eq!((queue.waiting(), away), (0, vec![]));
}

#[test]
fn once_greed_is_forgotten_all_places_are_taken() {
    let room = Capacity { running: 8, lists: 2, queue: 100, ..ROOM };
    let mut queue = Queue::default();
    let mut away = Vec::new();
    assert_eq!(arrive(&mut queue, &room, Class::List, &"modest", ms(0)), Arrival::Begin);
    for _ in 0..20 {
        assert_eq!(queue.leave(&room, Class::List, ms(1), &mut away), None);
        assert_eq!(arrive(&mut queue, &room, Class::List, &"greedy", ms(1)), Arrival::Begin);
    }
    let greedy: Vec<u64> = (0..3).map(|_| id(arrive(&mut queue, &room, Class::List, &"greedy", ms(1_950)))).collect();
    assert_eq!(queue.leave(&room, Class::List, ms(2_000), &mut away), Some(greedy[0]));
    assert_eq!(queue.call(&room, ms(2_000), &mut away), Some(greedy[1]));
    assert_eq!(queue.call(&room, ms(2_000), &mut away), None);
    assert_eq!((queue.running(), queue.waiting(), away), (2, 1, vec![]));
}

#[test]
fn who_gives_up_leaves_nothing_behind() {
    let mut queue = Queue::default();
    arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0));
    let waiting = id(arrive(&mut queue, &ROOM, Class::Read, &"b", ms(0)));
    assert!(queue.give_up(Class::Read, &"b", waiting, ms(9_999)));
    assert!(!queue.give_up(Class::Read, &"b", waiting, ms(9_999)));
    assert_eq!(leave(&mut queue, Class::Read, ms(2)), (None, vec![]));
    assert!(queue.lanes.iter().all(|lane| lane.turns.is_empty() && lane.lines.is_empty()));
}
