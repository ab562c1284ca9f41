//! One round over a polling group: which caches are tracked in it, how often each is looked up, and which are due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Duration;

use super::PAGE;
use super::hazard::History;
use super::planner::Due;
use super::rhythm::{Rhythm, RhythmLevel, SLOWEST};
use crate::domain::clock::Instant;
use crate::domain::image_cache::status::Status;

/// While nothing is known of a class, this many of its builds are looked up quickly to learn how long they take.
const SCOUTS: usize = 20;
/// A cache in motion for longer than this, of a class of which nothing is known, is looked up less and less often.
const LONG: Duration = Duration::hours(1);

/// A cache that is tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// The cloud's id.
    pub eci_cache_id: String,
    /// Its status.
    pub status: Status,
    /// When the current build, or the removal, began.
    pub begun_at: Instant,
    /// The class of builds that take about the same time ([`super::bucket::class`]).
    pub class: String,
    /// The bucket in its tag.
    pub bucket: Option<String>,
}

/// A tracked cache, and what this round decided about it.
#[derive(Debug)]
struct RoundMember {
    cache: Following,
    /// Whether it is among the few of its class that show how long builds take.
    is_scout: bool,
    level: RhythmLevel,
    is_due: bool,
    is_shown: bool,
}

/// A round over one group.
#[derive(Debug)]
pub struct Round {
    rhythm: Rhythm,
    /// When the round began.
    began_at: Instant,
    members: Vec<RoundMember>,
    places: HashMap<String, usize>,
    histories: BTreeMap<String, History>,
    learned: BTreeSet<String>,
}

impl Round {
    /// The round that began at `round_at`; the last complete one began at `looked_at`.
    pub fn new(
        rhythm: Rhythm,
        looked_at: Option<Instant>,
        round_at: Instant,
        mut followed: Vec<Following>,
        histories: BTreeMap<String, History>,
    ) -> Self {
        followed.sort_by(|a, b| (a.begun_at, &a.eci_cache_id).cmp(&(b.begun_at, &b.eci_cache_id)));
        let places = followed.iter().enumerate().map(|(place, one)| (one.eci_cache_id.clone(), place)).collect();
        let member = |cache| RoundMember { cache, is_scout: false, level: 0, is_due: false, is_shown: false };
        let members = followed.into_iter().map(member).collect();
        let mut round = Self { rhythm, began_at: round_at, members, places, histories, learned: BTreeSet::new() };
        round.settle(looked_at);
        round
    }

    /// Decides for each cache how often it is looked up, and whether it is due.
    fn settle(&mut self, looked_at: Option<Instant>) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for place in 0..self.members.len() {
            let class = &self.members[place].cache.class;
            if !counts.contains_key(class) {
                counts.insert(class.clone(), 0);
            }
            let before = counts.get_mut(class).map_or(0, |count| std::mem::replace(count, *count + 1));
            self.members[place].is_scout = before < SCOUTS;
            let one = &self.members[place];
            let level = self.level(one, self.began_at);
            let since = looked_at.map_or(one.cache.begun_at, |looked| looked.max(one.cache.begun_at));
            // A cache that is not in motion is tracked for another reason: its retention has ended.
            let is_due = !one.cache.status.is_in_motion() || self.rhythm.is_due(level, since, self.began_at);
            let one = &mut self.members[place];
            (one.level, one.is_due) = (level, is_due);
        }
    }

    fn level(&self, one: &RoundMember, at: Instant) -> RhythmLevel {
        let age = at - one.cache.begun_at;
        let unknown = History::default();
        let history = match one.cache.status {
            // Neither ends the way builds do.
            Status::Deleting | Status::Unknown => &unknown,
            _ => self.histories.get(&one.cache.class).unwrap_or(&unknown),
        };
        if !history.is_enough() && age > LONG {
            return self.rhythm.level_of(age / 60, 0, SLOWEST);
        }
        history.level(age, &self.rhythm, self.per_call(one), one.is_scout)
    }

    /// How many builds of its age a call may return: at most those in its bucket.
    fn per_call(&self, one: &RoundMember) -> f64 {
        let most = if one.cache.bucket.is_some() { self.members.len().min(PAGE) } else { 1 };
        f64::from(u8::try_from(most).unwrap_or(1))
    }

    /// When the round began.
    pub fn began_at(&self) -> Instant {
        self.began_at
    }

    /// The caches that are due, for the planner.
    pub fn due(&self) -> Vec<Due> {
        let due = self.members.iter().filter(|one| one.is_due);
        due.map(|one| Due {
            eci_cache_id: one.cache.eci_cache_id.clone(),
            bucket: one.cache.bucket.clone(),
            leaves: one.cache.status == Status::Deleting,
        })
        .collect()
    }

    /// Whether this cache is tracked here.
    pub fn follows(&self, eci_cache_id: &str) -> bool {
        self.places.contains_key(eci_cache_id)
    }

    /// How many caches have a status that we do not know.
    pub fn unknown(&self) -> usize {
        self.members.iter().filter(|one| one.cache.status == Status::Unknown).count()
    }

    /// Records that the cloud returned a cache, or answered a lookup by its id that it does not exist.
    pub fn shown(&mut self, eci_cache_id: &str) {
        if let Some(place) = self.places.get(eci_cache_id) {
            self.members[*place].is_shown = true;
        }
    }

    /// Whether all caches that are due and can be listed were returned.
    pub fn is_shown(&self) -> bool {
        self.members.iter().all(|one| !one.is_due || one.is_shown || one.cache.status == Status::Deleting)
    }

    /// The caches that are due and should have been in a list that covers their bucket, but were not.
    pub fn suspects(&self, covered: impl Fn(Option<&str>) -> bool) -> Vec<String> {
        let is_one = |one: &&RoundMember| {
            one.is_due && !one.is_shown && one.cache.status != Status::Deleting && covered(one.cache.bucket.as_deref())
        };
        self.members.iter().filter(is_one).map(|one| one.cache.eci_cache_id.clone()).collect()
    }

    /// Records the new status of a cache. If its build ended, returns how long it may have been over already: never
    /// more than the interval between two lookups.
    pub fn moved(&mut self, eci_cache_id: &str, to: Status, now: Instant) -> Option<Duration> {
        let one = &mut self.members[*self.places.get(eci_cache_id)?];
        let from = std::mem::replace(&mut one.cache.status, to);
        let was_building = matches!(from, Status::Preparing | Status::Creating | Status::Updating);
        if !was_building || !matches!(to, Status::Ready | Status::Failed | Status::UpdateFailed) {
            return None;
        }
        let age = now - one.cache.begun_at;
        let over = self.rhythm.interval(one.level).min(age);
        // Half of that is the best estimate.
        self.histories.entry(one.cache.class.clone()).or_default().note(age - over / 2);
        self.learned.insert(one.cache.class.clone());
        Some(over)
    }

    /// The histories that were extended in this round.
    pub fn learned(&mut self) -> Vec<(String, History)> {
        let classes = std::mem::take(&mut self.learned);
        classes.into_iter().filter_map(|class| Some((class.clone(), self.histories.get(&class)?.clone()))).collect()
    }

    /// All histories, including what this round learned.
    pub fn into_histories(self) -> BTreeMap<String, History> {
        self.histories
    }

    /// The first grid point after `now` at which a cache in motion is due.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let moving = self.members.iter().filter(|one| one.cache.status.is_in_motion());
        moving.map(|one| self.rhythm.next(self.level(one, now), now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(second)
    }

    fn build(id: usize, begun: i64) -> Following {
        Following {
            eci_cache_id: format!("imc-{id:04}"),
            status: Status::Creating,
            begun_at: at(begun),
            class: "create/1".into(),
            bucket: None,
        }
    }

    fn known() -> BTreeMap<String, History> {
        let mut history = History::default();
        (0..500).for_each(|build| history.note(Duration::seconds(160 + build % 40)));
        BTreeMap::from([("create/1".to_owned(), history)])
    }

    fn rhythm() -> Rhythm {
        Rhythm::new(Duration::seconds(10), "g")
    }

    #[test]
    fn builds_that_cannot_be_done_yet_are_not_asked_for() {
        let round = Round::new(rhythm(), Some(at(990)), at(1_000), vec![build(1, 820), build(2, 950)], known());
        assert_eq!(round.due().iter().map(|due| due.eci_cache_id.as_str()).collect::<Vec<_>>(), ["imc-0001"]);
        assert!(round.next_due(at(1_000)).is_some_and(|next| next <= at(1_010)));
    }

    #[test]
    fn while_nothing_is_known_a_few_scouts_find_out() {
        let builds: Vec<_> = (0..100).map(|id| build(id, 1_000)).collect();
        let grid = rhythm().next(0, at(1_000));
        let quick = Round::new(rhythm(), Some(at(1_000)), grid - Duration::seconds(1), builds.clone(), BTreeMap::new());
        assert!(quick.due().len() <= SCOUTS);
        assert_eq!(Round::new(rhythm(), Some(at(1_000)), grid, builds, BTreeMap::new()).due().len(), 100);
    }

    #[test]
    fn what_a_list_did_not_show_is_a_suspect_and_what_ended_is_learned() {
        let mut round = Round::new(rhythm(), None, at(1_000), vec![build(1, 820), build(2, 821)], known());
        round.shown("imc-0001");
        assert_eq!(round.suspects(|_| true), ["imc-0002"]);
        assert_eq!(round.moved("imc-0001", Status::Ready, at(1_000)), Some(Duration::seconds(10)));
        assert_eq!(round.moved("imc-0001", Status::Deleting, at(1_000)), None, "no build ended");
        assert_eq!(round.learned().len(), 1);
        assert_eq!(round.learned(), []);
    }
}
