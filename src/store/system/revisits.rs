//! Caches that vanished a short while ago, and until when the lookups of them have been carried out.
//!
//! `app::reconciler` calls it. `domain::reconcile::pace` decides when they are looked up.

use sqlx::AssertSqlSafe;

use super::reconciler::ReconcileLease;
use super::tracker::TrackerGroup;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::store::columns::sql;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::readable;
use crate::store::words::{OVER, VANISHED};
use crate::store::{Store, StoreError};

impl Store {
    /// The group's caches that vanished after `after` and that nobody is changing, the newest first.
    pub async fn vanished_after(
        &self,
        group: &TrackerGroup,
        after: Instant,
        limit: i64,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM image_caches c WHERE c.account = $1 AND c.region = $2 AND c.eci_cache_id IS NOT NULL
               AND c.status IN ({VANISHED}) AND c.updated_at > $3
               AND NOT EXISTS (SELECT FROM operations o WHERE o.image_cache = c.id AND o.state NOT IN ({OVER}))
             ORDER BY c.updated_at DESC LIMIT $4",
            ImageCacheRow::columns("c")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        let rows: Vec<ImageCacheRow> = query.bind(after).bind(limit).fetch_all(&self.workers).await?;
        Ok(readable(rows))
    }

    /// When the newest of the group's vanished caches vanished, up to `limit` of them, after `after`.
    pub async fn vanished_at(
        &self,
        group: &TrackerGroup,
        after: Instant,
        limit: i64,
    ) -> Result<Vec<Instant>, StoreError> {
        let times = sqlx::query_scalar(sql!(
            "SELECT updated_at FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id IS NOT NULL
               AND status IN ({VANISHED}) AND updated_at > $3 ORDER BY updated_at DESC LIMIT $4"
        ));
        let times = times.bind(&group.account).bind(&group.region).bind(after).bind(limit);
        Ok(times.fetch_all(&self.workers).await?)
    }

    /// Until when the lookups have been carried out; `None` if none ever were.
    pub async fn revisited_at(&self, group: &TrackerGroup) -> Result<Option<Instant>, StoreError> {
        let at = sqlx::query_scalar("SELECT revisited_at FROM reconcile_groups WHERE account = $1 AND region = $2");
        let at: Option<Option<Instant>> =
            at.bind(&group.account).bind(&group.region).fetch_optional(&self.workers).await?;
        Ok(at.flatten())
    }

    /// Records that all lookups that were due at `at` have been carried out.
    pub async fn note_revisited(&self, lease: &ReconcileLease, at: Instant) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE reconcile_groups SET revisited_at = $4 WHERE account = $1 AND region = $2 AND lease_token = $3",
        )
        .bind(&lease.group.account)
        .bind(&lease.group.region)
        .bind(lease.lease_token)
        .bind(at)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
