//! Image caches as they are shown: the JSON stored beside the row if it belongs to the row's version, otherwise the
//! row.
//!
//! What must stay true: the team is in the join; stored JSON is used only for the exact version that it was rendered
//! from, so that whoever changes a row need not know of it; a read sees what was committed before it was requested.
//! Reads of one image cache share a statement with all others that are waiting ([`crate::store::batch`]), on
//! connections of their own.
//!
//! `app::image_caches::renderer` calls it, and renders the JSON.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::image_caches::narrow_list;
use crate::domain::filter::CacheFilter;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::store::batch::{BatchWork, Batches};
use crate::store::database::pool::Pool;
use crate::store::rows::ImageCacheRow;
use crate::store::{Store, StoreError, unreadable};

/// The most reads that wait: more than the number of requests that are ever worked on at once.
const QUEUE: usize = 16_384;

/// One image cache, as JSON or as its row.
#[derive(Debug, Clone)]
pub enum RenderedCache {
    /// The stored JSON.
    Kept {
        /// The image cache's id.
        id: CacheId,
        /// The version of the row.
        version: i64,
        /// The image cache as JSON.
        text: String,
    },
    /// Not rendered since the row changed.
    Row(Box<ImageCache>),
}

/// The JSON of one version of an image cache.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// The team that owns the image cache.
    pub team: TeamId,
    /// The image cache's id.
    pub id: CacheId,
    /// The version that was rendered.
    pub version: i64,
    /// The image cache as JSON.
    pub text: String,
}

/// The queue of single reads.
pub(in crate::store) type HotReads = Batches<RenderedWork>;

/// Reads image caches by team and id.
pub(in crate::store) struct RenderedWork(Pool);

/// One image cache to read, and the form in which its JSON is wanted.
pub(in crate::store) struct RenderedKey {
    team: TeamId,
    id: CacheId,
    form: i32,
}

/// Starts the single reads on a pool of their own, with a worker for each connection.
pub(in crate::store) fn start(pool: Pool, connections: u32) -> HotReads {
    Batches::start(RenderedWork(pool), connections as usize, QUEUE)
}

impl BatchWork for RenderedWork {
    type Item = RenderedKey;
    type Done = Option<RenderedCache>;

    async fn all(&self, wanted: &[RenderedKey]) -> Result<Vec<Option<RenderedCache>>, StoreError> {
        let rows = self.0.repeated(|_| self.rows(wanted)).await?;
        let mut found: Vec<Option<RenderedCache>> = wanted.iter().map(|_| None).collect();
        for row in rows {
            let place: i64 = row.try_get(4)?;
            let place = usize::try_from(place - 1).ok().and_then(|place| found.get_mut(place));
            let place = place.ok_or_else(not_asked_for)?;
            *place = Some(rendered(&row)?);
        }
        Ok(found)
    }
}

impl RenderedWork {
    async fn rows(&self, wanted: &[RenderedKey]) -> Result<Vec<PgRow>, StoreError> {
        // All reads of one process want the same form.
        let mut query = select(wanted.first().map_or(0, |wanted| wanted.form));
        let teams: Vec<&str> = wanted.iter().map(|wanted| wanted.team.as_str()).collect();
        let ids: Vec<Uuid> = wanted.iter().map(|wanted| wanted.id.uuid()).collect();
        query.push(", w.place FROM unnest(").push_bind(teams).push("::text[], ").push_bind(ids);
        query.push(
            "::uuid[]) WITH ORDINALITY AS w (team, id, place) JOIN image_caches c ON c.team = w.team AND c.id = w.id",
        );
        let mut connection = self.0.acquire().await?;
        Ok(query.build().fetch_all(connection.unbounded()).await?)
    }
}

/// The columns of each row: id and version; the stored JSON, if valid; otherwise the row itself.
fn select(form: i32) -> QueryBuilder<Postgres> {
    // Our own number, and the same for everything that this binary asks, so it need not be a parameter.
    let counts = format!("c.rendered IS NOT NULL AND c.rendered_version = c.version AND c.rendered_form = {form}");
    let mut query = QueryBuilder::new("SELECT c.id, c.version, CASE WHEN ");
    query
        .push(&counts)
        .push(" THEN c.rendered END, CASE WHEN ")
        .push(&counts)
        .push(" THEN NULL ELSE row_to_json(c) END");
    query
}

fn rendered(row: &PgRow) -> Result<RenderedCache, StoreError> {
    let whole: Option<Json<ImageCacheRow>> = row.try_get(3)?;
    if let Some(Json(whole)) = whole {
        return Ok(RenderedCache::Row(Box::new(whole.try_into()?)));
    }
    let id: Uuid = row.try_get(0)?;
    Ok(RenderedCache::Kept { id: id.into(), version: row.try_get(1)?, text: row.try_get(2)? })
}

fn not_asked_for() -> StoreError {
    StoreError::Unreadable { table: "image_caches", column: "place", detail: "a row that was not asked for".into() }
}

impl RenderedCache {
    /// The image cache's id.
    pub fn id(&self) -> CacheId {
        match self {
            Self::Kept { id, .. } => *id,
            Self::Row(cache) => cache.id,
        }
    }
}

impl Store {
    /// One image cache of the team, as JSON if it is stored in `form`.
    pub async fn rendered_image_cache(
        &self,
        team: &TeamId,
        id: CacheId,
        form: i32,
    ) -> Result<Option<RenderedCache>, StoreError> {
        self.hot.ask(RenderedKey { team: team.clone(), id, form }).await
    }

    /// Up to `limit` image caches of the team, newest first, older than `before`.
    pub async fn rendered_image_caches(
        &self,
        team: &TeamId,
        filter: &CacheFilter,
        before: Option<Uuid>,
        limit: i64,
        form: i32,
    ) -> Result<Vec<RenderedCache>, StoreError> {
        let read = |place: Option<Uuid>, wanted: i64| async move {
            let before = place.or(before);
            self.requests.repeated(|_| self.listed(team, filter, before, wanted, form)).await
        };
        let convert = |(id, row): (Uuid, PgRow)| unreadable::read(id.to_string(), rendered(&row));
        unreadable::filled(limit, read, |(id, _)| *id, convert).await
    }

    async fn listed(
        &self,
        team: &TeamId,
        filter: &CacheFilter,
        before: Option<Uuid>,
        limit: i64,
        form: i32,
    ) -> Result<Vec<(Uuid, PgRow)>, StoreError> {
        let mut query = select(form);
        query.push(" FROM image_caches c");
        narrow_list(&mut query, team, filter, before, limit);
        let mut connection = self.requests.acquire().await?;
        let rows = query.build().fetch_all(connection.unbounded()).await?;
        Ok(rows.into_iter().map(|row| Ok((row.try_get(0)?, row))).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Stores renderings, for rows that have not changed since and that nobody is changing.
    pub async fn keep_renderings(&self, rendered: &[Rendering], form: i32) -> Result<(), StoreError> {
        let teams: Vec<&str> = rendered.iter().map(|one| one.team.as_str()).collect();
        let ids: Vec<Uuid> = rendered.iter().map(|one| one.id.uuid()).collect();
        let versions: Vec<i64> = rendered.iter().map(|one| one.version).collect();
        let texts: Vec<&str> = rendered.iter().map(|one| one.text.as_str()).collect();
        // It waits for no lock, so it cannot deadlock.
        sqlx::query(
            "WITH free AS (
                 SELECT c.id, n.version, n.text
                 FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[]) AS n (team, id, version, text)
                 JOIN image_caches c ON c.team = n.team AND c.id = n.id AND c.version = n.version
                 WHERE (c.rendered_version, c.rendered_form) IS DISTINCT FROM (n.version, $5)
                 FOR NO KEY UPDATE OF c SKIP LOCKED)
             UPDATE image_caches c SET rendered = free.text, rendered_version = free.version, rendered_form = $5
             FROM free WHERE c.id = free.id",
        )
        .bind(teams)
        .bind(ids)
        .bind(versions)
        .bind(texts)
        .bind(form)
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
