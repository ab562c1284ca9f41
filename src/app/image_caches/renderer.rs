//! Image caches as JSON for single reads and lists: rendered earlier and stored in the database, or rendered here and
//! stored for the next reader.
//!
//! What must stay true: the answer shows the row as it was read after the request arrived; no request waits for a
//! rendering to be stored, and the number waiting to be stored is bounded; an image cache with a failure is not stored,
//! because its explanation comes from a table in this binary and not from the row alone.
//!
//! The REST API calls it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::app::cursor::{CursorList, id_place, one_more};
use crate::app::image_caches::ImageCaches;
use crate::app::single_flight::Sharing;
use crate::app::view::{IMAGE_CACHE_FORM, ImageCacheView};
use crate::app::{Error, access};
use crate::domain::filter::{CacheFilter, Page};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::store::{self, RenderedCache, Rendering};

/// The most renderings that wait to be stored. Any beyond that are rendered again by the next reader.
const TO_KEEP: usize = 1_024;

/// One image cache as JSON: an [`ImageCacheView`].
#[derive(Debug, Clone)]
pub struct RenderedImageCache {
    /// The version of the row.
    pub version: i64,
    /// The image cache as JSON.
    pub body: String,
}

/// One page of a list as JSON.
#[derive(Debug, Clone)]
pub struct RenderedList {
    /// The page as JSON, shared by all requests that asked at the same time.
    pub body: Arc<[u8]>,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// The lists being read and the renderings to be stored. Nothing here outlives the requests that use it.
#[derive(Debug, Default)]
pub(in crate::app) struct Renderer {
    lists: Sharing<RenderedList, store::StoreError>,
    keeping: Mutex<WriteBack>,
}

/// The renderings to be stored, and whether a task is storing them.
#[derive(Debug, Default)]
struct WriteBack {
    rendered: Vec<Rendering>,
    busy: bool,
}

impl ImageCaches {
    /// One image cache of the team.
    pub async fn show_image_cache(&self, caller: &Caller, id: CacheId) -> Result<RenderedImageCache, Error> {
        access::check(caller, "get_image_cache")?;
        let shown = self.base.store().rendered_image_cache(&caller.team, id, IMAGE_CACHE_FORM).await?;
        let (version, body) = self.body_of(&caller.team, shown.ok_or(Error::NotFound("image cache"))?);
        Ok(RenderedImageCache { version, body })
    }

    /// The team's image caches, newest first.
    pub async fn show_image_caches(
        &self,
        caller: &Caller,
        filter: &CacheFilter,
        page: &Page,
    ) -> Result<RenderedList, Error> {
        access::check(caller, "list_image_caches")?;
        let list = CursorList::new(&self.base, caller, "image_caches", filter);
        let before = id_place(&list, page)?;
        let key = format!("{} {before:?} {}", list.label(), page.limit);
        let (image_caches, caller, filter, page) = (self.clone(), caller.clone(), filter.clone(), page.clone());
        let ask = move || {
            let (image_caches, caller, filter, page) =
                (image_caches.clone(), caller.clone(), filter.clone(), page.clone());
            async move { image_caches.list_for_all(&caller, &filter, before, &page).await }
        };
        match self.renderer.lists.get(self.base.tasks(), key, ask).await {
            Some(Ok(shown)) => Ok(shown),
            Some(Err(error)) => Err(shared(error)),
            None => Err(Error::Internal("the reading of a list ended without a word".into())),
        }
    }

    async fn list_for_all(
        &self,
        caller: &Caller,
        filter: &CacheFilter,
        before: Option<Uuid>,
        page: &Page,
    ) -> Result<RenderedList, store::StoreError> {
        let team = &caller.team;
        let mut found =
            self.base.store().rendered_image_caches(team, filter, before, one_more(page), IMAGE_CACHE_FORM).await?;
        let more = found.len() > page.limit as usize;
        found.truncate(page.limit as usize);
        let list = CursorList::new(&self.base, caller, "image_caches", filter);
        let next_cursor = found.last().filter(|_| more).map(|last| list.write(&last.id().uuid().to_string()));
        let items: Vec<String> = found.into_iter().map(|shown| self.body_of(team, shown).1).collect();
        let body = list_body(&items, next_cursor.as_deref());
        Ok(RenderedList { body: body.into_bytes().into(), next_cursor })
    }

    /// The version and the JSON of a cache. If it had to be rendered, the result is stored.
    fn body_of(&self, team: &TeamId, shown: RenderedCache) -> (i64, String) {
        match shown {
            RenderedCache::Kept { version, text, .. } => (version, text),
            RenderedCache::Row(cache) => {
                let (id, version, lasts) = (cache.id, cache.version, cache.failure.is_none());
                let text = rendered(*cache);
                if lasts {
                    self.keep(Rendering { team: team.clone(), id, version, text: text.clone() });
                }
                (version, text)
            }
        }
    }

    fn keep(&self, rendering: Rendering) {
        let mut keeping = self.write_back();
        if keeping.rendered.len() < TO_KEEP {
            keeping.rendered.push(rendering);
        }
        if !std::mem::replace(&mut keeping.busy, true) {
            let image_caches = self.clone();
            self.base.tasks().spawn(async move {
                let kept = AssertUnwindSafe(image_caches.keep_all()).catch_unwind().await;
                if kept.is_err() {
                    image_caches.write_back().busy = false;
                }
            });
        }
    }

    /// Stores renderings until there are none left. Nobody waits for it; if it fails, the next reader renders again.
    async fn keep_all(&self) {
        while let Some(rendered) = self.to_keep() {
            if let Err(error) = self.base.store().keep_renderings(&rendered, IMAGE_CACHE_FORM).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "what was rendered was not kept");
            }
        }
    }

    fn to_keep(&self) -> Option<Vec<Rendering>> {
        let mut keeping = self.write_back();
        let rendered = std::mem::take(&mut keeping.rendered);
        keeping.busy = !rendered.is_empty();
        keeping.busy.then_some(rendered)
    }

    fn write_back(&self) -> std::sync::MutexGuard<'_, WriteBack> {
        // Nothing panics while the lock is held.
        self.renderer.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An image cache as JSON.
fn rendered(cache: ImageCache) -> String {
    serde_json::to_string(&ImageCacheView::from(cache))
        .expect("its maps have texts as keys, and nothing in it can fail")
}

/// The list as the API document defines it, around items that are already JSON.
fn list_body(items: &[String], next_cursor: Option<&str>) -> String {
    let items = items.join(",");
    // A cursor contains only the characters of base64url.
    let next = next_cursor.map(|cursor| format!(r#","next_cursor":"{cursor}""#)).unwrap_or_default();
    format!(r#"{{"items":[{items}],"has_more":{}{next}}}"#, next_cursor.is_some())
}

/// The error for all requests that shared a failed read.
fn shared(error: Arc<store::StoreError>) -> Error {
    match Arc::try_unwrap(error) {
        Ok(alone) => alone.into(),
        Err(error) if error.is_away() => Error::database_away(),
        Err(error) => Error::Internal(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_the_document_says() {
        let body = list_body(&[r#"{"id":"a"}"#.into(), r#"{"id":"b"}"#.into()], Some("x-_Y"));
        assert_eq!(body, r#"{"items":[{"id":"a"},{"id":"b"}],"has_more":true,"next_cursor":"x-_Y"}"#);
        assert_eq!(list_body(&[], None), r#"{"items":[],"has_more":false}"#);
    }
}
