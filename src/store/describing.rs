//! Reads of one team's image caches by the cloud's own names and filters.

use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

use super::rows::ImageCacheRow;
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::filter::DescribeFilter;
use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;

/// What the cloud may still list, by our statuses: it has no word for the others.
const LISTED: &str = "eci_cache_id IS NOT NULL AND status NOT IN ('deleting', 'deleted', 'expired', 'lost')";

/// The filter as SQL: `$1` to `$9`. A bare name is the last part of the repository, without tag and digest.
const FILTER: &str = "team = $1 AND region = $2
    AND ($3::text IS NULL OR eci_cache_id = $3) AND ($4::text IS NULL OR name = $4)
    AND ($5::text IS NULL OR $5 IN (snapshot_id, flash_snapshot_id))
    AND ($6::text IS NULL OR images @> ARRAY[$6] OR EXISTS (SELECT FROM unnest(images) AS image
         WHERE regexp_replace(regexp_replace(image, '(:[^/@:]*)?(@.*)?$', ''), '^.*/', '') = $6))
    AND ($7::text IS NULL OR spec ->> 'resource_group_id' = $7 OR provider ->> 'ResourceGroupId' = $7)
    AND (spec -> 'tags') @> $8::jsonb AND (spec -> 'tags') ?& $9::text[]";

/// How many image caches a team has in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct TeamUsage {
    /// All that the cloud may still have.
    pub used: i64,
    /// Those of them that are usable.
    pub ready: i64,
}

impl Store {
    /// Up to `limit` caches of the team that the cloud lists too, newest first, older than `before`; and how many
    /// there are on all pages.
    pub async fn described(
        &self,
        team: &TeamId,
        filter: &DescribeFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<ImageCache>, i64), Error> {
        let (with_value, any_value): (Vec<_>, Vec<_>) = filter.tags.iter().partition(|(_, value)| value.is_some());
        let pairs: BTreeMap<&str, &str> =
            with_value.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?))).collect();
        let keys: Vec<&str> = any_value.iter().map(|(key, _)| key.as_str()).collect();
        let page = format!(
            "SELECT * FROM image_caches WHERE {LISTED} AND {FILTER} AND ($10::uuid IS NULL OR id < $10)
             ORDER BY id DESC LIMIT $11"
        );
        let rows: Vec<ImageCacheRow> = sqlx::query_as(sqlx::AssertSqlSafe(page))
            .bind(team.as_str())
            .bind(filter.region.as_str())
            .bind(&filter.eci_cache_id)
            .bind(&filter.name)
            .bind(&filter.snapshot_id)
            .bind(&filter.image)
            .bind(&filter.resource_group_id)
            .bind(Json(&pairs))
            .bind(&keys)
            .bind(before)
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        let count = format!("SELECT count(*) FROM image_caches WHERE {LISTED} AND {FILTER}");
        let total = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .bind(team.as_str())
            .bind(filter.region.as_str())
            .bind(&filter.eci_cache_id)
            .bind(&filter.name)
            .bind(&filter.snapshot_id)
            .bind(&filter.image)
            .bind(&filter.resource_group_id)
            .bind(Json(&pairs))
            .bind(&keys)
            .fetch_one(&self.requests)
            .await?;
        let caches = rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok((caches, total))
    }

    /// The team's image cache of this id of the cloud, if the cloud lists it still.
    pub async fn image_cache_of_cloud(
        &self,
        team: &TeamId,
        region: &Region,
        eci_cache_id: &str,
    ) -> Result<Option<ImageCache>, Error> {
        let sql =
            format!("SELECT * FROM image_caches WHERE {LISTED} AND team = $1 AND region = $2 AND eci_cache_id = $3");
        let row: Option<ImageCacheRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .bind(eci_cache_id)
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// What the team has in a region.
    pub async fn team_usage(&self, team: &TeamId, region: &Region) -> Result<TeamUsage, Error> {
        let sql = format!(
            "SELECT count(*) AS used, count(*) FILTER (WHERE status = 'ready') AS ready FROM image_caches
             WHERE {LISTED} AND team = $1 AND region = $2"
        );
        let usage = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .fetch_one(&self.requests)
            .await?;
        Ok(usage)
    }
}
