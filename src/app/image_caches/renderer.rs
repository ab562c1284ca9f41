//! Image caches as callers see them, for single reads and lists: the JSON that is kept in the database, or made here
//! and kept for the next one.
//!
//! What must stay true: what is shown is of the row as it was when it was read, after it was asked for; what is kept is
//! never waited for, and bounded; an image cache with a failure is not kept, since its words come from this binary's
//! table and not from the row alone.
//!
//! Who calls it: the REST door.

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

/// The most renderings that wait to be kept. What finds no room is made again by the next reader.
const TO_KEEP: usize = 1_024;

/// One image cache as JSON: an [`ImageCacheView`].
#[derive(Debug, Clone)]
pub struct RenderedImageCache {
    /// Of the row.
    pub version: i64,
    /// JSON.
    pub body: String,
}

/// One page of a list as JSON.
#[derive(Debug, Clone)]
pub struct RenderedList {
    /// JSON; shared by all who asked at the same time.
    pub body: Arc<[u8]>,
    /// What continues it.
    pub next_cursor: Option<String>,
}

/// What a gateway remembers of renderings.
#[derive(Debug, Default)]
pub(in crate::app) struct Renderer {
    lists: Sharing<RenderedList, store::StoreError>,
    keeping: Mutex<WriteBack>,
}

/// What is to be kept, and whether somebody is at it.
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

    /// The version and the JSON of what was read; what had to be made is kept.
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

    /// Until there is nothing to keep. Nobody waits for it; what fails is made again by the next reader.
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
        // Nothing panics while it is held.
        self.renderer.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An image cache as JSON.
fn rendered(cache: ImageCache) -> String {
    serde_json::to_string(&ImageCacheView::from(cache))
        .expect("its maps have texts as keys, and nothing in it can fail")
}

/// The list as the document has it, around items that are JSON already.
fn list_body(items: &[String], next_cursor: Option<&str>) -> String {
    let items = items.join(",");
    // A cursor is of the letters of base64url alone.
    let next = next_cursor.map(|cursor| format!(r#","next_cursor":"{cursor}""#)).unwrap_or_default();
    format!(r#"{{"items":[{items}],"has_more":{}{next}}}"#, next_cursor.is_some())
}

/// What all who asked together are told of a failure.
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
