//! The stand-in's state, in memory; `state_file` writes it to a file if there is one.
//!
//! A cache that has expired, or that failed a day ago, is invisible at once; it is removed from memory a little later.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::answer::ActionRefusal;
use super::faults::Faults;
use super::ground::RegionAccount;
use super::lies::CurrentLie;
use super::limits::{self, CloudLimits, Pace};
use super::machine::{BuildEvent, PlannedBuild};
use super::nonces::Nonces;
use super::rights::PoliciesByHolder;
use super::tokens::Tokens;
use super::watch::SimWatch;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::image_cache::spec::{EliminationStrategy, ImageCacheSpec};
use crate::domain::region::Region;

/// How long a failed cache is kept.
const FAILED_KEPT: Duration = Duration::days(1);
/// How many events of a cache are kept.
const EVENTS: usize = 50;
/// How many ids each list of the ledger keeps.
const LEDGER: usize = 100_000;
/// How often invisible caches are removed.
const SWEEP: Duration = Duration::minutes(1);

/// One image cache.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CloudCache {
    pub(super) id: String,
    /// The account; empty for the first one, which once was the only one.
    #[serde(default)]
    pub(super) account: String,
    /// The specification with the default size filled in.
    pub(super) spec: ImageCacheSpec,
    pub(super) created_at: Instant,
    pub(super) expires_at: Option<Instant>,
    /// When an instance last used it, as set by the admin API.
    pub(super) last_matched_at: Option<Instant>,
    pub(super) container_group_id: String,
    pub(super) build: PlannedBuild,
    /// The events of earlier builds.
    pub(super) past: Vec<BuildEvent>,
}

impl CloudCache {
    /// The newest 50 events, newest last.
    pub(super) fn events(&self, now: Instant) -> Vec<&BuildEvent> {
        let mut all: Vec<_> = self.past.iter().chain(self.build.happenings(now)).collect();
        all.drain(..all.len().saturating_sub(EVENTS));
        all
    }

    fn is_at(&self, spot: RegionAccount<'_>) -> bool {
        self.account == spot.account && self.spec.region == *spot.region
    }

    fn is_gone(&self, now: Instant) -> bool {
        let dropped_at = self.build.fails_at().map(|at| at + FAILED_KEPT);
        [self.expires_at, dropped_at].into_iter().flatten().any(|end| end <= now)
    }
}

/// What actually happened, for tests to compare with their requests.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CallLedger {
    /// Verified calls by action, including those that were refused or affected by a fault.
    pub(super) calls: BTreeMap<String, u64>,
    /// Verified calls by access key and action.
    #[serde(default)]
    pub(super) calls_by: BTreeMap<String, BTreeMap<String, u64>>,
    /// The ids of all caches that were created, oldest first.
    pub(super) created: Vec<String>,
    /// The ids of created caches by access key.
    #[serde(default)]
    pub(super) created_by: BTreeMap<String, Vec<String>>,
    /// The ids of all caches whose update was started.
    pub(super) updated: Vec<String>,
    /// The ids of all caches that were deleted.
    pub(super) deleted: Vec<String>,
    /// The ids of all caches that were evicted because of the quota.
    #[serde(default)]
    pub(super) evicted: Vec<String>,
}

/// The whole state. Skipped fields have no meaning after a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CloudState {
    /// In the order of creation, which is also the order of pages.
    caches: BTreeMap<u64, CloudCache>,
    #[serde(skip)]
    by_id: HashMap<String, u64>,
    /// The positions of the caches by account and region.
    #[serde(skip)]
    by_region: HashMap<(String, Region), BTreeSet<u64>>,
    /// The positions of caches that have, or had, this tag and value; the reader has to check.
    #[serde(skip)]
    by_tag: HashMap<(String, String), BTreeSet<u64>>,
    next: u64,
    #[serde(skip)]
    swept_at: Option<Instant>,
    #[serde(skip)]
    changed: bool,
    #[serde(skip)]
    pub(super) nonces: Nonces,
    pub(super) tokens: Tokens,
    #[serde(skip)]
    pub(super) faults: Faults,
    #[serde(skip)]
    pub(super) lies: CurrentLie,
    /// The regions with an outage.
    #[serde(skip)]
    pub(super) outages: BTreeSet<String>,
    #[serde(default)]
    pub(super) limits: CloudLimits,
    #[serde(skip)]
    pub(super) pace: HashMap<String, Pace>,
    #[serde(default)]
    pub(super) watch: SimWatch,
    pub(super) ledger: CallLedger,
    /// The policies of access keys and roles that have one.
    #[serde(default)]
    pub(super) policies: PoliciesByHolder,
    /// How often all sessions of roles were ended.
    #[serde(default)]
    pub(super) round: u64,
}

impl CloudState {
    /// Builds the indexes, which are not stored.
    pub(super) fn indexed(mut self) -> Self {
        let places: Vec<u64> = self.caches.keys().copied().collect();
        for place in places {
            self.index(place);
        }
        self
    }

    /// Adds a cache to the indexes, with its current tags.
    fn index(&mut self, place: u64) {
        let Some(cache) = self.caches.get(&place) else { return };
        self.by_id.insert(cache.id.clone(), place);
        self.by_region.entry((cache.account.clone(), cache.spec.region.clone())).or_default().insert(place);
        for (key, value) in &cache.spec.tags {
            self.by_tag.entry((key.clone(), value.clone())).or_default().insert(place);
        }
    }

    /// Removes a cache, also from the indexes.
    fn drop_at(&mut self, place: u64) {
        let Some(cache) = self.caches.remove(&place) else { return };
        self.by_id.remove(&cache.id);
        if let Some(places) = self.by_region.get_mut(&(cache.account, cache.spec.region)) {
            places.remove(&place);
        }
        for tag in cache.spec.tags {
            if let Entry::Occupied(mut places) = self.by_tag.entry(tag) {
                places.get_mut().remove(&place);
                if places.get().is_empty() {
                    places.remove();
                }
            }
        }
    }

    /// Marks the state as changed since it was last written.
    pub(super) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// Whether the state has changed; resets the mark, for a caller that writes the state now.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// All visible caches.
    pub(super) fn all(&self, now: Instant) -> impl Iterator<Item = &CloudCache> {
        self.caches.values().filter(move |cache| !cache.is_gone(now))
    }

    /// The caches of a region with their positions, newest first.
    pub(super) fn listed(&self, spot: RegionAccount<'_>, now: Instant) -> impl Iterator<Item = (u64, &CloudCache)> {
        self.listed_before(spot, u64::MAX, now)
    }

    /// Those whose position is before `place`.
    pub(super) fn listed_before(
        &self,
        spot: RegionAccount<'_>,
        place: u64,
        now: Instant,
    ) -> impl Iterator<Item = (u64, &CloudCache)> {
        let places = self.by_region.get(&spot.key()).into_iter().flat_map(move |places| places.range(..place).rev());
        self.at(places, spot, now)
    }

    /// The number of caches in the region, including those that have just expired.
    pub(super) fn held(&self, spot: RegionAccount<'_>) -> usize {
        self.by_region.get(&spot.key()).map_or(0, BTreeSet::len)
    }

    /// Those that may have this tag and value.
    pub(super) fn tagged(
        &self,
        spot: RegionAccount<'_>,
        tag: &(String, String),
        now: Instant,
    ) -> impl Iterator<Item = (u64, &CloudCache)> {
        self.at(self.by_tag.get(tag).into_iter().flat_map(|places| places.iter().rev()), spot, now)
    }

    fn at<'a>(
        &'a self,
        places: impl Iterator<Item = &'a u64>,
        spot: RegionAccount<'_>,
        now: Instant,
    ) -> impl Iterator<Item = (u64, &'a CloudCache)> {
        let found = places.filter_map(|place| Some((*place, self.caches.get(place)?)));
        found.filter(move |(_, cache)| cache.is_at(spot) && !cache.is_gone(now))
    }

    /// The cache with this id, for an update.
    pub(super) fn find(&mut self, spot: RegionAccount<'_>, id: &str, now: Instant) -> Option<&mut CloudCache> {
        let place = self.by_id.get(id)?;
        self.caches.get_mut(place).filter(|cache| cache.is_at(spot) && !cache.is_gone(now))
    }

    /// The cache with this id and its position, for reading.
    pub(super) fn look_up(&self, spot: RegionAccount<'_>, id: &str, now: Instant) -> Option<(u64, &CloudCache)> {
        let place = *self.by_id.get(id)?;
        let cache = self.caches.get(&place).filter(|cache| cache.is_at(spot) && !cache.is_gone(now))?;
        Some((place, cache))
    }

    /// Records that an instance used the cache; false if it does not exist.
    pub(super) fn note_use(&mut self, id: &str, now: Instant) -> bool {
        let cache = self.by_id.get(id).and_then(|place| self.caches.get_mut(place));
        let Some(cache) = cache.filter(|cache| !cache.is_gone(now)) else { return false };
        cache.last_matched_at = Some(now);
        self.changed = true;
        true
    }

    /// Makes room for one more cache in the region: at the quota, the least recently used one with the strategy `LRU`
    /// is evicted (for one that was never used, its creation counts); if there is none, the create is refused.
    pub(super) fn make_room(&mut self, spot: RegionAccount<'_>, now: Instant) -> Result<(), ActionRefusal> {
        let few = |state: &Self| state.held(spot) < state.limits.quota;
        while !few(self) && self.listed(spot, now).count() >= self.limits.quota {
            let lru = |cache: &CloudCache| cache.spec.elimination_strategy == Some(EliminationStrategy::Lru);
            let idle = self.listed(spot, now).filter(|(_, cache)| lru(cache));
            let idlest = idle.min_by_key(|(place, cache)| (cache.last_matched_at.unwrap_or(cache.created_at), *place));
            let Some((place, id)) = idlest.map(|(place, cache)| (place, cache.id.clone())) else {
                return Err(limits::quota_exceeded(self.limits.quota));
            };
            self.drop_at(place);
            note(&mut self.ledger.evicted, &id);
            self.changed = true;
        }
        Ok(())
    }

    /// Adds a cache that was created with that key.
    pub(super) fn add(&mut self, cache: CloudCache, access_key_id: &str) {
        note(&mut self.ledger.created, &cache.id);
        note(self.ledger.created_by.entry(access_key_id.to_owned()).or_default(), &cache.id);
        self.changed = true;
        self.caches.insert(self.next, cache);
        self.index(self.next);
        self.next += 1;
    }

    /// The value of a tag of the cache with this id.
    pub(super) fn tag(&self, id: &str, key: &str) -> Option<&str> {
        let cache = self.by_id.get(id).and_then(|place| self.caches.get(place))?;
        cache.spec.tags.get(key).map(String::as_str)
    }

    /// When the current build of the cache with this id is done, if it ever is.
    pub(super) fn ready_at(&self, id: &str) -> Option<Instant> {
        self.by_id.get(id).and_then(|place| self.caches.get(place))?.build.ready_at()
    }

    /// Records that an update has started.
    pub(super) fn note_update(&mut self, id: &str) {
        note(&mut self.ledger.updated, id);
        if let Some(place) = self.by_id.get(id).copied() {
            self.index(place);
        }
        self.changed = true;
    }

    /// Deletes a cache; false if it does not exist.
    pub(super) fn remove(&mut self, spot: RegionAccount<'_>, id: &str, now: Instant) -> bool {
        let Some((place, _)) = self.look_up(spot, id, now) else { return false };
        self.drop_at(place);
        note(&mut self.ledger.deleted, id);
        self.changed = true;
        true
    }

    /// Regularly removes what is invisible or no longer matters.
    pub(super) fn sweep(&mut self, now: Instant, clock: Instant) {
        // If the clock was set back, sweeping must not stop.
        if self.swept_at.is_some_and(|swept| (now - swept).abs() < SWEEP) {
            return;
        }
        self.swept_at = Some(now);
        let gone: Vec<u64> =
            self.caches.iter().filter(|(_, cache)| cache.is_gone(now)).map(|(place, _)| *place).collect();
        for place in gone {
            self.drop_at(place);
        }
        self.nonces.sweep(clock);
        self.tokens.sweep(now);
    }
}

fn note(ids: &mut Vec<String>, id: &str) {
    if ids.len() < LEDGER {
        ids.push(id.to_owned());
    }
}

/// An id in the cloud's format: `imc-`, `eci-` or `s-` and 20 of `0-9a-z`, of which the region determines the first
/// three.
pub(super) fn new_id(prefix: &str, region: &str, entropy: &Entropy) -> String {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let stem = match region {
        "cn-beijing" => "2ze",
        "cn-hangzhou" => "bp1",
        "cn-shanghai" => "uf6",
        _ => "t4n",
    };
    let tail = entropy.bytes::<17>().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    format!("{prefix}{stem}{}", String::from_iter(tail))
}
