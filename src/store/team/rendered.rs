//! Image caches as they are shown: the JSON that is kept beside the row where it is of the row's version, else the row.
//!
//! What must stay true: the team is in the join; what is kept counts only for the very version that it was made of, so
//! whoever changes a row need not know of it; a read sees what was committed before it was asked for. Reads of one
//! image cache share a statement with all others that wait ([`crate::store::batch`]), on connections of their own.
//!
//! Who calls it: `app`'s rendering. What it does not do: make the JSON; that is `app`'s view.

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

/// Most reads that wait. More than any number of requests that are worked for at once.
const QUEUE: usize = 16_384;

/// One image cache.
#[derive(Debug, Clone)]
pub enum RenderedCache {
    /// As it was rendered.
    Kept {
        /// Ours.
        id: CacheId,
        /// Of the row.
        version: i64,
        /// JSON.
        text: String,
    },
    /// Not rendered since it changed.
    Row(Box<ImageCache>),
}

/// What was rendered of one version of an image cache.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// Whose.
    pub team: TeamId,
    /// Which.
    pub id: CacheId,
    /// Of which version.
    pub version: i64,
    /// JSON.
    pub text: String,
}

/// The handle of the hot reads.
pub(in crate::store) type HotReads = Batches<RenderedWork>;

/// Reads image caches by team and id.
pub(in crate::store) struct RenderedWork(Pool);

/// One of them, and in which form it is wanted.
pub(in crate::store) struct RenderedKey {
    team: TeamId,
    id: CacheId,
    form: i32,
}

/// Starts the hot reads on a pool of their own, with a worker for each connection.
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
        // Of one process all are in the same form.
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

/// What a statement gives of each row: its id and version; what is kept, if it counts; else the row itself.
fn select(form: i32) -> QueryBuilder<Postgres> {
    // A number of ours, and the same for all that this binary asks: no value to be bound.
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
    /// Ours.
    pub fn id(&self) -> CacheId {
        match self {
            Self::Kept { id, .. } => *id,
            Self::Row(cache) => cache.id,
        }
    }
}

impl Store {
    /// One image cache of the team, in `form` where it is kept in that.
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

    /// Keeps what was rendered, for those that have not changed since and that nobody is changing.
    pub async fn keep_renderings(&self, rendered: &[Rendering], form: i32) -> Result<(), StoreError> {
        let teams: Vec<&str> = rendered.iter().map(|one| one.team.as_str()).collect();
        let ids: Vec<Uuid> = rendered.iter().map(|one| one.id.uuid()).collect();
        let versions: Vec<i64> = rendered.iter().map(|one| one.version).collect();
        let texts: Vec<&str> = rendered.iter().map(|one| one.text.as_str()).collect();
        // It waits for nobody's lock, so it is in no deadlock.
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
