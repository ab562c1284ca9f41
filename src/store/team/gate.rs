//! Queries of the gate for pipelines: caches that may hold an image, and how long builds take.

use chrono::Duration;
use sqlx::AssertSqlSafe;

use crate::domain::identity::caller::TeamId;
use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::readable;
use crate::store::words::ENDED;
use crate::store::{Store, StoreError};

/// The fewest builds from which a usual duration is computed.
const FEWEST_BUILDS: i64 = 3;
/// How many of the newest builds are looked at.
const BUILDS: i64 = 50;

impl Store {
    /// Up to `limit` image caches of the team in the region that still exist and have an image whose reference contains
    /// this text, newest first. Every spelling of an image contains the last part of its repository, so searching for
    /// that misses none.
    pub async fn caches_naming(
        &self,
        team: &TeamId,
        region: &Region,
        text: &str,
        limit: i64,
    ) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM image_caches c WHERE team = $1 AND region = $2 AND status NOT IN ({ENDED})
                 AND status <> 'deleting'
               AND position($3 in array_to_string(images, E'\\n')) > 0
             ORDER BY id DESC LIMIT $4",
            ImageCacheRow::columns("c")
        );
        let rows: Vec<ImageCacheRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .bind(text)
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        Ok(readable(rows))
    }

    /// The median duration of the team's newest builds in the region; `None` if there are too few.
    pub async fn usual_build(&self, team: &TeamId, region: &Region) -> Result<Option<Duration>, StoreError> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT CASE WHEN count(*) >= $3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY took) END
             FROM (SELECT extract(epoch FROM ready_at - COALESCE((evidence ->> 'accepted_at')::timestamptz, created_at))
                       ::double precision AS took
                   FROM image_caches WHERE team = $1 AND region = $2 AND ready_at IS NOT NULL
                   ORDER BY id DESC LIMIT $4) AS builds",
        )
        .bind(team.as_str())
        .bind(region.as_str())
        .bind(FEWEST_BUILDS)
        .bind(BUILDS)
        .fetch_one(&self.requests)
        .await?;
        Ok(seconds
            .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
            .and_then(|took| Duration::from_std(took).ok()))
    }
}
