//! A burst is accepted, an overload is not: both regimes, tested with a clock of the test's own.

use super::*;

/// The gateway's defaults, except for the number of slots.
const USUAL: Capacity = Capacity {
    running: 8,
    lists: 2,
    queue: 8_192,
    max_wait: Duration::from_secs(4),
    target: Duration::from_millis(10),
    lately: Duration::from_secs(1),
};

/// A server that takes `service` for each list.
struct Station {
    queue: Queue<&'static str>,
    service: Duration,
    now: Duration,
    /// When each request arrived, and of which party, by number.
    came: BTreeMap<u64, (&'static str, Duration)>,
    /// When the list in each slot ends; longer than the number of slots if one was just started.
    ends: Vec<Duration>,
    /// The party of each list that was started, and how long it had waited.
    begun: Vec<(&'static str, Duration)>,
    turned_away: Vec<&'static str>,
}

impl Station {
    fn new(service: Duration) -> Self {
        let (came, ends, begun, turned_away) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        Self { queue: Queue::default(), service, now: ms(0), came, ends, begun, turned_away }
    }

    fn ask(&mut self, party: &'static str, delayed: bool) {
        let until = self.now + USUAL.max_wait;
        match self.queue.arrive(&USUAL, &QueueRequest { class: Class::List, party: &party, until, delayed }, self.now) {
            Arrival::Begin => self.begin(party, ms(0)),
            Arrival::Wait(id, _) => drop(self.came.insert(id, (party, self.now))),
            Arrival::TurnedAway => self.turned_away.push(party),
        }
    }

    fn begin(&mut self, party: &'static str, waited: Duration) {
        self.begun.push((party, waited));
        self.ends.push(self.now + self.service);
    }

    /// Works until `until`, and gives up requests whose wait is over.
    fn work(&mut self, until: Duration) {
        while let Some(place) = (0..self.ends.len()).min_by_key(|place| self.ends[*place]) {
            if self.ends[place] > until {
                break;
            }
            self.now = self.ends.swap_remove(place);
            let mut away = Vec::new();
            let mut next = self.queue.leave(&USUAL, Class::List, self.now, &mut away);
            while let Some(id) = next {
                let (party, since) = self.came.remove(&id).expect("it stands there");
                self.begin(party, self.now.saturating_sub(since));
                next = self.queue.call(&USUAL, self.now, &mut away);
            }
            for id in away {
                let (party, _) = self.came.remove(&id).expect("it stands there");
                self.turned_away.push(party);
            }
        }
        self.now = until;
        self.give_up();
    }

    fn give_up(&mut self) {
        let over = |(_, since): &(&str, Duration)| *since + USUAL.max_wait <= self.now;
        let late: Vec<_> =
            self.came.iter().take_while(|(_, came)| over(came)).map(|(id, came)| (*id, came.0)).collect();
        for (id, party) in late {
            self.came.remove(&id);
            assert!(self.queue.give_up(Class::List, &party, id, self.now));
            self.turned_away.push(party);
        }
    }

    fn count(&self, party: &str) -> usize {
        self.begun.iter().filter(|(other, _)| *other == party).count()
    }
}

#[test]
fn whatever_burst_an_idle_gateway_could_serve_in_two_seconds_is_served() {
    // Lists that take 1, 10, 100, 300 ms, with two slots: 4,000, 400, 40, 13 in 2 s.
    for (service, count) in [(1, 4_000), (10, 400), (100, 40), (300, 13)] {
        let mut station = Station::new(ms(service));
        (0..count).for_each(|_| station.ask("a", false));
        station.work(ms(2_500));
        assert_eq!((station.begun.len(), station.turned_away.len()), (count, 0), "{service} ms");
        assert!(station.begun.is_sorted_by_key(|(_, waited)| *waited), "who came first is served first");
    }
}

#[test]
fn bursts_one_after_another_are_bursts() {
    let mut station = Station::new(ms(10));
    for second in 1..60 {
        (0..150).for_each(|_| station.ask("a", false));
        station.work(ms(second * 1_000));
    }
    assert_eq!((station.begun.len(), station.turned_away.len()), (59 * 150, 0));
}

#[test]
fn as_many_at_once_as_somebody_likes_are_served_while_few_stand_before_each() {
    // 50 callers that ask again as soon as they are answered, at a gateway where each list takes 50 ms: for a minute.
    let mut station = Station::new(ms(50));
    (0..50).for_each(|_| station.ask("a", false));
    for step in 1..6_000 {
        let before = station.begun.len();
        station.work(ms(step * 10));
        (before..station.begun.len()).for_each(|_| station.ask("a", false));
    }
    assert!(station.turned_away.is_empty(), "{}", station.turned_away.len());
    assert!(station.begun.len() > 2_300, "{}", station.begun.len());
}

#[test]
fn an_overload_ends_with_what_is_asked_and_not_with_who_asks_again_at_once() {
    let mut station = overloaded(4, false);
    station.begun.clear();
    station.turned_away.clear();
    // Sixteen callers that ask again as soon as they are answered or refused.
    let mut asking = vec!["a"; 16];
    for step in 10_001..=20_000 {
        let (begun, refused) = (station.begun.len(), station.turned_away.len());
        for party in std::mem::take(&mut asking) {
            station.ask(party, false);
        }
        station.work(ms(step));
        asking = vec!["a"; station.begun.len() - begun + station.turned_away.len() - refused];
        if step == 15_000 {
            station.turned_away.clear();
        }
    }
    assert!(station.turned_away.is_empty(), "{} after five seconds", station.turned_away.len());
}

/// `much` requests of one party for each list that can be served, for 10 s; returns what started after the first three
/// seconds.
fn overloaded(much: u64, delayed: bool) -> Station {
    let mut station = Station::new(ms(2));
    for step in 1..=10_000 {
        (0..much).for_each(|_| station.ask("a", delayed));
        station.work(ms(step));
        if step == 3_000 {
            station.begun.clear();
        }
    }
    station
}

#[test]
fn at_four_times_what_can_be_done_all_that_can_is_done_and_nobody_waits_long() {
    let station = overloaded(4, false);
    let mut waits: Vec<_> = station.begun.iter().map(|(_, waited)| *waited).collect();
    waits.sort();
    assert!(waits.len() >= 6_990, "7 s with a list each millisecond: {}", waits.len());
    // Except for requests that arrived while the queue was being probed.
    assert!(waits[waits.len() * 99 / 100] <= ms(5) && waits.last() <= Some(&ms(25)), "{:?}", waits.last());
    assert!(station.queue.waiting() < 100, "{}", station.queue.waiting());
}

#[test]
fn who_takes_a_refusal_for_a_failure_waits_its_time_even_then_and_no_longer() {
    let station = overloaded(4, true);
    let longest = station.begun.iter().map(|(_, waited)| *waited).max();
    assert!(station.begun.len() >= 6_990 && longest <= Some(USUAL.max_wait), "{longest:?}");
    // The party's polls, among more lists of its own than can be served.
    let mut station = Station::new(ms(2));
    for step in 1..=10_000 {
        (0..4).for_each(|_| station.ask("a", false));
        if step % 1_000 == 0 {
            station.ask("a", true);
        }
        station.work(ms(step));
    }
    assert!(!station.came.values().any(|(_, since)| *since < ms(9_000)), "all polls but the last were called");
}

#[test]
fn a_teams_burst_is_not_judged_by_anothers_overload_nor_the_other_way() {
    let mut station = Station::new(ms(2));
    for step in 1..=10_000 {
        (0..4).for_each(|_| station.ask("greedy", false));
        if step == 5_000 {
            (0..50).for_each(|_| station.ask("modest", false));
            assert!(station.queue.is_overloaded_by(Class::List, &"greedy", station.now));
            assert!(!station.queue.is_overloaded_by(Class::List, &"modest", station.now));
        }
        station.work(ms(step));
        if step == 5_500 {
            assert_eq!(station.count("modest"), 50);
            assert!(station.queue.is_overloaded_by(Class::List, &"greedy", station.now));
        }
    }
    assert!(!station.turned_away.contains(&"modest"));
    // For two seconds after the burst, half of the slots are reserved for it.
    assert!(station.begun.len() > 8_900, "{}", station.begun.len());
}

#[test]
fn whom_the_line_would_not_reach_in_time_is_told_at_once() {
    // 100 a second, and 1,000 arrive at once: the rate is not known yet. Later requests are refused at once.
    let mut station = Station::new(ms(20));
    (0..1_000).for_each(|_| station.ask("a", false));
    station.work(ms(1_100));
    assert!(station.turned_away.is_empty());
    station.ask("a", false);
    assert_eq!(station.turned_away, ["a"], "890 before it: 8.9 s");
    station.ask("b", false);
    assert_eq!(station.turned_away, ["a"], "two are before it: it takes turns");
    let until = station.now + Duration::from_secs(20);
    let patient = QueueRequest { class: Class::List, party: &"a", until, delayed: false };
    assert!(matches!(station.queue.arrive(&USUAL, &patient, station.now), Arrival::Wait(..)), "its caller would wait");
}

#[test]
fn a_wait_that_is_over_is_over_whoever_is_called() {
    let mut queue = Queue::default();
    arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0));
    let late = id(arrive(&mut queue, &ROOM, Class::Read, &"a", ms(0)));
    let next = id(arrive(&mut queue, &ROOM, Class::Read, &"a", ms(50)));
    assert_eq!(leave(&mut queue, Class::Read, ms(101)), (Some(next), vec![late]));
}
