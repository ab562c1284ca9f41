//! Builds of one group in virtual time, tracked by the tracker's own decisions: how many calls, and how late.
//!
//! No sockets, no database: reads take no time and are never refused. Only the decisions of planner, rhythm and
//! histories are measured, so the results are the same in every run.

use std::collections::{BTreeMap, HashMap};

use chrono::Duration;
use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::image_cache::spec::ImageCacheSpec;
use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::poll::PAGE;
use eci_cache_gateway::domain::poll::bucket::Buckets;
use eci_cache_gateway::domain::poll::hazard::History;
use eci_cache_gateway::domain::poll::planner::{ListedCounts, Read, plan};
use eci_cache_gateway::domain::poll::rhythm::Rhythm;
use eci_cache_gateway::domain::poll::round::{Following, Round};
use serde_json::json;

/// The median duration of builds in seconds.
pub(crate) const MEDIAN: f64 = 180.0;
/// The standard deviation of the logarithm: nine of ten builds take 62 to 525 s, 222 s on average.
pub(crate) const SPREAD: f64 = 0.65;
/// The class of all builds.
pub(crate) const CLASS: &str = "create/1";

/// What is tracked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// The number of running builds; each one that ends is replaced by a new one.
    pub(crate) in_motion: usize,
    /// The number of other caches in the lists, which do not change.
    pub(crate) settled: usize,
    /// The duration in seconds.
    pub(crate) seconds: i64,
    /// Whether the durations of earlier builds are known.
    pub(crate) known: bool,
    /// The time between two reads.
    pub(crate) usual: Duration,
}

/// What a run of the virtual cloud came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Builds whose end was noticed.
    pub(crate) finished: usize,
    /// Calls by kind.
    pub(crate) calls: BTreeMap<&'static str, usize>,
    /// The calls with one call per cache every 10 s.
    pub(crate) naive: usize,
    /// The calls of an oracle that knows when each build ends and reads every 10 s.
    pub(crate) oracle: usize,
    delays: Vec<f64>,
}

impl Figures {
    /// Calls per finished build.
    pub(crate) fn per_finished(&self, calls: usize) -> f64 {
        ratio(calls, self.finished)
    }

    pub(crate) fn all(&self) -> usize {
        self.calls.values().sum()
    }

    /// This percentile of the delay in seconds.
    pub(crate) fn delay(&self, percent: usize) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_unstable_by(f64::total_cmp);
        delays.get(delays.len() * percent / 100).copied().unwrap_or_default()
    }
}

#[derive(Clone)]
struct VirtualBuild {
    following: Following,
    ends_at: Instant,
    ends_seen: bool,
}

/// Runs a scene; the first third is a warm-up that is not counted.
pub(crate) fn run(scene: &Scene, seed: u64) -> Figures {
    let mut world = VirtualWorld::new(scene, seed);
    let start = Instant::UNIX_EPOCH + Duration::days(20_000);
    world.begin(start);
    let (mut now, mut looked_at) = (start, None);
    let (counted, end) = (start + Duration::seconds(scene.seconds / 3), start + Duration::seconds(scene.seconds));
    while now < end {
        world.go_on(now);
        if now < counted {
            world.figures = Figures::default();
        }
        let (next, began) = world.look(now, looked_at);
        looked_at = Some(began);
        now = next;
    }
    world.figures
}

struct VirtualWorld<'a> {
    scene: &'a Scene,
    entropy: Entropy,
    buckets: Buckets,
    spec: ImageCacheSpec,
    rhythm: Rhythm,
    builds: Vec<VirtualBuild>,
    histories: BTreeMap<String, History>,
    sizes: HashMap<String, usize>,
    figures: Figures,
    number: u64,
    ticked_at: Option<i64>,
    /// The builds that have ended since the oracle's last read.
    to_be_seen: usize,
}

impl<'a> VirtualWorld<'a> {
    fn new(scene: &'a Scene, seed: u64) -> Self {
        let entropy = Entropy::from_seed(seed);
        let spec = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1"]});
        let histories =
            if scene.known { BTreeMap::from([(CLASS.to_owned(), history(&entropy))]) } else { BTreeMap::new() };
        Self {
            scene,
            entropy,
            buckets: Buckets::default(),
            spec: serde_json::from_value(spec).expect("a specification"),
            rhythm: Rhythm::new(scene.usual, "virtual"),
            builds: Vec::new(),
            histories,
            sizes: HashMap::new(),
            figures: Figures::default(),
            number: 0,
            ticked_at: None,
            to_be_seen: 0,
        }
    }

    /// Builds of every age, as they exist at a time if each one that ends is replaced.
    fn begin(&mut self, start: Instant) {
        let mut builds: Vec<(f64, f64)> = (0..self.scene.in_motion).map(|_| in_midst(&self.entropy)).collect();
        builds.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (age, length) in builds {
            self.add(start - seconds(age), length);
        }
    }

    fn add(&mut self, begun_at: Instant, length: f64) {
        self.number += 1;
        let bucket = self.buckets.place(&self.spec, begun_at, self.number);
        if let Some(bucket) = &bucket {
            *self.sizes.entry(bucket.clone()).or_default() += 1;
        }
        let eci_cache_id = format!("imc-{:012}", self.number);
        let following = Following { eci_cache_id, status: Status::Creating, begun_at, class: CLASS.into(), bucket };
        self.builds.push(VirtualBuild { following, ends_at: begun_at + seconds(length), ends_seen: false });
    }

    /// Replaces the builds that have ended, and counts the calls of the other strategies.
    fn go_on(&mut self, now: Instant) {
        let ended: Vec<Instant> =
            self.builds.iter().filter(|one| one.ends_at <= now && !one.ends_seen).map(|one| one.ends_at).collect();
        let tick = now.timestamp() / 10;
        let listed = self.scene.in_motion + self.scene.settled;
        self.to_be_seen += ended.len();
        if self.ticked_at != Some(tick) {
            self.ticked_at = Some(tick);
            self.figures.oracle += std::mem::take(&mut self.to_be_seen).min(listed.div_ceil(PAGE));
        }
        self.builds.iter_mut().for_each(|one| one.ends_seen |= one.ends_at <= now);
        for at in ended {
            let length = length(&self.entropy);
            self.add(at, length);
        }
    }

    /// One round. Returns when the next ones are due.
    fn look(&mut self, now: Instant, looked_at: Option<Instant>) -> (Instant, Instant) {
        let followed = self.builds.iter().map(|one| one.following.clone()).collect();
        let mut round = Round::new(self.rhythm, looked_at, now, followed, std::mem::take(&mut self.histories));
        let buckets = self.sizes.iter().map(|(name, size)| (name.clone(), *size)).collect();
        let listed = ListedCounts { all: self.scene.in_motion + self.scene.settled, buckets };
        for read in plan(&round.due(), &listed, None) {
            *self.figures.calls.entry(read.way()).or_default() += read.calls();
            self.read(&read, &mut round, now);
        }
        let next = round.next_due(now).unwrap_or(now + Duration::seconds(1));
        self.histories = round.into_histories();
        let jitter = self.scene.usual * self.entropy.permille() / 40_000;
        (next + jitter, now)
    }

    /// The result of a read: builds that have ended are finished, and leave the list.
    fn read(&mut self, read: &Read, round: &mut Round, now: Instant) {
        let shows = |one: &Following| match read {
            Read::All { .. } => true,
            Read::Get { eci_cache_id } => one.eci_cache_id == *eci_cache_id,
            Read::Bucket { bucket, .. } => one.bucket.as_ref() == Some(bucket),
        };
        let (figures, sizes, settled) = (&mut self.figures, &mut self.sizes, self.scene.settled);
        self.builds.retain(|one| {
            if one.ends_at > now || !shows(&one.following) {
                return true;
            }
            round.moved(&one.following.eci_cache_id, Status::Ready, now);
            figures.finished += 1;
            figures.delays.push((now - one.ends_at).as_seconds_f64());
            let life = (one.ends_at - one.following.begun_at).num_seconds();
            figures.naive += usize::try_from(life / 10 + 1).unwrap_or(0);
            // If many unchanging caches are listed, finished ones stay in their buckets too.
            if let Some(size) =
                one.following.bucket.as_ref().filter(|_| settled == 0).and_then(|name| sizes.get_mut(name))
            {
                *size -= 1;
            }
            false
        });
    }
}

/// The history of a thousand builds.
pub(crate) fn history(entropy: &Entropy) -> History {
    let mut history = History::default();
    (0..1_000).for_each(|_| history.note(seconds(length(entropy))));
    history
}

/// The duration of a build in seconds.
pub(crate) fn length(entropy: &Entropy) -> f64 {
    let even = || (f64::from(u32::from_le_bytes(entropy.bytes())) + 1.0) / (f64::from(u32::MAX) + 2.0);
    let normal = (-2.0 * even().ln()).sqrt() * (std::f64::consts::TAU * even()).cos();
    MEDIAN * (SPREAD * normal).exp()
}

/// Age and duration of a build at an arbitrary time: long builds are more likely.
pub(crate) fn in_midst(entropy: &Entropy) -> (f64, f64) {
    const LONGEST: f64 = 3_000.0;
    loop {
        let length = length(entropy);
        let age = LONGEST * f64::from(u32::from_le_bytes(entropy.bytes())) / f64::from(u32::MAX);
        if age < length {
            return (age, length);
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_std(std::time::Duration::from_secs_f64(seconds)).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a table")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
