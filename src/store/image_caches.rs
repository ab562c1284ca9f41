//! Reads of one team's image caches.

use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{ImageCacheRow, jsonb};
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::filter::CacheFilter;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;
use crate::domain::status::Status;

impl Store {
    /// One image cache of the team.
    pub async fn image_cache(&self, team: &TeamId, id: CacheId) -> Result<Option<ImageCache>, Error> {
        let row: Option<ImageCacheRow> = sqlx::query_as("SELECT * FROM image_caches WHERE team = $1 AND id = $2")
            .bind(team.as_str())
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Up to `limit` image caches of the team, newest first, older than `before`.
    pub async fn image_caches(
        &self,
        team: &TeamId,
        filter: &CacheFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ImageCache>, Error> {
        let statuses = statuses(filter);
        let (tag_keys, tag_values): (Vec<_>, Vec<_>) = filter.tags.iter().cloned().unzip();
        let rows: Vec<ImageCacheRow> = sqlx::query_as(
            "SELECT * FROM image_caches
             WHERE team = $1 AND ($2::uuid IS NULL OR id < $2) AND status = ANY ($3)
               AND ($4::text IS NULL OR region = $4) AND ($5::text IS NULL OR name = $5)
               AND ($6::text IS NULL OR images @> ARRAY[$6]) AND ($7::text IS NULL OR eci_cache_id = $7)
               AND NOT EXISTS (SELECT FROM unnest($8::text[], $9::text[]) AS wanted (key, value)
                   WHERE ((spec -> 'tags') ? key AND (value IS NULL OR spec -> 'tags' ->> key = value)) IS NOT TRUE)
               AND ($10::timestamptz IS NULL OR created_at >= $10) AND ($11::timestamptz IS NULL OR created_at < $11)
               AND ($12::timestamptz IS NULL OR expires_at >= $12) AND ($13::timestamptz IS NULL OR expires_at < $13)
               AND ($14::timestamptz IS NULL OR COALESCE(last_matched_at, ready_at) < $14)
               AND ($15::text IS NULL OR snapshot_id = $15)
               AND ($16::text IS NULL OR spec ->> 'resource_group_id' = $16)
               -- No LIKE: the text means itself. No image holds a line break, so none is found across two.
               AND ($17::text IS NULL OR position(lower($17) in lower(name)) > 0
                    OR position(lower($17) in lower(array_to_string(images, E'\\n'))) > 0)
             ORDER BY id DESC LIMIT $18",
        )
        .bind(team.as_str())
        .bind(before)
        .bind(statuses)
        .bind(filter.region.as_ref().map(Region::as_str))
        .bind(&filter.name)
        .bind(&filter.image)
        .bind(&filter.eci_cache_id)
        .bind(tag_keys)
        .bind(tag_values)
        .bind(filter.created_after)
        .bind(filter.created_before)
        .bind(filter.expires_after)
        .bind(filter.expires_before)
        .bind(filter.idle_since)
        .bind(&filter.snapshot_id)
        .bind(&filter.resource_group_id)
        .bind(&filter.text)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Up to `limit` image caches of the team that still exist: those of `region` first, then the newest. Their
    /// `provider` is left out.
    pub async fn matchable_caches(&self, team: &TeamId, region: &Region, limit: i64) -> Result<Vec<ImageCache>, Error> {
        // Without the cloud's own object: it is the bulk of a row, and nothing is matched by it.
        let rows: Vec<ImageCacheRow> = sqlx::query_as(
            "SELECT id, team, account, spec, status, provider_status, generation, version, sequence, operation,
                 eci_cache_id, container_group_id, snapshot_id, flash_snapshot_id, progress_percent, failure, evidence,
                 misses, created_at, updated_at, ready_at, expires_at, last_matched_at, NULL::jsonb AS provider
             FROM image_caches WHERE team = $1 AND status NOT IN ('deleting', 'deleted', 'expired', 'lost')
             ORDER BY (region = $2) DESC, id DESC LIMIT $3",
        )
        .bind(team.as_str())
        .bind(region.as_str())
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

/// What is asked for, or everything that may still exist.
fn statuses(filter: &CacheFilter) -> Vec<&'static str> {
    let asked = if filter.statuses.is_empty() { &Status::ALL[..] } else { &filter.statuses[..] };
    let all = !filter.statuses.is_empty();
    asked.iter().filter(|status| all || !status.is_final()).map(|status| status.as_str()).collect()
}

/// Writes a new image cache.
pub(super) async fn insert(connection: &mut PgConnection, cache: &ImageCache) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
             operation, evidence, misses, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $14)",
    )
    .bind(cache.id.uuid())
    .bind(cache.team.as_str())
    .bind(&cache.account)
    .bind(cache.spec.region.as_str())
    .bind(&cache.spec.name)
    .bind(&cache.spec.images)
    .bind(jsonb(&cache.spec))
    .bind(cache.status.as_str())
    .bind(cache.generation)
    .bind(cache.version)
    .bind(cache.sequence)
    .bind(cache.operation.uuid())
    .bind(jsonb(&cache.evidence))
    .bind(cache.created_at)
    .execute(connection)
    .await?;
    Ok(())
}
