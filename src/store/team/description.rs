//! Reads of one team's image caches in the cloud's terms and by its filters.

use std::sync::LazyLock;

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::domain::filter::DescribeFilter;
use crate::domain::identity::caller::TeamId;
use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::words::ENDED;
use crate::store::{Store, StoreError};

/// The statuses in which the cloud may still list a cache: it does not have the others.
static LISTED: LazyLock<String> = LazyLock::new(|| {
    format!("eci_cache_id IS NOT NULL AND gone_at IS NULL AND status <> 'deleting' AND status NOT IN ({ENDED})")
});

/// How many image caches a team has in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct TeamUsage {
    /// All that the cloud may still have.
    pub used: i64,
    /// Those of them that are usable.
    pub ready: i64,
}

impl Store {
    /// Up to `limit` caches of the team that the cloud would list too, newest first, older than `before`; and how many
    /// there are on all pages.
    pub async fn described(
        &self,
        team: &TeamId,
        filter: &DescribeFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<ImageCache>, i64), StoreError> {
        let read = |place: Option<Uuid>, wanted: i64| self.described_rows(team, filter, place.or(before), wanted);
        let convert = |row: ImageCacheRow| unreadable::read(row.key(), row.try_into());
        let caches = unreadable::filled(limit, read, ImageCacheRow::id, convert).await?;
        let mut count = narrowed("SELECT count(*)", team, filter);
        let total = count.build_query_scalar().fetch_one(&self.requests).await?;
        Ok((caches, total))
    }

    async fn described_rows(
        &self,
        team: &TeamId,
        filter: &DescribeFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ImageCacheRow>, StoreError> {
        let mut page = narrowed(&format!("SELECT {}", ImageCacheRow::columns("image_caches")), team, filter);
        if let Some(before) = before {
            page.push(" AND id < ").push_bind(before);
        }
        page.push(" ORDER BY id DESC LIMIT ").push(limit);
        Ok(page.build_query_as().fetch_all(&self.requests).await?)
    }

    /// The team's image cache with this cloud id, if the cloud still lists it.
    pub async fn image_cache_of_cloud(
        &self,
        team: &TeamId,
        region: &Region,
        eci_cache_id: &str,
    ) -> Result<Option<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM image_caches c WHERE {} AND team = $1 AND region = $2 AND eci_cache_id = $3",
            ImageCacheRow::columns("c"),
            *LISTED
        );
        let row: Option<ImageCacheRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .bind(eci_cache_id)
            .fetch_optional(&self.requests)
            .await?;
        unreadable::alone(row)
    }

    /// What the team has in a region of an account.
    pub async fn team_usage(&self, team: &TeamId, account: &str, region: &Region) -> Result<TeamUsage, StoreError> {
        let sql = format!(
            "SELECT count(*) AS used, count(*) FILTER (WHERE status = 'ready') AS ready FROM image_caches
             WHERE {} AND team = $1 AND region = $2 AND account = $3",
            *LISTED
        );
        let usage = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .bind(account)
            .fetch_one(&self.requests)
            .await?;
        Ok(usage)
    }
}

/// Selects from the team's caches that pass the filter. Only what is asked for becomes a condition: optional ones in
/// one statement would cost it the plan that a lookup by id, the most common of all, needs.
fn narrowed(selected: &str, team: &TeamId, filter: &DescribeFilter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("{selected} FROM image_caches WHERE {} AND team = ", *LISTED));
    query.push_bind(team.as_str()).push(" AND region = ").push_bind(filter.region.as_str());
    for (condition, text) in [(" AND eci_cache_id = ", &filter.eci_cache_id), (" AND name = ", &filter.name)] {
        if let Some(text) = text {
            query.push(condition).push_bind(text);
        }
    }
    if let Some(snapshot) = &filter.snapshot_id {
        query.push(" AND ").push_bind(snapshot).push(" IN (snapshot_id, flash_snapshot_id)");
    }
    if let Some(group) = &filter.resource_group_id {
        query.push(" AND ").push_bind(group).push(" IN (spec ->> 'resource_group_id', provider ->> 'ResourceGroupId')");
    }
    narrow_contents(&mut query, filter);
    query
}

/// Filters by image and tags. A bare name is the last part of the repository, without tag and digest.
fn narrow_contents(query: &mut QueryBuilder<Postgres>, filter: &DescribeFilter) {
    if let Some(image) = &filter.image {
        query.push(" AND (images @> ARRAY[").push_bind(image).push("] OR EXISTS (SELECT FROM unnest(images) AS image");
        query.push(" WHERE regexp_replace(regexp_replace(image, '(:[^/@:]*)?(@.*)?$', ''), '^.*/', '') = ");
        query.push_bind(image).push("))");
    }
    for (key, value) in &filter.tags {
        match value {
            Some(value) => query.push(" AND spec -> 'tags' ->> ").push_bind(key).push(" = ").push_bind(value),
            None => query.push(" AND (spec -> 'tags') ? ").push_bind(key),
        };
    }
}
