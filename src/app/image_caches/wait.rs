//! Requests that wait: how long, and until what; and the wait for an image cache.
//!
//! What must stay true: a wait ends with what was asked for, or as soon as that cannot come any more without another
//! request, or when its time is over, its credential ends, its client has left or this process stops; it holds no connection of the
//! database. Who calls it: the waiting reads. How they hear of changes: [`crate::app::events::event_hub`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant as Deadline, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::app::admission::{wait_long, without_permit};
use crate::app::identity::authentication::CredentialWatch;
use crate::app::input::Waited;
use crate::app::view::ImageCacheView;
use crate::app::{Call, Error, Gateway, access};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::status::Status;

/// The longest wait: a common proxy cuts at 60 s.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);

/// How long one request waits.
pub(in crate::app) struct WaitLimit {
    deadline: Deadline,
    leaving: CancellationToken,
    left: CancellationToken,
    credential_watch: CredentialWatch,
}

impl WaitLimit {
    /// Whether the wait is over.
    pub(in crate::app) fn is_over(&self) -> bool {
        Deadline::now() >= self.deadline || self.leaving.is_cancelled() || self.left.is_cancelled()
    }

    /// The result of `news`, unless the wait is over before.
    pub(in crate::app) async fn with<T>(&self, news: impl Future<Output = T>) -> Option<T> {
        let within = timeout_at(self.deadline, self.left.run_until_cancelled(self.credential_watch.with(news)));
        without_permit(self.leaving.run_until_cancelled(within)).await?.ok()??
    }
}

impl Gateway {
    /// The limit of the wait of `caller` with `call` for `wait` from now, at most [`LONGEST_WAIT`]. Refused where too
    /// many wait.
    pub(in crate::app) fn wait_limit(&self, caller: &Caller, call: &Call, wait: Duration) -> Result<WaitLimit, Error> {
        if !wait.is_zero() {
            wait_long()?;
        }
        let deadline = Deadline::now() + wait.min(LONGEST_WAIT);
        let credential_watch = CredentialWatch::over(self, caller);
        Ok(WaitLimit { deadline, leaving: self.leaving().clone(), left: call.left().clone(), credential_watch })
    }

    /// Waits until the cache is ready, until it will not be, or until `timeout` (at most [`LONGEST_WAIT`]).
    pub async fn wait_for_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        timeout: Duration,
    ) -> Result<Waited, Error> {
        access::check(caller, "wait_for_image_cache")?;
        let cache = self.settled_cache(caller, id, &self.wait_limit(caller, call, timeout)?).await?;
        let condition_met = cache.status == Status::Ready;
        Ok(Waited { condition_met, image_cache: Arc::unwrap_or_clone(cache).into() })
    }

    /// One image cache of the team, once it is ready or will not be; or as it is after `timeout`.
    pub async fn get_settled_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        timeout: Duration,
    ) -> Result<ImageCacheView, Error> {
        access::check(caller, "get_image_cache")?;
        let cache = self.settled_cache(caller, id, &self.wait_limit(caller, call, timeout)?).await?;
        Ok(Arc::unwrap_or_clone(cache).into())
    }

    async fn settled_cache(&self, caller: &Caller, id: CacheId, wait: &WaitLimit) -> Result<Arc<ImageCache>, Error> {
        let found = self.store().image_cache(&caller.team, id).await?;
        let mut cache = Arc::new(found.ok_or(Error::NotFound("image cache"))?);
        if cache.status.is_settled() || wait.is_over() {
            return Ok(cache);
        }
        let mut news = self.join_cache(id, cache.version);
        while !cache.status.is_settled() {
            let Some(Ok(())) = wait.with(news.changed()).await else { break };
            if let Some(newer) = news.borrow_and_update().clone() {
                cache = newer;
            }
        }
        Ok(cache)
    }
}
