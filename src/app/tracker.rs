//! Follows builds at the cloud: one (account, region) group at a time, with as few calls as possible.
//!
//! A pass is one future over one group: the caches that are followed there, those of them that are due
//! (`domain::poll`), the reads that show them with the fewest calls, as many of these reads as the budget allows, and
//! the writes for what changed. If the budget ends a round early, the next gateway that claims the group continues
//! where it stopped.
//!
//! What must stay true: nothing is kept in memory between two passes; a cache that a list does not show is looked up by
//! id before it counts as missed; it is declared gone only if the cloud shows others ([`super::vanishings`]); nothing
//! is written for what did not change.

use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::transitions::Transitions;
use crate::app::vanishings::Vanishings;
use std::collections::BTreeMap;

use chrono::Duration;

use super::Error;
use super::base::lease::{Lease, LeasedItem};
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::image_cache::status::Status;
use crate::domain::poll::bucket;
use crate::domain::poll::planner::{Due, ListedCounts, Read, plan, portion};
use crate::domain::poll::rhythm::Rhythm;
use crate::domain::poll::round::{Following, Round};
use crate::domain::region::Region;
use crate::eci::Client;
use crate::store::{GroupLease, GroupRelease, TrackedCache, TrackerGroup};

mod observations;
mod reads;

/// How long the group pauses after an error.
const REST_AFTER_FAULT: Duration = Duration::seconds(5);
/// The jitter is at most the usual interval divided by this, so that gateways do not all claim at once.
const JITTER: i32 = 40;

/// What a pass over one group works with.
struct Pass {
    cloud: Client,
    group: TrackerGroup,
    region: Region,
    round: Round,
    /// Whether the cloud has shown anything that is followed.
    shows: bool,
}

/// Follows builds at the cloud; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracker {
    base: Base,
    cloud_accounts: CloudAccounts,
    vanishings: Vanishings,
    transitions: Transitions,
}

impl Tracker {
    pub(super) fn new(
        base: &Base,
        cloud_accounts: &CloudAccounts,
        vanishings: &Vanishings,
        transitions: &Transitions,
    ) -> Self {
        Self {
            base: base.clone(),
            cloud_accounts: cloud_accounts.clone(),
            vanishings: vanishings.clone(),
            transitions: transitions.clone(),
        }
    }
}

impl Tracker {
    /// Polls the group that has been due for longest. `false` if none is due.
    pub async fn track(&self) -> Result<bool, Error> {
        let (taken, lasts) = (self.base.uptime(), self.base.settings().work.lease);
        let claimed = self.base.store().claim_group(self.base.now(), self.base.uuid(), lasts.as_secs_f64()).await?;
        let Some(lease) = claimed else { return Ok(false) };
        // There may be another group, for a worker that is free.
        self.base.signals().tracker.notify_one();
        if let Some(due_at) = lease.due_at {
            let late = (self.base.now() - due_at).as_seconds_f64().max(0.0);
            metrics::histogram!("ecg_tracker_lag_seconds").record(late);
        }
        let pass = async {
            let rest = self.track_group(&lease).await?;
            Ok(self.base.store().release_group(&lease, &rest).await?)
        };
        if let Some(done) =
            self.base.holding(Lease { on: LeasedItem::Group(&lease), taken, lasts }, Box::pin(pass)).await
        {
            return done.map(|()| true);
        }
        let (account, region) = (&lease.group.account, &lease.group.region);
        tracing::warn!(account, region, "lost the lease and dropped the pass");
        Ok(true)
    }

    /// One pass over a group; returns how to release it.
    async fn track_group(&self, lease: &GroupLease) -> Result<GroupRelease, Error> {
        let TrackerGroup { account, region } = &lease.group;
        let cloud = match self.cloud_accounts.cloud_of(account).await {
            Ok(cloud) => cloud,
            Err(fault) => {
                // Logged already, when the account was read.
                tracing::debug!(account, region, fault = %fault, "image caches in motion wait for their cloud account");
                return Ok(unread(lease, self.base.now() + REST_AFTER_FAULT));
            }
        };
        let mut pass = self.take_up(lease, cloud).await?;
        let due = pass.round.due();
        let reads = if due.is_empty() { Vec::new() } else { self.plan(&pass, &due, lease.cursor.as_deref()).await? };
        let (all, wanted) = (reads.len(), reads.iter().map(Read::calls).sum());
        if all == 0 {
            return Ok(self.whole(&pass));
        }
        let drawn = self.cloud_accounts.draw_looks(account, wanted).await?;
        let reads = portion(reads, usize::try_from(drawn.granted).unwrap_or(usize::MAX));
        let cut = GroupRelease {
            looked_at: lease.looked_at,
            round_at: Some(pass.round.began_at()),
            ..GroupRelease::default()
        };
        if reads.is_empty() {
            return Ok(GroupRelease { due_at: Some(drawn.again_at), cursor: lease.cursor.clone(), ..cut });
        }
        let done = reads.len();
        let last = reads.last().map(Read::key);
        match self.read(&mut pass, reads).await? {
            Err(fault) => {
                tracing::warn!(account, region, fault = %fault, "could not read from the cloud");
                self.cloud_accounts.note_fault(account, &fault).await?;
                // A token that the cloud refuses would be refused again: start the round over.
                let cursor = lease.cursor.clone().filter(|_| !matches!(fault, CallError::Refused(_)));
                Ok(GroupRelease { due_at: Some(self.base.now() + REST_AFTER_FAULT), cursor, ..cut })
            }
            Ok(Some(next_token)) => {
                Ok(GroupRelease { due_at: Some(drawn.again_at), cursor: Some(format!("l:{next_token}")), ..cut })
            }
            Ok(None) if done < all => Ok(GroupRelease { due_at: Some(drawn.again_at), cursor: last, ..cut }),
            Ok(None) => Ok(self.whole(&pass)),
        }
    }

    async fn take_up(&self, lease: &GroupLease, cloud: Client) -> Result<Pass, Error> {
        let now = self.base.now();
        let followed = self.base.store().followed(&lease.group, now).await?;
        let histories =
            if followed.is_empty() { BTreeMap::new() } else { self.base.store().histories(&lease.group).await? };
        let group = lease.group.clone();
        let region = group.region.parse().map_err(|error| Error::Internal(Box::new(error)))?;
        let usual = Duration::from_std(self.base.settings().look_usual).unwrap_or(Duration::MAX);
        let rhythm = Rhythm::new(usual, &format!("{} {}", group.account, group.region));
        let round_at = lease.round_at.filter(|_| lease.cursor.is_some()).unwrap_or(now);
        let followed = followed.into_iter().map(following).collect();
        Ok(Pass {
            cloud,
            group,
            region,
            round: Round::new(rhythm, lease.looked_at, round_at, followed, histories),
            shows: false,
        })
    }

    async fn plan(&self, pass: &Pass, due: &[Due], cursor: Option<&str>) -> Result<Vec<Read>, Error> {
        let mut buckets: Vec<&str> = due.iter().filter_map(|build| build.bucket.as_deref()).collect();
        buckets.sort_unstable();
        buckets.dedup();
        let mut listed = ListedCounts { all: usize::MAX, ..ListedCounts::default() };
        if due.len() > 1 || cursor.is_some() {
            listed.buckets = self.base.store().bucket_sizes(&pass.group, &buckets).await?;
            listed.all = usize::try_from(self.base.store().caches_known(&pass.group).await?).unwrap_or(usize::MAX);
        }
        Ok(plan(due, &listed, cursor))
    }

    /// How to release a group after a whole round: due again at the next grid point of anything that is changing.
    fn whole(&self, pass: &Pass) -> GroupRelease {
        let unknown = u32::try_from(pass.round.unknown()).unwrap_or(u32::MAX);
        let TrackerGroup { account, region } = pass.group.clone();
        metrics::gauge!("ecg_unknown_statuses", "account" => account, "region" => region).set(unknown);
        let first = pass.round.next_due(self.base.now());
        let usual = Duration::from_std(self.base.settings().look_usual).unwrap_or_default();
        let jitter = usual * self.base.entropy().permille() / (1_000 * JITTER);
        GroupRelease {
            due_at: first.map(|at| at + jitter),
            looked_at: Some(pass.round.began_at()),
            ..GroupRelease::default()
        }
    }
}

/// How to release a group of which nothing was read: unchanged, and due again at `due_at`.
fn unread(lease: &GroupLease, due_at: Instant) -> GroupRelease {
    let (looked_at, round_at, cursor) = (lease.looked_at, lease.round_at, lease.cursor.clone());
    GroupRelease { due_at: Some(due_at), looked_at, round_at, cursor }
}

fn following(row: TrackedCache) -> Following {
    let status = row.status.parse().unwrap_or(Status::Unknown);
    let kind = match status {
        Status::Updating => "update",
        Status::Deleting => "delete",
        _ => "create",
    };
    let class = bucket::class(kind, usize::try_from(row.images).unwrap_or(0), row.flash);
    Following { eci_cache_id: row.eci_cache_id, status, begun_at: row.begun_at, class, bucket: row.bucket }
}
