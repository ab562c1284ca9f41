//! Updates and deletes against a row that others write, too: the tracker, the reconciler, another gateway.
//!
//! What must stay true: a caller that set no condition is not refused because the row changed while the request was
//! handled; one that set a condition is judged by the row as it is then. Nothing was recorded of a try that lost.

use super::{CONCURRENT, DELETE, UPDATE};
use crate::app::image_caches::ImageCaches;
use crate::app::input::{ChangeOptions, Changed};
use crate::app::{Call, Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::spec::ImageCacheChanges;

/// How often the row is read anew. Each loss means that somebody else wrote it meanwhile.
const TRIES: usize = 5;

impl ImageCaches {
    /// Changes an image cache: a new build, a new generation.
    pub async fn update_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        changes: ImageCacheChanges,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        access::check(caller, UPDATE)?;
        for _ in 1..TRIES {
            let (changes, options) = (changes.clone(), options.clone());
            let done = Box::pin(self.update_as_it_is(caller, call, id, changes, options)).await;
            if !has_lost(&done) {
                return done;
            }
        }
        Box::pin(self.update_as_it_is(caller, call, id, changes, options)).await
    }

    /// Removes an image cache from the cloud; its record stays.
    pub async fn delete_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        access::check(caller, DELETE)?;
        for _ in 1..TRIES {
            let done = Box::pin(self.delete_as_it_is(caller, call, id, options.clone())).await;
            if !has_lost(&done) {
                return done;
            }
        }
        Box::pin(self.delete_as_it_is(caller, call, id, options)).await
    }
}

fn has_lost(done: &Result<Changed, Error>) -> bool {
    matches!(done, Err(Error::Conflict { code: CONCURRENT, .. }))
}
