//! Updates and deletes of a row that others write too: the tracker, the reconciler, another gateway.
//!
//! What must stay true: a caller that set no condition is not refused because the row changed while the request was
//! handled; one that set a condition is judged by the row as it is then. An attempt that lost recorded nothing.

use super::{DELETE, UPDATE};
use crate::app::image_caches::ImageCaches;
use crate::app::input::{ChangeOptions, Changed};
use crate::app::{Call, Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::spec::ImageCacheChanges;
use crate::domain::problem::Code;

/// How often to read the row again. Each loss means that somebody else wrote it in the meantime.
const TRIES: usize = 5;

impl ImageCaches {
    /// Changes an image cache: a new build and a new generation.
    pub async fn update_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        changes: ImageCacheChanges,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        access::check(caller, UPDATE)?;
        let key = options.key.as_ref().map(|key| self.new_key(UPDATE, key));
        let mut named = self.operations.named(&caller.team, key);
        for _ in 1..TRIES {
            let (changes, options) = (changes.clone(), options.clone());
            let done = Box::pin(self.update_as_it_is(caller, call, id, changes, options, named.clone())).await;
            if !has_lost(&done) {
                return done;
            }
            named = self.operations.named_anew(&caller.team, named).await?;
        }
        Box::pin(self.update_as_it_is(caller, call, id, changes, options, named)).await
    }

    /// Deletes an image cache from the cloud. Its record stays.
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
    matches!(done, Err(Error::Conflict { code: Code::ConcurrentChange, .. }))
}
