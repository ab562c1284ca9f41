//! The tracker's groups: one (account, region) at a time, in one worker's hands.

use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::store::rows::ImageCacheRow;
use crate::store::{Error, Store};

/// An account's caches in one region.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TrackerGroup {
    /// Which credentials.
    pub account: String,
    /// Which region.
    pub region: String,
}

/// A group in this worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLease {
    /// Which.
    pub group: TrackerGroup,
    /// What guards every write.
    pub lease_token: Uuid,
}

impl Store {
    /// Claims the group that is longest due and in nobody's hands, or whose holder died.
    ///
    /// The due time is taken away with the claim: a wake that comes while the group is being read sets a
    /// new one, which [`Self::release_group`] keeps.
    pub async fn claim_group(
        &self,
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
    ) -> Result<Option<GroupLease>, Error> {
        let group: Option<TrackerGroup> = sqlx::query_as(
            "UPDATE tracker_groups SET due_at = NULL, lease_token = $2,
                 lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE (account, region) = (SELECT account, region FROM tracker_groups
                 WHERE (lease_token IS NULL AND due_at <= $1) OR lease_until < clock_timestamp()
                 ORDER BY due_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING account, region",
        )
        .bind(now)
        .bind(lease_token)
        .bind(lease_seconds)
        .fetch_optional(&self.workers)
        .await?;
        Ok(group.map(|group| GroupLease { group, lease_token }))
    }

    /// The group's caches that must be looked at: those in motion, and those whose retention has ended.
    pub async fn caches_in_motion(&self, group: &TrackerGroup, now: Instant) -> Result<Vec<ImageCache>, Error> {
        let rows: Vec<ImageCacheRow> = sqlx::query_as(
            "SELECT * FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
               AND (status IN ('preparing', 'creating', 'updating', 'deleting', 'unknown')
                    OR (status IN ('ready', 'update_failed', 'failed') AND expires_at <= $3 AND gone_at IS NULL))
             ORDER BY id",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(now)
        .fetch_all(&self.workers)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// How many caches of the group the cloud may list: what a full list would cost.
    pub async fn caches_known(&self, group: &TrackerGroup) -> Result<i64, Error> {
        let known = sqlx::query_scalar(
            "SELECT count(*) FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
               AND gone_at IS NULL AND status NOT IN ('deleted', 'expired', 'evicted', 'lost')",
        )
        .bind(&group.account)
        .bind(&group.region)
        .fetch_one(&self.workers)
        .await?;
        Ok(known)
    }

    /// Gives the group back, due again at `due_at` or at the earlier time for which somebody woke it
    /// meanwhile. None means that nothing is in motion.
    pub async fn release_group(&self, lease: &GroupLease, due_at: Option<Instant>) -> Result<(), Error> {
        sqlx::query(
            "UPDATE tracker_groups SET lease_token = NULL, lease_until = NULL, due_at = LEAST(due_at, $4)
             WHERE account = $1 AND region = $2 AND lease_token = $3",
        )
        .bind(&lease.group.account)
        .bind(&lease.group.region)
        .bind(lease.lease_token)
        .bind(due_at)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
