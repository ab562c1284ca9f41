//! Reads of one team's image caches.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::filter::CacheFilter;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::DEFAULT_SIZE_GIB;
use crate::domain::matching::WeighedCache;
use crate::domain::region::Region;
use crate::store::columns::{ColumnSet, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::ImageCacheRow;
use crate::store::unreadable::{Keyed, alone, readable};
use crate::store::values::word;
use crate::store::words::ENDED;
use crate::store::{Store, StoreError};

impl Store {
    /// One image cache of the team.
    pub async fn image_cache(&self, team: &TeamId, id: CacheId) -> Result<Option<ImageCache>, StoreError> {
        let sql = format!("SELECT {} FROM image_caches c WHERE team = $1 AND id = $2", ImageCacheRow::columns("c"));
        let row: Option<ImageCacheRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        alone(row)
    }

    /// Up to `limit` image caches of the team that still exist, as candidates for matching: those of `region` first,
    /// then the newest.
    pub async fn matchable_caches(
        &self,
        team: &TeamId,
        region: &Region,
        limit: i64,
    ) -> Result<Vec<WeighedCache>, StoreError> {
        // In two parts, each in the order of its index, so that nothing is sorted and the second is read only if the
        // first was not enough.
        let part = |of: &str| {
            format!(
                "(SELECT id, eci_cache_id, account, name, region, status, (spec ->> 'size_gib')::integer AS size_gib, images,
                     created_at
                 FROM image_caches WHERE team = $1 AND region {of} $2 AND status NOT IN ({ENDED})
                     AND status <> 'deleting'
                 ORDER BY id DESC LIMIT {limit})"
            )
        };
        let sql = format!("{} UNION ALL {} LIMIT {limit}", part("="), part("<>"));
        let rows: Vec<WeighedRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(region.as_str())
            .fetch_all(&self.requests)
            .await?;
        Ok(readable(rows))
    }
}

#[derive(sqlx::FromRow)]
struct WeighedRow {
    id: Uuid,
    eci_cache_id: Option<String>,
    account: String,
    name: String,
    region: String,
    status: String,
    size_gib: Option<i32>,
    images: Vec<String>,
    created_at: Instant,
}

impl Keyed for WeighedRow {
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl TryFrom<WeighedRow> for WeighedCache {
    type Error = StoreError;

    fn try_from(row: WeighedRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            eci_cache_id: row.eci_cache_id,
            account: row.account,
            name: row.name,
            region: word(row.region.parse().ok(), "image_caches", "region")?,
            status: word(row.status.parse().ok(), "image_caches", "status")?,
            size_gib: row.size_gib.unwrap_or(DEFAULT_SIZE_GIB),
            images: WeighedCache::held(&row.images),
            created_at: row.created_at,
        })
    }
}

/// Restricts a list to the team's image caches that it shows: up to `limit`, newest first, older than `before`.
pub(in crate::store) fn narrow_list(
    query: &mut QueryBuilder<Postgres>,
    team: &TeamId,
    filter: &CacheFilter,
    before: Option<Uuid>,
    limit: i64,
) {
    query.push(" WHERE team = ").push_bind(team.to_string());
    if let Some(before) = before {
        query.push(" AND id < ").push_bind(before);
    }
    if filter.statuses.is_empty() {
        // The indexes of a team's image caches contain all but those that have ended.
        query.push(" AND status NOT IN (").push(ENDED).push(")");
    } else {
        let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
        query.push(" AND status = ANY (").push_bind(statuses).push(")");
    }
    narrow(query, filter);
    // As text, so that the planner sees it: with a number that it does not know it would plan each list anew.
    query.push(" ORDER BY id DESC LIMIT ").push(limit);
}

/// Adds only the conditions that were asked for: with all of them, optional, in one statement, the planner misjudged
/// how many rows are left, and sorted all of a team's caches for one page.
fn narrow(query: &mut QueryBuilder<Postgres>, filter: &CacheFilter) {
    // Destructured completely, so that a new filter field that is not used does not compile. Those without a name are
    // handled elsewhere.
    let CacheFilter {
        statuses: _,
        images: _,
        tags: _,
        text: _,
        regions,
        name,
        accounts,
        eci_cache_id,
        snapshot_id,
        resource_group_id,
        created_after,
        created_before,
        expires_after,
        expires_before,
        idle_since,
        drifted,
    } = filter;
    any_of(query, "region", regions.iter().map(Region::as_str));
    any_of(query, "account", accounts.iter().map(String::as_str));
    let texts = [
        (" AND name = ", name.as_deref()),
        (" AND eci_cache_id = ", eci_cache_id.as_deref()),
        (" AND snapshot_id = ", snapshot_id.as_deref()),
        (" AND spec ->> 'resource_group_id' = ", resource_group_id.as_deref()),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            query.push(condition).push_bind(text);
        }
    }
    let times = [
        (" AND created_at >= ", created_after),
        (" AND created_at < ", created_before),
        (" AND expires_at >= ", expires_after),
        (" AND expires_at < ", expires_before),
        (" AND COALESCE(last_matched_at, ready_at) < ", idle_since),
    ];
    for (condition, time) in times {
        if let Some(time) = time {
            query.push(condition).push_bind(time);
        }
    }
    if let Some(drifted) = drifted {
        query.push(if *drifted { " AND drift IS NOT NULL" } else { " AND drift IS NULL" });
    }
    narrow_contents(query, filter);
}

/// One of the values, if there are any. Several are looked for in the order of the list: the index of one would find all
/// rows of each, to be sorted.
fn any_of<'a>(query: &mut QueryBuilder<Postgres>, column: &str, values: impl Iterator<Item = &'a str>) {
    let values: Vec<String> = values.map(str::to_owned).collect();
    if let [only] = values.as_slice() {
        query.push(format_args!(" AND {column} = ")).push_bind(only.clone());
    } else if !values.is_empty() {
        query.push(format_args!(" AND {column} || '' = ANY (")).push_bind(values).push(")");
    }
}

/// Filters by image, tags and free text.
fn narrow_contents(query: &mut QueryBuilder<Postgres>, filter: &CacheFilter) {
    if !filter.images.is_empty() {
        query.push(" AND images && ").push_bind(filter.images.clone());
    }
    for (key, value) in &filter.tags {
        match value {
            Some(value) => query.push(" AND spec -> 'tags' ->> ").push_bind(key).push(" = ").push_bind(value),
            None => query.push(" AND (spec -> 'tags') ? ").push_bind(key),
        };
    }
    if let Some(text) = &filter.text {
        // Not LIKE, because the text is taken literally. No image contains a line break, so nothing is found across two
        // images.
        query.push(" AND (position(lower(").push_bind(text).push(") in lower(name)) > 0 OR position(lower(");
        query.push_bind(text).push(") in lower(array_to_string(images, E'\\n'))) > 0)");
    }
}

static INSERT: LazyLock<String> = LazyLock::new(ImageCacheRow::insert_one);

/// Writes a new image cache.
pub(in crate::store) async fn insert(connection: &mut PooledConnection, cache: &ImageCache) -> Result<(), StoreError> {
    let parameters = StatementParameters::default().one::<ImageCacheRow>(ColumnSet::All, &cache);
    parameters.query(&INSERT)?.execute(connection).await?;
    Ok(())
}
