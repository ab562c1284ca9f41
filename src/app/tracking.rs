//! Following what the cloud builds: one group of (account, region) at a time, with as few calls as
//! possible. What a look means is decided by `domain::change`.

use std::collections::HashMap;

use chrono::Duration;

use super::holding::{Held, Lease};
use super::{Error, Gateway};
use crate::domain::change::observe;
use crate::domain::clock::Instant;
use crate::domain::failure::Fault;
use crate::domain::image_cache::ImageCache;
use crate::domain::observation::Seen;
use crate::domain::poll::{Reading, interval, reading};
use crate::domain::region::Region;
use crate::domain::status::Status;
use crate::eci::DescribeQuery;
use crate::store::GroupLease;

/// After a fault the group rests that long.
const REST_AFTER_FAULT: Duration = Duration::seconds(5);

/// What the cloud shows, by its ids. An id that was asked for and is not in it is not listed.
type Sight = HashMap<String, Seen>;

impl Gateway {
    /// Looks at the group that is longest due. `false`: none is.
    pub async fn track(&self) -> Result<bool, Error> {
        let (taken, lasts) = (std::time::Instant::now(), self.settings().group_lease);
        let claimed = self.store().claim_group(self.now(), self.uuid(), lasts.as_secs_f64()).await?;
        let Some(lease) = claimed else { return Ok(false) };
        let pass = async {
            let due = self.track_group(&lease).await?;
            Ok(self.store().release_group(&lease, due).await?)
        };
        if let Some(done) = self.holding(Lease { on: Held::Group(&lease), taken, lasts }, Box::pin(pass)).await {
            return done.map(|()| true);
        }
        let (account, region) = (&lease.group.account, &lease.group.region);
        tracing::warn!(account, region, "the lease was lost, and the pass dropped");
        Ok(true)
    }

    /// One pass over a group; returns when the next is due, if anything is still in motion.
    async fn track_group(&self, lease: &GroupLease) -> Result<Option<Instant>, Error> {
        let mut caches = self.store().caches_in_motion(&lease.group, self.now()).await?;
        if caches.is_empty() {
            return Ok(None);
        }
        let known = self.store().caches_known(&lease.group).await?;
        match self.look(&caches, usize::try_from(known).unwrap_or(0)).await {
            Ok(sight) => self.apply(&mut caches, &sight).await?,
            Err(fault) => {
                tracing::warn!(account = lease.group.account, region = lease.group.region, fault = %fault, "the cloud could not be read");
                return Ok(Some(self.now() + REST_AFTER_FAULT));
            }
        }
        Ok(self.next_look(&caches))
    }

    async fn look(&self, caches: &[ImageCache], known: usize) -> Result<Sight, Fault> {
        let region = &caches[0].spec.region;
        match reading(caches.len(), known) {
            Reading::ById => self.look_by_id(region, caches).await,
            Reading::ByList => self.look_by_list(region).await,
        }
    }

    async fn look_by_id(&self, region: &Region, caches: &[ImageCache]) -> Result<Sight, Fault> {
        let mut sight = Sight::new();
        for cache in caches {
            metrics::counter!("ecg_cloud_looks_total", "way" => "by_id").increment(1);
            let query = DescribeQuery { eci_cache_id: cache.eci_cache_id.clone(), ..DescribeQuery::default() };
            let page = self.parts().cloud.describe(region, &query).await?;
            sight.extend(page.caches.into_iter().map(|seen| (seen.eci_cache_id.clone(), seen)));
        }
        Ok(sight)
    }

    async fn look_by_list(&self, region: &Region) -> Result<Sight, Fault> {
        let (mut sight, mut query) = (Sight::new(), DescribeQuery::default());
        loop {
            metrics::counter!("ecg_cloud_looks_total", "way" => "by_list").increment(1);
            let page = self.parts().cloud.describe(region, &query).await?;
            let before = sight.len();
            sight.extend(page.caches.into_iter().map(|seen| (seen.eci_cache_id.clone(), seen)));
            let progress = sight.len() > before;
            match page.next_token {
                // A page that brings nothing new and still names a next one would never end.
                Some(token) if progress => query.next_token = Some(token),
                _ => return Ok(sight),
            }
        }
    }

    /// Writes what changed, and leaves the rows as they are now in `caches`.
    async fn apply(&self, caches: &mut [ImageCache], sight: &Sight) -> Result<(), Error> {
        for cache in caches {
            let seen = cache.eci_cache_id.as_ref().and_then(|id| sight.get(id));
            let Some(change) = observe(cache, seen, self.now()) else { continue };
            let audit = self.observed("tracker", &change);
            if !self.store().write_change(&self.write_of(&change, audit)).await? {
                // An operation moved the row while we looked; the next pass sees it as it is.
                continue;
            }
            if let Some((from, to)) = change.moved {
                metrics::counter!("ecg_transitions_total", "to" => to.as_str()).increment(1);
                if to == Status::Unknown {
                    tracing::error!(image_cache = %cache.id, provider_status = ?change.next.provider_status, "the cloud shows a status that we do not know");
                }
                tracing::info!(image_cache = %cache.id, from = %from, to = %to, "an image cache moved");
            }
            *cache = ImageCache { version: cache.version + 1, ..change.next };
            self.signals().cache_changed(cache.id);
        }
        Ok(())
    }

    /// The youngest build decides: it may be ready soonest.
    fn next_look(&self, caches: &[ImageCache]) -> Option<Instant> {
        let (least, most) = (self.settings().look_least, self.settings().look_most);
        let bound = |bound| Duration::from_std(bound).unwrap_or_else(|_| Duration::seconds(1));
        let ages = caches.iter().filter(|cache| cache.status.is_in_motion()).map(|cache| self.now() - begun(cache));
        let youngest = ages.min()?;
        Some(self.now() + interval(youngest, bound(least), bound(most), self.entropy().permille()))
    }
}

/// When the present build, or the removal, began.
fn begun(cache: &ImageCache) -> Instant {
    match cache.status {
        Status::Deleting => cache.updated_at,
        _ => cache.evidence.accepted_at.unwrap_or(cache.created_at),
    }
}
