//! Following what the cloud builds: one group of (account, region) at a time, with as few calls as possible.
//!
//! A pass is one future over one group: what is followed there, which of it is due (`domain::poll`), the reads that
//! show it with the fewest calls, as many of them as the budget gives, and the writes of what changed. A round that
//! the budget cuts short goes on where it stopped, at whichever gateway claims the group next.
//!
//! What must stay true: nothing is remembered in memory between two passes; a cache that a list does not show is
//! asked for by id before it counts as missed; nothing is written for what did not change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Duration;

use super::{Error, Gateway};
use crate::domain::clock::Instant;
use crate::domain::failure::Fault;
use crate::domain::poll::hazard::History;
use crate::domain::poll::planner::{Due, Listed, Read, plan, portion};
use crate::domain::poll::rhythm::{Level, Rhythm, SLOWEST};
use crate::domain::poll::{PAGE, bucket};
use crate::domain::region::Region;
use crate::domain::status::Status;
use crate::store::{Followed, GroupLease, Rest, TrackerGroup};

mod applying;
mod reading;

/// After a fault the group rests that long.
const REST_AFTER_FAULT: Duration = Duration::seconds(5);
/// While nothing is known of a class, so many of its builds are looked at quickly: they find out.
const SCOUTS: usize = 20;
/// Timers are late by up to this share of the usual interval, so that gateways do not claim in step.
const JITTER: i32 = 40;

/// A group in hand: what a pass over it goes by.
struct Pass {
    group: TrackerGroup,
    region: Region,
    rhythm: Rhythm,
    /// When the round began.
    round_at: Instant,
    /// When the last whole round began.
    looked_at: Option<Instant>,
    followed: Vec<Following>,
    /// The places in `followed` by the cloud's id.
    places: HashMap<String, usize>,
    histories: BTreeMap<String, History>,
    /// The classes whose history has grown in this pass.
    learned: BTreeSet<String>,
}

/// One cache that is followed.
struct Following {
    cache: Followed,
    status: Status,
    class: String,
    /// Whether it is among the few of its class that find out how long builds take.
    is_scout: bool,
    /// How often it is looked at, as of this round.
    level: Level,
    is_due: bool,
    /// Whether a list has shown it in this pass.
    is_shown: bool,
}

impl Gateway {
    /// Looks at the group that is longest due. `false`: none is.
    pub async fn track(&self) -> Result<bool, Error> {
        let lease = self.settings().group_lease.as_secs_f64();
        let Some(lease) = self.store().claim_group(self.now(), self.uuid(), lease).await? else { return Ok(false) };
        if let Some(due_at) = lease.due_at {
            let late = (self.now() - due_at).as_seconds_f64().max(0.0);
            metrics::histogram!("ecg_tracker_lag_seconds").record(late);
        }
        let rest = self.track_group(&lease).await?;
        self.store().release_group(&lease, &rest).await?;
        Ok(true)
    }

    /// One pass over a group; returns how it is given back.
    async fn track_group(&self, lease: &GroupLease) -> Result<Rest, Error> {
        let mut pass = self.take_up(lease).await?;
        let unknown = pass.followed.iter().filter(|one| one.status == Status::Unknown).count();
        metrics::gauge!("ecg_unknown_statuses", "region" => lease.group.region.clone())
            .set(u32::try_from(unknown).unwrap_or(u32::MAX));
        let due = pass.due();
        let reads = if due.is_empty() { Vec::new() } else { self.plan(&pass, &due, lease.cursor.as_deref()).await? };
        let (all, wanted) = (reads.len(), reads.iter().map(Read::calls).sum());
        if all == 0 {
            return Ok(self.whole(&pass));
        }
        let drawn = self.draw_looks(wanted).await?;
        let reads = portion(reads, usize::try_from(drawn.granted).unwrap_or(usize::MAX));
        let cut = Rest { looked_at: lease.looked_at, round_at: Some(pass.round_at), ..Rest::default() };
        if reads.is_empty() {
            return Ok(Rest { due_at: Some(drawn.again_at), cursor: lease.cursor.clone(), ..cut });
        }
        let done = reads.len();
        let last = reads.last().map(Read::key);
        match self.read(&mut pass, reads).await? {
            Err(fault) => {
                let (account, region) = (&lease.group.account, &lease.group.region);
                tracing::warn!(account, region, fault = %fault, "the cloud could not be read");
                self.note_fault(&fault).await?;
                // A token that the cloud refuses would be refused for ever: begin the round anew.
                let cursor = lease.cursor.clone().filter(|_| !matches!(fault, Fault::Refused(_)));
                Ok(Rest { due_at: Some(self.now() + REST_AFTER_FAULT), cursor, ..cut })
            }
            Ok(Some(next_token)) => {
                Ok(Rest { due_at: Some(drawn.again_at), cursor: Some(format!("l:{next_token}")), ..cut })
            }
            Ok(None) if done < all => Ok(Rest { due_at: Some(drawn.again_at), cursor: last, ..cut }),
            Ok(None) => Ok(self.whole(&pass)),
        }
    }

    async fn take_up(&self, lease: &GroupLease) -> Result<Pass, Error> {
        let now = self.now();
        let followed = self.store().followed(&lease.group, now).await?;
        let histories =
            if followed.is_empty() { BTreeMap::new() } else { self.store().histories(&lease.group).await? };
        let group = lease.group.clone();
        let region = group.region.parse().map_err(|error| Error::Internal(Box::new(error)))?;
        let usual = Duration::from_std(self.settings().look_usual).unwrap_or(Duration::MAX);
        let rhythm = Rhythm::new(usual, &format!("{} {}", group.account, group.region));
        let round_at = lease.round_at.filter(|_| lease.cursor.is_some()).unwrap_or(now);
        Ok(Pass::new(group, region, rhythm, (lease.looked_at, round_at), followed, histories))
    }

    async fn plan(&self, pass: &Pass, due: &[Due], cursor: Option<&str>) -> Result<Vec<Read>, Error> {
        let mut buckets: Vec<&str> = due.iter().filter_map(|build| build.bucket.as_deref()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let mut listed = Listed { all: usize::MAX, ..Listed::default() };
        if due.len() > 1 {
            listed.buckets = self.store().bucket_sizes(&pass.group, &buckets).await?;
            listed.all = usize::try_from(self.store().caches_known(&pass.group).await?).unwrap_or(usize::MAX);
        }
        Ok(plan(due, &listed, cursor))
    }

    /// How a group is given back after a whole round: due again at the first grid point of anything that moves.
    fn whole(&self, pass: &Pass) -> Rest {
        let now = self.now();
        let next = |one: &Following| pass.rhythm.next(pass.level(one, now), now);
        let first = pass.followed.iter().filter(|one| one.status.is_in_motion()).map(next).min();
        let jitter = pass.rhythm.interval(0) * self.entropy().permille() / (1_000 * JITTER);
        Rest { due_at: first.map(|at| at + jitter), looked_at: Some(pass.round_at), ..Rest::default() }
    }
}

impl Pass {
    fn new(
        group: TrackerGroup,
        region: Region,
        rhythm: Rhythm,
        (looked_at, round_at): (Option<Instant>, Instant),
        followed: Vec<Followed>,
        histories: BTreeMap<String, History>,
    ) -> Self {
        let followed = followed.into_iter().map(Following::of).collect();
        let mut pass = Self {
            group,
            region,
            rhythm,
            round_at,
            looked_at,
            followed,
            places: HashMap::new(),
            histories,
            learned: BTreeSet::new(),
        };
        pass.settle_levels();
        let id = |(place, one): (usize, &Following)| (one.cache.eci_cache_id.clone(), place);
        pass.places = pass.followed.iter().enumerate().map(id).collect();
        pass
    }

    /// Says of each cache how often it is looked at, and whether it is due.
    fn settle_levels(&mut self) {
        let mut seen: HashMap<String, usize> = HashMap::new();
        self.followed
            .sort_by(|a, b| (a.cache.begun_at, &a.cache.eci_cache_id).cmp(&(b.cache.begun_at, &b.cache.eci_cache_id)));
        for place in 0..self.followed.len() {
            let before = seen.entry(self.followed[place].class.clone()).or_default();
            self.followed[place].is_scout = *before < SCOUTS;
            *before += 1;
            let one = &self.followed[place];
            let level = self.level(one, self.round_at);
            let since = self.looked_at.map_or(one.cache.begun_at, |looked| looked.max(one.cache.begun_at));
            let is_due = !one.status.is_in_motion() || self.rhythm.is_due(level, since, self.round_at);
            let one = &mut self.followed[place];
            (one.level, one.is_due) = (level, is_due);
        }
    }

    fn level(&self, one: &Following, at: Instant) -> Level {
        let age = at - one.cache.begun_at;
        let unknown = History::default();
        let history = match one.status {
            // Neither ends as builds do.
            Status::Deleting | Status::Unknown => &unknown,
            _ => self.histories.get(&one.class).unwrap_or(&unknown),
        };
        if !history.is_enough() && age > Duration::hours(1) {
            return self.rhythm.level_of(age / 60, 0, SLOWEST);
        }
        // A page of one bucket at the most; a single get shows one.
        let per_call = if one.cache.bucket.is_some() { self.siblings() } else { 1.0 };
        history.level(age, &self.rhythm, per_call, one.is_scout)
    }

    /// How many builds that are followed a call may show, at the most.
    fn siblings(&self) -> f64 {
        f64::from(u8::try_from(self.followed.len().min(PAGE)).unwrap_or(1))
    }

    fn due(&self) -> Vec<Due> {
        let due = self.followed.iter().filter(|one| one.is_due);
        due.map(|one| Due {
            eci_cache_id: one.cache.eci_cache_id.clone(),
            bucket: one.cache.bucket.clone(),
            leaves: one.status == Status::Deleting,
        })
        .collect()
    }
}

impl Following {
    fn of(cache: Followed) -> Self {
        let status = cache.status.parse().unwrap_or(Status::Unknown);
        let kind = match status {
            Status::Updating => "update",
            Status::Deleting => "delete",
            _ => "create",
        };
        let class = bucket::class(kind, usize::try_from(cache.images).unwrap_or(0), cache.flash);
        Self { cache, status, class, is_scout: false, level: 0, is_due: false, is_shown: false }
    }
}
