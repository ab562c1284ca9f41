//! The tracker's groups: one (account, region) at a time, leased to one worker; the caches that it follows there, how
//! far its round has got, and how long builds took.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::poll::hazard::History;
use crate::domain::poll::write_threshold::PROGRESS_STEP;
use crate::store::columns::sql;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::readable;
use crate::store::words::{AT_REST, ENDED, IN_MOTION};
use crate::store::{Store, StoreError};

/// An account's caches in one region.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TrackerGroup {
    /// The cloud account.
    pub account: String,
    /// The region; one group is one region of one account.
    pub region: String,
}

/// A group that this worker has leased.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GroupLease {
    /// The account and region.
    #[sqlx(flatten)]
    pub group: TrackerGroup,
    /// The lease token, which guards every write.
    pub lease_token: Uuid,
    /// Since when it was due; `None` if it was taken over from a holder that died.
    pub due_at: Option<DateTime<Utc>>,
    /// When the last complete round over it started.
    pub looked_at: Option<DateTime<Utc>>,
    /// When the current round started, if one was cut short.
    pub round_at: Option<DateTime<Utc>>,
    /// The cursor at which that round continues.
    pub cursor: Option<String>,
}

/// How to release a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupRelease {
    /// When it is due again; `None` if nothing is in motion.
    pub due_at: Option<Instant>,
    /// When the last complete round started.
    pub looked_at: Option<Instant>,
    /// When the current round started, if it was cut short.
    pub round_at: Option<Instant>,
    /// The cursor at which it continues.
    pub cursor: Option<String>,
}

/// A cache that is followed: only the part of its row that decides when and how it is polled.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TrackedCache {
    /// The cloud's id.
    pub eci_cache_id: String,
    /// The name of its status.
    pub status: String,
    /// When the current build or delete started.
    pub begun_at: DateTime<Utc>,
    /// How many images it holds.
    pub images: i32,
    /// Whether it is a Flash cache.
    pub flash: bool,
    /// The bucket that it is tagged with.
    pub bucket: Option<String>,
}

impl Store {
    /// Claims the group that has been due for longest and that nobody holds, or whose holder died.
    ///
    /// The claim clears the due time: a wake-up that comes while the group is being read sets a new one, which
    /// [`Self::release_group`] keeps.
    pub async fn claim_group(
        &self,
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
    ) -> Result<Option<GroupLease>, StoreError> {
        let lease = sqlx::query_as(
            "WITH due AS (
                 SELECT account, region, CASE WHEN lease_token IS NULL THEN due_at END AS due_at FROM tracker_groups
                 WHERE (lease_token IS NULL AND due_at <= $1) OR lease_until < clock_timestamp()
                 ORDER BY due_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
             UPDATE tracker_groups g SET due_at = NULL, lease_token = $2,
                 lease_until = clock_timestamp() + make_interval(secs => $3)
             FROM due WHERE g.account = due.account AND g.region = due.region
             RETURNING g.account, g.region, g.lease_token, due.due_at, g.looked_at, g.round_at, g.cursor",
        )
        .bind(now)
        .bind(lease_token)
        .bind(lease_seconds)
        .fetch_optional(&self.workers)
        .await?;
        Ok(lease)
    }

    /// The caches to follow in the group: those in motion, and those that have expired.
    pub async fn followed(&self, group: &TrackerGroup, now: Instant) -> Result<Vec<TrackedCache>, StoreError> {
        let found = sqlx::query_as(sql!(
            "SELECT eci_cache_id, status, cardinality(images) AS images,
                 COALESCE((spec ->> 'flash')::boolean, false) AS flash,
                 CASE WHEN status = 'deleting' THEN updated_at
                      ELSE COALESCE((evidence ->> 'accepted_at')::timestamptz, created_at) END AS begun_at,
                 -- An update to 19 tags or more has taken the bucket's tag away.
                 CASE WHEN (SELECT count(*) FROM jsonb_object_keys(COALESCE(spec -> 'tags', '{{}}'))) <= 18
                      THEN poll_bucket END AS bucket
             FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
               AND (status IN ({IN_MOTION})
                    OR (status IN ({AT_REST}) AND expires_at <= $3 AND gone_at IS NULL))"
        ))
        .bind(&group.account)
        .bind(&group.region)
        .bind(now)
        .fetch_all(&self.workers)
        .await?;
        Ok(found)
    }

    /// How many caches of the group the cloud may list, which is what a full list would cost.
    pub async fn caches_known(&self, group: &TrackerGroup) -> Result<i64, StoreError> {
        let known = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
               AND gone_at IS NULL AND status NOT IN ({ENDED})"
        ))
        .bind(&group.account)
        .bind(&group.region)
        .fetch_one(&self.workers)
        .await?;
        Ok(known)
    }

    /// How many caches of the group the cloud may list under each of these buckets.
    pub async fn bucket_sizes(
        &self,
        group: &TrackerGroup,
        buckets: &[&str],
    ) -> Result<BTreeMap<String, usize>, StoreError> {
        let sizes: Vec<(String, i64)> = sqlx::query_as(sql!(
            "SELECT poll_bucket, count(*) FROM image_caches WHERE account = $1 AND region = $2
               AND poll_bucket = ANY ($3)
               AND status NOT IN ({ENDED}) GROUP BY poll_bucket"
        ))
        .bind(&group.account)
        .bind(&group.region)
        .bind(buckets)
        .fetch_all(&self.workers)
        .await?;
        Ok(sizes.into_iter().map(|(bucket, size)| (bucket, usize::try_from(size).unwrap_or(0))).collect())
    }

    /// The current rows of those seen caches that differ from what was seen in anything worth writing. For all others
    /// it reads only what is compared, and it writes nothing.
    pub async fn moved_on(&self, group: &TrackerGroup, seen: &[&Observation]) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM UNNEST($3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::timestamptz[])
                 AS s (id, status, progress, container_group, snapshot, flash, expires_at, matched_at)
             JOIN image_caches c ON c.account = $1 AND c.region = $2 AND c.eci_cache_id = s.id
             WHERE c.status NOT IN ({ENDED})
               AND (c.provider_status IS DISTINCT FROM s.status OR c.misses > 0
                   -- Not believed yet: the old build's Ready counts after a while, though nothing changes at the cloud.
                   OR (c.status <> 'deleting'
                       AND c.status <> CASE s.status WHEN 'UpdateFailed' THEN 'update_failed' ELSE lower(s.status) END)
                   OR (c.progress_percent IS NULL) <> (s.progress IS NULL)
                   OR abs(c.progress_percent - s.progress) >= $11 OR (c.progress_percent >= 100) <> (s.progress >= 100)
                   OR c.container_group_id IS DISTINCT FROM COALESCE(s.container_group, c.container_group_id)
                   OR c.snapshot_id IS DISTINCT FROM COALESCE(s.snapshot, c.snapshot_id)
                   OR c.flash_snapshot_id IS DISTINCT FROM s.flash OR c.expires_at IS DISTINCT FROM s.expires_at
                   OR c.last_matched_at IS DISTINCT FROM COALESCE(s.matched_at, c.last_matched_at))",
            ImageCacheRow::columns("c")
        );
        let rows: Vec<ImageCacheRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(&group.account)
            .bind(&group.region)
            .bind(seen.iter().map(|seen| seen.eci_cache_id.as_str()).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.status.as_str()).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.progress_percent).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.container_group_id.as_deref()).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.snapshot_id.as_deref()).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.flash_snapshot_id.as_deref()).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.expires_at).collect::<Vec<_>>())
            .bind(seen.iter().map(|seen| seen.last_matched_at).collect::<Vec<_>>())
            .bind(PROGRESS_STEP)
            .fetch_all(&self.workers)
            .await?;
        Ok(readable(rows))
    }

    /// The group's caches with these cloud ids, as whole rows.
    pub async fn caches_of_group(&self, group: &TrackerGroup, ids: &[&str]) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM image_caches c WHERE account = $1 AND region = $2 AND eci_cache_id = ANY ($3) ORDER BY id",
            ImageCacheRow::columns("c")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&group.account).bind(&group.region).bind(ids);
        let rows: Vec<ImageCacheRow> = query.fetch_all(&self.workers).await?;
        Ok(readable(rows))
    }

    /// How long builds of each class took in the group.
    pub async fn histories(&self, group: &TrackerGroup) -> Result<BTreeMap<String, History>, StoreError> {
        let rows: Vec<(String, Vec<i32>)> =
            sqlx::query_as("SELECT class, counts FROM build_history WHERE account = $1 AND region = $2")
                .bind(&group.account)
                .bind(&group.region)
                .fetch_all(&self.workers)
                .await?;
        Ok(rows.into_iter().map(|(class, counts)| (class, History::from_counts(&counts))).collect())
    }

    /// Stores a class's history. Only the group's holder writes it, so it adds to what it read.
    pub async fn put_history(&self, group: &TrackerGroup, class: &str, history: &History) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO build_history (account, region, class, counts) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account, region, class) DO UPDATE SET counts = EXCLUDED.counts",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(class)
        .bind(history.to_counts())
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// Renews the lease of a group from now on. `false` if it is no longer held.
    pub async fn renew_group(&self, lease: &GroupLease, lease_seconds: f64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE tracker_groups SET lease_until = clock_timestamp() + make_interval(secs => $4)
             WHERE account = $1 AND region = $2 AND lease_token = $3 AND lease_until > clock_timestamp()",
        )
        .bind(&lease.group.account)
        .bind(&lease.group.region)
        .bind(lease.lease_token)
        .bind(lease_seconds)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Releases the group, due again at `rest.due_at`, or earlier if somebody woke it for an earlier time in the
    /// meantime.
    pub async fn release_group(&self, lease: &GroupLease, rest: &GroupRelease) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tracker_groups SET lease_token = NULL, lease_until = NULL, due_at = LEAST(due_at, $4),
                 looked_at = $5, round_at = $6, cursor = $7
             WHERE account = $1 AND region = $2 AND lease_token = $3 AND lease_until > clock_timestamp()",
        )
        .bind(&lease.group.account)
        .bind(&lease.group.region)
        .bind(lease.lease_token)
        .bind(rest.due_at)
        .bind(rest.looked_at)
        .bind(rest.round_at)
        .bind(&rest.cursor)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
