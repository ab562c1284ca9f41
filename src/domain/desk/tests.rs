//! Who goes next, and who holds up whom.

use super::*;
use crate::domain::entropy::Entropy;

const LIMITS: Limits = Limits { flying: 6, per_team: 4, per_endpoint: 2, hand: 20, hand_per_endpoint: 8 };

fn now() -> Instant {
    Instant::UNIX_EPOCH
}

fn endpoints() -> [EndpointId; 4] {
    let entropy = Entropy::from_seed(7);
    std::array::from_fn(|_| EndpointId::new(now(), &entropy))
}

fn address(team: &str, endpoint: EndpointId) -> Address {
    Address { team: team.parse().unwrap(), endpoint, spacing: None, free_at: None, failures: 0 }
}

/// Puts `count` items `name0`, `name1`, … on the desk.
fn put(desk: &mut Desk<String>, address: &Address, name: &str, count: usize) {
    for number in 0..count {
        assert_eq!(desk.take(address.clone(), format!("{name}{number}"), now()), None);
    }
}

fn send_all(desk: &mut Desk<String>) -> Vec<String> {
    std::iter::from_fn(|| desk.next(now())).collect()
}

#[test]
fn teams_take_turns_and_so_do_their_endpoints() {
    let [a, b, c, _] = endpoints();
    let mut desk = Desk::new(LIMITS);
    put(&mut desk, &address("one", a), "a", 5);
    put(&mut desk, &address("one", b), "b", 5);
    put(&mut desk, &address("two", c), "c", 5);
    // Two in flight to each endpoint, six in all.
    assert_eq!(send_all(&mut desk), ["a0", "c0", "b0", "c1", "a1", "b1"]);
    assert_eq!(desk.ended(c, true, None, now()), Vec::<String>::new());
    assert_eq!(send_all(&mut desk), ["c2"], "whoever is free goes on");
}

#[test]
fn a_team_has_no_more_than_its_share_in_flight() {
    let [a, b, c, d] = endpoints();
    let mut desk = Desk::new(LIMITS);
    for (endpoint, name) in [(a, "a"), (b, "b"), (c, "c")] {
        put(&mut desk, &address("one", endpoint), name, 3);
    }
    assert_eq!(send_all(&mut desk).len(), 4);
    put(&mut desk, &address("two", d), "d", 3);
    assert_eq!(send_all(&mut desk), ["d0", "d1"]);
    desk.ended(a, true, None, now());
    assert_eq!(send_all(&mut desk).len(), 1, "its place in the team is taken by the next");
}

#[test]
fn an_endpoint_that_fails_is_tried_one_by_one_and_gives_back_what_it_had() {
    let [a, ..] = endpoints();
    let mut desk = Desk::new(LIMITS);
    put(&mut desk, &address("one", a), "a", 6);
    assert_eq!(send_all(&mut desk), ["a0", "a1"]);
    for _ in 0..2 {
        desk.ended(a, false, None, now());
        assert_eq!(send_all(&mut desk).len(), 1);
    }
    assert_eq!(desk.ended(a, false, None, now()), ["a4", "a5"], "the third in a row");
    assert_eq!((desk.failures(a), send_all(&mut desk).len(), desk.free()), (3, 0, 19));
    assert_eq!(desk.closed(now()), [a]);
    assert_eq!(desk.rooms(now()), [(a, 0)], "one is in flight still");
    desk.ended(a, true, None, now());
    assert_eq!(
        (desk.failures(a), desk.rooms(now()), desk.closed(now())),
        (0, vec![], vec![]),
        "one success, and it is back"
    );
}

#[test]
fn a_pause_gives_back_and_takes_nothing_until_it_is_over() {
    let [a, ..] = endpoints();
    let mut desk = Desk::new(LIMITS);
    put(&mut desk, &address("one", a), "a", 3);
    assert_eq!(send_all(&mut desk).len(), 2);
    let until = now() + Duration::seconds(10);
    assert_eq!(desk.ended(a, false, Some(until), now()), ["a2"]);
    assert_eq!(desk.take(address("one", a), "a3".into(), now()).as_deref(), Some("a3"));
    assert_eq!(desk.take(address("one", a), "a3".into(), until), None);
    assert_eq!(desk.next(until).as_deref(), Some("a3"));
}

#[test]
fn a_rate_spaces_what_goes_out() {
    let [a, b, ..] = endpoints();
    let mut desk = Desk::new(LIMITS);
    let spaced = Address { spacing: Some(Duration::milliseconds(500)), ..address("one", a) };
    put(&mut desk, &spaced, "a", 3);
    put(&mut desk, &address("one", b), "b", 1);
    assert_eq!(send_all(&mut desk), ["a0", "b0"]);
    let half = now() + Duration::milliseconds(500);
    assert_eq!((desk.rouses_at(), desk.next(half - Duration::milliseconds(1))), (Some(half), None));
    assert_eq!(desk.next(half).as_deref(), Some("a1"));
    // Who comes to an empty desk brings the time along.
    let mut other = Desk::new(LIMITS);
    put(&mut other, &Address { free_at: desk.free_at(a), ..spaced }, "a", 1);
    assert_eq!(other.next(half), None);
    assert_eq!(other.next(half + Duration::milliseconds(500)).as_deref(), Some("a0"));
}

#[test]
fn a_desk_that_runs_low_asks_for_more_only_where_there_is_more() {
    let [a, b, ..] = endpoints();
    let mut desk = Desk::new(LIMITS);
    put(&mut desk, &address("one", a), "a", 8);
    put(&mut desk, &address("one", b), "b", 1);
    desk.note_more(a, true);
    assert_eq!(desk.rooms(now()).len(), 2);
    assert_eq!(send_all(&mut desk).len(), 3);
    assert!(!desk.is_hungry());
    desk.ended(a, true, None, now());
    assert!(!desk.is_hungry(), "one that has ended is not worth a look");
    desk.ended(a, true, None, now());
    assert!(desk.is_hungry());
    assert!(!desk.is_hungry(), "asked once");
    assert_eq!(desk.clear_all().len(), 6);
    assert_eq!(desk.waiting().count(), 0);
}

#[test]
fn what_waits_for_an_endpoint_that_cannot_take_it_is_not_looked_for_at_once() {
    let [a, b, c, _] = endpoints();
    let mut desk = Desk::new(LIMITS);
    put(&mut desk, &address("one", a), "a", 8);
    desk.note_behind(a, now());
    assert!(!desk.is_hungry(), "its hand is full");
    let until = now() + Duration::seconds(10);
    put(&mut desk, &address("one", b), "b", 1);
    send_all(&mut desk);
    desk.ended(b, false, Some(until), now());
    desk.note_behind(b, now());
    assert!(!desk.is_hungry(), "it rests");
    desk.note_behind(b, until);
    assert!(desk.is_hungry(), "its rest is over");
    // One that fails, and has nothing in hand, is tried at once.
    assert_eq!(desk.take(Address { failures: 3, ..address("two", c) }, "c0".into(), now()), None);
    desk.note_behind(c, now());
    assert!(!desk.is_hungry(), "one at a time");
    send_all(&mut desk);
    desk.ended(c, false, None, now());
    assert!(desk.is_hungry());
    assert_eq!(desk.closed(now()).len(), 3);
}

#[test]
fn an_endpoint_that_takes_what_it_is_sent_may_have_more_in_hand() {
    let [a, b, ..] = endpoints();
    let mut desk = Desk::new(Limits { hand_per_endpoint: 18, ..LIMITS });
    for (endpoint, good) in [(a, true), (a, true), (a, true), (b, false)] {
        put(&mut desk, &address("one", endpoint), "x", 1);
        send_all(&mut desk);
        desk.ended(endpoint, good, None, now());
    }
    assert_eq!(
        desk.rooms(now()),
        [(a, 18)],
        "one more for each that arrived, up to the limit; never less than at first"
    );
    for _ in 0..2 {
        put(&mut desk, &address("one", a), "x", 1);
        send_all(&mut desk);
        desk.ended(a, false, None, now());
    }
    assert_eq!(desk.rooms(now()), []);
}
