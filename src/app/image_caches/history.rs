//! The history of an image cache: its status changes, and the cloud's own record of it.

use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::image_caches::ImageCaches;
use crate::app::view::{ProviderRecordView, TransitionView};
use crate::app::{Error, access};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;

impl ImageCaches {
    /// The cloud's own record of an image cache, as last seen; empty before the first read.
    pub async fn get_provider_record(&self, caller: &Caller, id: CacheId) -> Result<ProviderRecordView, Error> {
        access::check(caller, "get_provider_record")?;
        let cache = self.base.store().image_cache(&caller.team, id).await?;
        cache.as_ref().map(Into::into).ok_or(Error::NotFound("image cache"))
    }

    /// The status changes of one image cache, oldest first.
    pub async fn list_transitions(
        &self,
        caller: &Caller,
        id: CacheId,
        page: &Page,
    ) -> Result<Slice<TransitionView>, Error> {
        access::check(caller, "list_transitions")?;
        self.base.store().image_cache(&caller.team, id).await?.ok_or(Error::NotFound("image cache"))?;
        let list = CursorList::new(&self.base, caller, "transitions", &id);
        let after = list.place(page)?.map_or(Ok(0), |place| place.parse()).map_err(|_| unreadable())?;
        let transitions = self.base.store().transitions(&caller.team, id, after, one_more(page)).await?;
        Ok(list.slice(transitions, page, |transition| transition.sequence.to_string()))
    }
}
