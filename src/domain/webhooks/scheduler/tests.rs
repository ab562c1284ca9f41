//! Which delivery goes next, and which endpoints delay which.

use super::*;
use crate::domain::entropy::Entropy;

const LIMITS: DeliveryLimits =
    DeliveryLimits { flying: 6, per_team: 4, per_endpoint: 2, hand: 20, hand_per_endpoint: 8 };

fn now() -> Instant {
    Instant::UNIX_EPOCH
}

fn endpoints() -> [EndpointId; 4] {
    let entropy = Entropy::from_seed(7);
    std::array::from_fn(|_| EndpointId::new(now(), &entropy))
}

fn address(team: &str, endpoint: EndpointId) -> EndpointInfo {
    EndpointInfo { team: team.parse().unwrap(), endpoint, spacing: None, free_at: None, failures: 0, revision: 1 }
}

/// Puts `count` items `name0`, `name1`, … into the scheduler.
fn put(scheduler: &mut Scheduler<String>, address: &EndpointInfo, name: &str, count: usize) {
    for number in 0..count {
        assert_eq!(scheduler.take(address.clone(), format!("{name}{number}"), now()), Vec::<String>::new());
    }
}

/// The end of an attempt at the first revision.
fn end(good: bool, paused_until: Option<Instant>) -> AttemptEnd {
    AttemptEnd { revision: 1, good, paused_until }
}

/// The endpoints whose capacity differs from the usual one.
fn rooms(scheduler: &Scheduler<String>) -> Vec<(EndpointId, usize)> {
    scheduler.rooms(now()).iter().map(|room| (room.endpoint, room.most)).collect()
}

fn send_all(scheduler: &mut Scheduler<String>) -> Vec<String> {
    std::iter::from_fn(|| scheduler.next(now())).collect()
}

#[test]
fn teams_take_turns_and_so_do_their_endpoints() {
    let [a, b, c, _] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 5);
    put(&mut scheduler, &address("one", b), "b", 5);
    put(&mut scheduler, &address("two", c), "c", 5);
    // Two in flight to each endpoint, six in all.
    assert_eq!(send_all(&mut scheduler), ["a0", "c0", "b0", "c1", "a1", "b1"]);
    assert_eq!(scheduler.ended(c, &end(true, None), now()), Vec::<String>::new());
    assert_eq!(send_all(&mut scheduler), ["c2"], "whoever is free goes on");
}

#[test]
fn a_team_has_no_more_than_its_share_in_flight() {
    let [a, b, c, d] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    for (endpoint, name) in [(a, "a"), (b, "b"), (c, "c")] {
        put(&mut scheduler, &address("one", endpoint), name, 3);
    }
    assert_eq!(send_all(&mut scheduler).len(), 4);
    put(&mut scheduler, &address("two", d), "d", 3);
    assert_eq!(send_all(&mut scheduler), ["d0", "d1"]);
    scheduler.ended(a, &end(true, None), now());
    assert_eq!(send_all(&mut scheduler).len(), 1, "its place in the team is taken by the next");
}

#[test]
fn an_endpoint_that_fails_is_tried_one_by_one_and_gives_back_what_it_had() {
    let [a, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 6);
    assert_eq!(send_all(&mut scheduler), ["a0", "a1"]);
    for _ in 0..2 {
        scheduler.ended(a, &end(false, None), now());
        assert_eq!(send_all(&mut scheduler).len(), 1);
    }
    assert_eq!(scheduler.ended(a, &end(false, None), now()), ["a4", "a5"], "the third in a row");
    assert_eq!((scheduler.failures(a), send_all(&mut scheduler).len(), scheduler.free()), (3, 0, 19));
    assert_eq!(scheduler.closed(now()), [a]);
    assert_eq!(rooms(&scheduler), [(a, 0)], "one is in flight still");
    scheduler.ended(a, &end(true, None), now());
    assert_eq!(
        (scheduler.failures(a), rooms(&scheduler), scheduler.closed(now())),
        (0, vec![], vec![]),
        "one success, and it is back"
    );
}

#[test]
fn a_pause_gives_back_and_takes_nothing_until_it_is_over() {
    let [a, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 3);
    assert_eq!(send_all(&mut scheduler).len(), 2);
    let until = now() + Duration::seconds(10);
    assert_eq!(scheduler.ended(a, &end(false, Some(until)), now()), ["a2"]);
    assert_eq!(scheduler.take(address("one", a), "a3".into(), now()), ["a3"]);
    assert_eq!(scheduler.take(address("one", a), "a3".into(), until), Vec::<String>::new());
    assert_eq!(scheduler.next(until).as_deref(), Some("a3"));
}

#[test]
fn a_rate_spaces_what_goes_out() {
    let [a, b, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    let spaced = EndpointInfo { spacing: Some(Duration::milliseconds(500)), ..address("one", a) };
    put(&mut scheduler, &spaced, "a", 3);
    put(&mut scheduler, &address("one", b), "b", 1);
    assert_eq!(send_all(&mut scheduler), ["a0", "b0"]);
    let half = now() + Duration::milliseconds(500);
    assert_eq!((scheduler.rouses_at(), scheduler.next(half - Duration::milliseconds(1))), (Some(half), None));
    assert_eq!(scheduler.next(half).as_deref(), Some("a1"));
    // In an empty scheduler, the time comes with the delivery.
    let mut other = Scheduler::new(LIMITS);
    put(&mut other, &EndpointInfo { free_at: scheduler.free_at(a), ..spaced }, "a", 1);
    assert_eq!(other.next(half), None);
    assert_eq!(other.next(half + Duration::milliseconds(500)).as_deref(), Some("a0"));
}

#[test]
fn a_desk_that_runs_low_asks_for_more_only_where_there_is_more() {
    let [a, b, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 8);
    put(&mut scheduler, &address("one", b), "b", 1);
    scheduler.note_more(a, true);
    assert_eq!(rooms(&scheduler).len(), 2);
    assert_eq!(send_all(&mut scheduler).len(), 3);
    assert!(!scheduler.is_hungry());
    scheduler.ended(a, &end(true, None), now());
    assert!(!scheduler.is_hungry(), "one that has ended is not worth a look");
    scheduler.ended(a, &end(true, None), now());
    assert!(scheduler.is_hungry());
    assert!(!scheduler.is_hungry(), "asked once");
    assert_eq!(scheduler.clear_all().len(), 6);
    assert_eq!(scheduler.waiting().count(), 0);
}

#[test]
fn what_waits_for_an_endpoint_that_cannot_take_it_is_not_looked_for_at_once() {
    let [a, b, c, _] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 8);
    scheduler.note_behind(a, now());
    assert!(!scheduler.is_hungry(), "its hand is full");
    let until = now() + Duration::seconds(10);
    put(&mut scheduler, &address("one", b), "b", 1);
    send_all(&mut scheduler);
    scheduler.ended(b, &end(false, Some(until)), now());
    scheduler.note_behind(b, now());
    assert!(!scheduler.is_hungry(), "it rests");
    scheduler.note_behind(b, until);
    assert!(scheduler.is_hungry(), "its rest is over");
    // An endpoint that fails, and has nothing queued or in flight, is tried at once.
    assert_eq!(
        scheduler.take(EndpointInfo { failures: 3, ..address("two", c) }, "c0".into(), now()),
        Vec::<String>::new()
    );
    scheduler.note_behind(c, now());
    assert!(!scheduler.is_hungry(), "one at a time");
    send_all(&mut scheduler);
    scheduler.ended(c, &end(false, None), now());
    assert!(scheduler.is_hungry());
    assert_eq!(scheduler.closed(now()).len(), 3);
}

#[test]
fn an_endpoint_that_takes_what_it_is_sent_may_have_more_in_hand() {
    let [a, b, ..] = endpoints();
    let mut scheduler = Scheduler::new(DeliveryLimits { hand_per_endpoint: 18, ..LIMITS });
    for (endpoint, good) in [(a, true), (a, true), (a, true), (b, false)] {
        put(&mut scheduler, &address("one", endpoint), "x", 1);
        send_all(&mut scheduler);
        scheduler.ended(endpoint, &end(good, None), now());
    }
    assert_eq!(
        rooms(&scheduler),
        [(a, 18)],
        "one more for each that arrived, up to the limit; never less than at first"
    );
    for _ in 0..2 {
        put(&mut scheduler, &address("one", a), "x", 1);
        send_all(&mut scheduler);
        scheduler.ended(a, &end(false, None), now());
    }
    assert_eq!(rooms(&scheduler), []);
}

#[test]
fn an_act_upon_an_endpoint_ends_its_rest_and_gives_back_what_was_read_before() {
    let [a, ..] = endpoints();
    let newer = EndpointInfo { revision: 2, ..address("one", a) };
    let until = now() + Duration::hours(24);
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 3);
    assert_eq!(send_all(&mut scheduler), ["a0", "a1"]);
    assert_eq!(scheduler.ended(a, &end(false, Some(until)), now()), ["a2"]);
    assert_eq!(scheduler.remembered(now()), [(a, 1)]);
    assert_eq!(scheduler.take(newer.clone(), "b0".into(), now()), Vec::<String>::new(), "the rest was of before");
    assert_eq!(scheduler.take(address("one", a), "a3".into(), now()), ["a3"], "so was this");
    // An older second attempt ends after the change: it says nothing about the endpoint any more.
    assert_eq!(scheduler.ended(a, &end(false, Some(until)), now()), Vec::<String>::new());
    assert_eq!((scheduler.failures(a), send_all(&mut scheduler)), (0, vec!["b0".to_owned()]));
    assert_eq!(scheduler.take(newer, "b1".into(), now()), Vec::<String>::new());
    assert_eq!(scheduler.renew(a, 3), ["b1"], "heard by comparing");
    assert!(scheduler.renew(a, 2).is_empty(), "what is older changes nothing");
}

#[test]
fn a_rest_that_a_leaping_clock_wrote_is_none() {
    let [a, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 1);
    send_all(&mut scheduler);
    scheduler.ended(a, &end(false, Some(now() + Duration::days(9))), now());
    let far = EndpointInfo { free_at: Some(now() + Duration::days(9)), ..address("one", a) };
    assert_eq!(scheduler.take(far, "a1".into(), now()), Vec::<String>::new());
    assert_eq!(send_all(&mut scheduler), ["a1"]);
}

#[test]
fn what_was_idle_for_long_is_forgotten() {
    let [a, b, ..] = endpoints();
    let mut scheduler = Scheduler::new(LIMITS);
    put(&mut scheduler, &address("one", a), "a", 1);
    put(&mut scheduler, &address("two", b), "b", 1);
    send_all(&mut scheduler);
    scheduler.ended(a, &end(false, None), now());
    scheduler.forget_idle(now() + Duration::minutes(9));
    assert_eq!(scheduler.failures(a), 1);
    scheduler.forget_idle(now() + Duration::minutes(11));
    assert_eq!(
        (scheduler.failures(a), scheduler.places.len(), scheduler.teams.len()),
        (0, 1, 1),
        "what is under way is not"
    );
}
