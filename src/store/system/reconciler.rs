//! The database side of comparing the cloud with the rows, one (account, region) at a time: the schedule, and the rows
//! that differ.
//!
//! What must stay true: a list is compared in one statement, and only rows that may differ are returned; the statement
//! may return rows that do not differ (`domain::reconcile` judges), but must never miss one; nothing is written for
//! what did not change.
//!
//! `app::reconciler` calls it. Caches that no row knows are in [`super::unmanaged`].

use std::sync::LazyLock;

use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::tracker::TrackerGroup;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;
use crate::store::input::CacheWrite;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::readable;
use crate::store::words::{AT_REST, ENDED, OVER};
use crate::store::writes::changes;
use crate::store::writes::tracker_wake;
use crate::store::{Store, StoreError};

/// Rows at rest that the cloud may still have: as in [`crate::domain::reconcile::verdict::Facts::is_at_rest`], and
/// nobody is changing them now.
static RESTING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "c.account = $1 AND c.region = $2 AND c.eci_cache_id IS NOT NULL AND c.gone_at IS NULL
    AND c.status IN ({AT_REST})
    AND NOT EXISTS (SELECT FROM operations o WHERE o.image_cache = c.id AND o.state NOT IN ({OVER}))"
    )
});

/// A group that this worker has leased.
#[derive(Debug, Clone, FromRow)]
pub struct ReconcileLease {
    /// The account and region.
    #[sqlx(flatten)]
    pub group: TrackerGroup,
    /// The lease token, which guards the release.
    pub lease_token: Uuid,
    /// When the whole list is to be read.
    pub list_at: Instant,
    /// How many caches the last whole list had.
    pub listed: i64,
}

/// A whole list that was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedList {
    /// When it was read.
    pub at: Instant,
    /// How many caches it had.
    pub listed: i64,
    /// When to read the next list.
    pub next_at: Instant,
}

impl Store {
    /// Claims the group that has been due for longest and that nobody holds, or whose holder died. Groups that the
    /// tracker knows, and those in `known` (account and region), are added automatically and due at once.
    pub async fn claim_reconciliation(
        &self,
        known: &[(String, Region)],
        now: Instant,
        lease_token: Uuid,
        lease_seconds: f64,
    ) -> Result<Option<ReconcileLease>, StoreError> {
        let (accounts, regions): (Vec<&str>, Vec<&str>) =
            known.iter().map(|(account, region)| (account.as_str(), region.as_str())).unzip();
        sqlx::query(
            "INSERT INTO reconcile_groups (account, region, due_at, list_at, since)
             SELECT account, region, $1, $1, $1 FROM (
                 SELECT account, region FROM tracker_groups
                 UNION SELECT * FROM unnest($2::text[], $3::text[])) AS known
             WHERE NOT EXISTS (SELECT FROM reconcile_groups g WHERE (g.account, g.region) = (known.account, known.region))
             ON CONFLICT DO NOTHING",
        )
        .bind(now)
        .bind(accounts)
        .bind(regions)
        .execute(&self.workers)
        .await?;
        let lease = sqlx::query_as(
            "UPDATE reconcile_groups SET lease_token = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
             WHERE (account, region) = (SELECT account, region FROM reconcile_groups
                 WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING account, region, lease_token, list_at, listed",
        )
        .bind(now)
        .bind(lease_token)
        .bind(lease_seconds)
        .fetch_optional(&self.workers)
        .await?;
        Ok(lease)
    }

    /// Extends the lease of the group. `false` if somebody else has it by now.
    pub async fn hold_reconciliation(&self, lease: &ReconcileLease, lease_seconds: f64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE reconcile_groups SET lease_until = clock_timestamp() + make_interval(secs => $4)
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

    /// Releases the group, due again at `due_at`; `list` is the whole list that was compared, if there was one.
    pub async fn release_reconciliation(
        &self,
        lease: &ReconcileLease,
        due_at: Instant,
        list: Option<ComparedList>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE reconcile_groups SET lease_token = NULL, lease_until = NULL, due_at = $4,
                 completed_at = COALESCE($5, completed_at), listed = COALESCE($6, listed), list_at = COALESCE($7, list_at)
             WHERE account = $1 AND region = $2 AND lease_token = $3",
        )
        .bind(&lease.group.account)
        .bind(&lease.group.region)
        .bind(lease.lease_token)
        .bind(due_at)
        .bind(list.map(|list| list.at))
        .bind(list.map(|list| list.listed))
        .bind(list.map(|list| list.next_at))
        .execute(&self.workers)
        .await?;
        Ok(())
    }

    /// When the group that has waited longest was last compared as a whole, or when it was added if it never was.
    /// `None` if there is no group.
    pub async fn oldest_reconciliation(&self) -> Result<Option<Instant>, StoreError> {
        let oldest = sqlx::query_scalar("SELECT min(COALESCE(completed_at, since)) FROM reconcile_groups");
        Ok(oldest.fetch_one(&self.workers).await?)
    }

    /// The group's rows at rest that may differ from what the cloud shows: `seen` is a list of objects, as
    /// `app::reconciler` makes them.
    pub async fn differing(&self, group: &TrackerGroup, seen: &Value) -> Result<Vec<ImageCache>, StoreError> {
        let (columns, resting) = (ImageCacheRow::columns("c"), &*RESTING);
        // A normal row costs a join and a dozen comparisons; rows with a noted difference are judged again every time.
        let sql = format!(
            "SELECT {columns}
             FROM jsonb_to_recordset($3) AS s(id text, status text, name text, images jsonb, size_gib integer, tags jsonb,
                 resource_group_id text, elimination_strategy text, expires_at timestamptz,
                 last_matched_at timestamptz, snapshot_id text, flash_snapshot_id text)
             JOIN image_caches c ON c.eci_cache_id = s.id
             WHERE {resting} AND (c.drift IS NOT NULL OR c.misses > 0
                 OR c.provider_status IS DISTINCT FROM s.status OR c.expires_at IS DISTINCT FROM s.expires_at
                 OR (s.last_matched_at IS NOT NULL AND s.last_matched_at IS DISTINCT FROM c.last_matched_at)
                 OR (s.snapshot_id IS NOT NULL AND s.snapshot_id IS DISTINCT FROM c.snapshot_id)
                 OR s.flash_snapshot_id IS DISTINCT FROM c.flash_snapshot_id
                 OR (c.status = 'ready' AND (s.status <> 'Ready' OR c.name <> s.name
                     OR NOT (to_jsonb(c.images) @> s.images AND s.images @> to_jsonb(c.images))
                     OR (c.spec ->> 'size_gib')::integer <> s.size_gib
                     OR COALESCE(c.spec -> 'tags', '{{}}') <> s.tags
                     OR (c.spec ->> 'resource_group_id') <> COALESCE(s.resource_group_id, '')
                     OR COALESCE(c.spec ->> 'elimination_strategy', 'keep') <> s.elimination_strategy)))
             ORDER BY c.id"
        );
        self.rest(sql, group, |query| query.bind(seen)).await
    }

    /// The group's rows that have ended, have not changed since `before`, and are listed by the cloud.
    pub async fn ended_and_listed(
        &self,
        group: &TrackerGroup,
        ids: &[String],
        before: Instant,
        limit: i64,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let columns = ImageCacheRow::columns("c");
        let sql = format!(
            "SELECT {columns} FROM unnest($3::text[]) AS s(id)
             JOIN image_caches c ON (c.account, c.region, c.eci_cache_id) = ($1, $2, s.id)
             WHERE (c.status IN ({ENDED}) OR c.gone_at IS NOT NULL) AND c.updated_at <= $4
               AND NOT EXISTS (SELECT FROM operations o
                   WHERE o.image_cache = c.id AND o.state NOT IN ({OVER}))
             ORDER BY c.id LIMIT $5"
        );
        self.rest(sql, group, |query| query.bind(ids).bind(before).bind(limit)).await
    }

    /// The group's rows at rest that are not among `ids`, have not changed since `before`, and were not missed before.
    pub async fn unlisted(
        &self,
        group: &TrackerGroup,
        ids: &[String],
        before: Instant,
        limit: i64,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let (columns, resting) = (ImageCacheRow::columns("c"), &*RESTING);
        let sql = format!(
            "WITH absent AS MATERIALIZED (
                 -- By the index of what is at rest, and hashed: neither the pages of the table nor 5,000 times 5,000.
                 SELECT eci_cache_id FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
                   AND gone_at IS NULL AND status IN ({AT_REST})
                   AND eci_cache_id NOT IN (SELECT unnest($3::text[])))
             SELECT {columns} FROM absent JOIN image_caches c ON c.eci_cache_id = absent.eci_cache_id
             WHERE {resting} AND c.misses = 0 AND c.updated_at <= $4 LIMIT $5"
        );
        self.rest(sql, group, |query| query.bind(ids).bind(before).bind(limit)).await
    }

    /// The group's rows at rest that one lookup did not find, not looked up since `before`.
    pub async fn missed_once(
        &self,
        group: &TrackerGroup,
        before: Instant,
        limit: i64,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let (columns, resting) = (ImageCacheRow::columns("c"), &*RESTING);
        let sql = format!(
            "SELECT {columns} FROM image_caches c WHERE {resting} AND c.misses > 0 AND c.updated_at <= $3
             ORDER BY c.updated_at LIMIT $4"
        );
        self.rest(sql, group, |query| query.bind(before).bind(limit)).await
    }

    /// Whether a row at rest of the group waits for its second lookup.
    pub async fn any_missed(&self, group: &TrackerGroup) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT FROM image_caches c WHERE {} AND c.misses > 0)", *RESTING);
        let any = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        Ok(any.fetch_one(&self.workers).await?)
    }

    /// The group's rows that expire after `now` but not after `until`, and for which no warning was sent.
    pub async fn expiring(
        &self,
        group: &TrackerGroup,
        now: Instant,
        until: Instant,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let (columns, resting) = (ImageCacheRow::columns("c"), &*RESTING);
        let sql = format!(
            "SELECT {columns} FROM image_caches c WHERE {resting} AND c.expires_at > $3 AND c.expires_at <= $4
               AND c.status IN ('ready', 'update_failed') AND c.expiry_told IS DISTINCT FROM c.expires_at ORDER BY c.id"
        );
        self.rest(sql, group, |query| query.bind(now).bind(until)).await
    }

    async fn rest<'q>(
        &self,
        sql: String,
        group: &'q TrackerGroup,
        bind: impl FnOnce(RowQuery<'q>) -> RowQuery<'q>,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        let rows: Vec<ImageCacheRow> = bind(query).fetch_all(&self.workers).await?;
        Ok(readable(rows))
    }

    /// Writes a finding; `follow` is when the tracker should poll, if there is something to follow. `false` if the row
    /// has changed; nothing was written then.
    pub async fn write_finding(&self, write: &CacheWrite, follow: Option<Instant>) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !changes::apply(&mut transaction, &self.stamp, write).await? {
            return Ok(false);
        }
        if let Some(at) = follow {
            tracker_wake::wake(&mut transaction, &write.next, at).await?;
        }
        transaction.commit().await?;
        write.committed();
        Ok(true)
    }
}

type RowQuery<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, ImageCacheRow, sqlx::postgres::PgArguments>;
