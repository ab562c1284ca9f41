//! Reads the cloud for the comparison, as fast as the account's budget allows: nobody is waiting for it.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Stop;
use crate::app::Error;
use crate::app::reconciler::Reconciler;
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::reconcile::adoption::own_tags;
use crate::domain::reconcile::drift::strategy_word;
use crate::domain::reconcile::pace;
use crate::domain::region::Region;
use crate::eci::{DescribeQuery, SeenPage};
use crate::store::ReconcileLease;

/// How often to ask for a call in vain before the comparison is postponed.
const MOST_PAGES: usize = 100;
/// The longest pause between two of these: well below a group's lease.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The most pages of one list (20 caches each): ten times the default quota of an account.
const PAGES: usize = 500;
/// After how many pages of a list the lookups that have become due meanwhile are made.
const REVISIT_EVERY: usize = 20;
/// The cloud's name for the most caches that a region can hold.
const QUOTA: &str = "MaxImageCacheCount";

/// The whole list of a region.
pub(super) struct CloudList {
    /// The time before its first page was requested.
    pub(super) begun_at: Instant,
    /// The caches by cloud id, each with the time before its page was requested.
    pub(super) seen: HashMap<String, (Observation, Instant)>,
}

impl CloudList {
    pub(super) fn ids(&self) -> Vec<String> {
        self.seen.keys().cloned().collect()
    }

    /// What the cloud shows for this cache.
    pub(super) fn find(&self, cache: &ImageCache) -> Option<(&Observation, Instant)> {
        let (seen, at) = self.seen.get(cache.eci_cache_id.as_ref()?)?;
        Some((seen, *at))
    }

    /// The list in the form that `store` compares with the rows.
    pub(super) fn to_json(&self) -> Value {
        self.seen.values().map(|(seen, _)| compared(seen)).collect()
    }
}

fn compared(seen: &Observation) -> Value {
    json!({
        "id": seen.eci_cache_id,
        "status": seen.status,
        "name": seen.name,
        "images": seen.images,
        "size_gib": seen.size_gib,
        "tags": own_tags(seen),
        "resource_group_id": seen.resource_group_id,
        "elimination_strategy": strategy_word(seen),
        "expires_at": seen.expires_at,
        "last_matched_at": seen.last_matched_at,
        "snapshot_id": seen.snapshot_id,
        "flash_snapshot_id": seen.flash_snapshot_id,
    })
}

impl Reconciler {
    /// Reads the whole list of the group's region. `None` if somebody else has the group by now, or the list has too
    /// many pages.
    pub(super) async fn read_list(&self, lease: &ReconcileLease) -> Result<Option<CloudList>, Stop> {
        let region = region_of(lease)?;
        let mut list = CloudList { begun_at: self.base.now(), seen: HashMap::new() };
        let mut query = DescribeQuery::default();
        for page in 1..=PAGES {
            if page % REVISIT_EVERY == 0 {
                self.revisit(lease).await?;
            }
            let at = self.base.now();
            let Some(page) = self.read_page(lease, &region, &query).await? else { return Ok(None) };
            let before = list.seen.len();
            list.seen.extend(page.caches.into_iter().map(|seen| (seen.eci_cache_id.clone(), (seen, at))));
            match page.next_token {
                Some(token) if list.seen.len() > before => query.next_token = Some(token),
                // It names a next page but brings nothing new: the list will never be complete.
                Some(_) => break,
                None => return Ok(Some(list)),
            }
        }
        tracing::warn!(region = %region, pages = PAGES, "the cloud's list has no end: nothing was compared");
        Ok(None)
    }

    /// Looks up one cache by id: what the cloud shows, or that it shows nothing. `None` if somebody else has the group
    /// by now.
    pub(super) async fn read_one(
        &self,
        lease: &ReconcileLease,
        cache: &ImageCache,
    ) -> Result<Option<Option<Observation>>, Stop> {
        let query = DescribeQuery { eci_cache_id: cache.eci_cache_id.clone(), ..DescribeQuery::default() };
        let Some(page) = self.read_page(lease, &cache.spec.region, &query).await? else { return Ok(None) };
        Ok(Some(page.caches.into_iter().find(|seen| Some(&seen.eci_cache_id) == cache.eci_cache_id.as_ref())))
    }

    /// One page within the lease. `None` if the lease is lost. A transient fault does not end the pass at once: one of
    /// hundreds of pages may always meet one.
    async fn read_page(
        &self,
        lease: &ReconcileLease,
        region: &Region,
        query: &DescribeQuery,
    ) -> Result<Option<SeenPage>, Stop> {
        let cloud = self.cloud_accounts.cloud_of(&lease.group.account).await?;
        for tries in 1.. {
            if !self.keep_pace(lease).await? {
                break;
            }
            metrics::counter!("ecg_cloud_looks_total", "way" => "reconcile").increment(1);
            let fault = match cloud.describe(region, query).await {
                Ok(page) => return Ok(Some(page)),
                Err(fault) => fault,
            };
            self.cloud_accounts.note_fault(&lease.group.account, &fault).await?;
            let Some(pause) = pace::again_after(tries, &fault) else { return Err(fault.into()) };
            tokio::time::sleep(pause).await;
        }
        Ok(None)
    }

    /// Draws one call, and waits while others use them all. `false` if the lease is lost.
    async fn keep_pace(&self, lease: &ReconcileLease) -> Result<bool, Stop> {
        for _ in 0..MOST_PAGES {
            // A long list takes longer than one lease, which is renewed before each call.
            if !self.base.store().hold_reconciliation(lease, self.base.settings().work.lease.as_secs_f64()).await? {
                return Ok(false);
            }
            let drawn = self.cloud_accounts.draw_looks(&lease.group.account, 1).await?;
            if drawn.granted > 0 {
                return Ok(true);
            }
            tokio::time::sleep((drawn.again_at - self.base.now()).to_std().unwrap_or_default().min(LONGEST_PAUSE))
                .await;
        }
        Err(Stop::Cloud(CallError::NotSent("the account's budget had no call left for the comparison".into())))
    }

    /// The most caches that the region can hold; `None` if the cloud does not say.
    pub(super) async fn read_quota(&self, lease: &ReconcileLease, region: &Region) -> Result<Option<i64>, Stop> {
        let cloud = self.cloud_accounts.cloud_of(&lease.group.account).await?;
        if !self.keep_pace(lease).await? {
            return Ok(None);
        }
        let attributes = cloud.list_usage(region).await?;
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        Ok(attributes.get(QUOTA).and_then(number))
    }
}

pub(super) fn region_of(lease: &ReconcileLease) -> Result<Region, Error> {
    lease.group.region.parse().map_err(|_| Error::Internal("a group whose region is none".into()))
}
