//! Waiting for an image cache.
//!
//! What must stay true: a wait ends when the cache is ready; as soon as it cannot become ready without another request;
//! when the time is over; or when the credential ends, the client disconnects or this process stops. It holds no
//! database connection. The waiting reads call it; they learn of changes through [`crate::app::event_hub`].

use std::sync::Arc;
use std::time::Duration;

use crate::app::events::wait_limit::WaitLimit;
use crate::app::image_caches::ImageCaches;
use crate::app::input::Waited;
use crate::app::view::ImageCacheView;
use crate::app::{Call, Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::status::Status;

impl ImageCaches {
    /// Waits until the cache is ready, until it cannot become ready, or until `timeout` (at most
    /// [`LONGEST_WAIT`](crate::app::LONGEST_WAIT)).
    pub async fn wait_for_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        timeout: Duration,
    ) -> Result<Waited, Error> {
        access::check(caller, "wait_for_image_cache")?;
        let cache = self.settled_cache(caller, id, &self.events.wait_limit(caller, call, timeout)?).await?;
        let (condition_met, done) = (cache.status == Status::Ready, cache.status.is_settled());
        Ok(Waited { condition_met, done, image_cache: Arc::unwrap_or_clone(cache).into() })
    }

    /// One image cache of the team, once it is ready or cannot become ready, or as it is after `timeout`.
    pub async fn get_settled_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        timeout: Duration,
    ) -> Result<ImageCacheView, Error> {
        access::check(caller, "get_image_cache")?;
        let cache = self.settled_cache(caller, id, &self.events.wait_limit(caller, call, timeout)?).await?;
        Ok(Arc::unwrap_or_clone(cache).into())
    }

    async fn settled_cache(&self, caller: &Caller, id: CacheId, wait: &WaitLimit) -> Result<Arc<ImageCache>, Error> {
        let found = self.base.store().image_cache(&caller.team, id).await?;
        let mut cache = Arc::new(found.ok_or(Error::NotFound("image cache"))?);
        if cache.status.is_settled() || wait.is_over() {
            return Ok(cache);
        }
        let mut news = self.events.join_cache(id, cache.version);
        while !cache.status.is_settled() {
            let Some(Ok(())) = wait.with(news.changed()).await else { break };
            if let Some(newer) = news.borrow_and_update().clone() {
                cache = newer;
            }
        }
        Ok(cache)
    }
}
