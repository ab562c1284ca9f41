//! Everything that only reads, and the wait for a cache to be ready.

use std::time::Duration;

use tokio::time::{Instant as Deadline, sleep_until, timeout_at};

use super::cursor::{List, one_more, unreadable};
use super::input::{Readiness, Waited};
use super::view::{
    AuditEntryView, DeliveryView, EventBody, EventView, ImageCacheView, ProviderRecordView, TransitionView,
};
use super::{Error, Gateway, access};
use crate::domain::caller::Caller;
use crate::domain::filter::{AuditFilter, CacheFilter, DeliveryFilter, Page, Slice};
use crate::domain::ids::{AuditId, CacheId};
use crate::domain::status::Status;
use crate::store::StoredEvent;

/// The longest wait: a common proxy cuts at 60 s.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);
/// How often a waiting request looks by itself: another gateway's changes give no signal here.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Gateway {
    /// The team's image caches, newest first.
    pub async fn list_image_caches(
        &self,
        caller: &Caller,
        filter: &CacheFilter,
        page: &Page,
    ) -> Result<Slice<ImageCacheView>, Error> {
        access::check(caller, "list_image_caches")?;
        let list = List::new(self, caller, "image_caches", filter);
        let before = id_place(&list, page)?;
        let caches = self.store().image_caches(&caller.team, filter, before, one_more(page)).await?;
        Ok(list.slice(caches, page, |cache| cache.id.uuid().to_string()))
    }

    /// One image cache of the team.
    pub async fn get_image_cache(&self, caller: &Caller, id: CacheId) -> Result<ImageCacheView, Error> {
        access::check(caller, "get_image_cache")?;
        self.image_cache(caller, id).await
    }

    async fn image_cache(&self, caller: &Caller, id: CacheId) -> Result<ImageCacheView, Error> {
        let cache = self.store().image_cache(&caller.team, id).await?;
        cache.map(Into::into).ok_or(Error::NotFound("image cache"))
    }

    /// The cloud's own record of an image cache, as last seen; empty before the first look.
    pub async fn get_provider_record(&self, caller: &Caller, id: CacheId) -> Result<ProviderRecordView, Error> {
        access::check(caller, "get_provider_record")?;
        let cache = self.store().image_cache(&caller.team, id).await?;
        cache.as_ref().map(Into::into).ok_or(Error::NotFound("image cache"))
    }

    /// Waits until the cache is ready, until it will not be, or until `timeout` (at most [`LONGEST_WAIT`]).
    pub async fn wait_for_image_cache(&self, caller: &Caller, id: CacheId, timeout: Duration) -> Result<Waited, Error> {
        access::check(caller, "wait_for_image_cache")?;
        let deadline = Deadline::now() + timeout.min(LONGEST_WAIT);
        // Subscribe before the first look, or a change in between goes unheard.
        let mut changes = self.signals().subscribe();
        loop {
            let image_cache = self.image_cache(caller, id).await?;
            let status = settled(&image_cache);
            if status.is_some() || Deadline::now() >= deadline || self.leaving().is_cancelled() {
                return Ok(Waited { condition_met: status == Some(Status::Ready), image_cache });
            }
            let until = deadline.min(Deadline::now() + LOOK_EVERY);
            // A lagged receiver has missed changes, maybe this one's: look again.
            let news = async { while changes.recv().await.is_ok_and(|changed| changed != id) {} };
            let _look = self.leaving().run_until_cancelled(timeout_at(until, news)).await;
        }
    }

    /// The status changes of one image cache, oldest first.
    pub async fn list_transitions(
        &self,
        caller: &Caller,
        id: CacheId,
        page: &Page,
    ) -> Result<Slice<TransitionView>, Error> {
        access::check(caller, "list_transitions")?;
        self.image_cache(caller, id).await?;
        let list = List::new(self, caller, "transitions", &id);
        let after = list.place(page)?.map_or(Ok(0), |place| place.parse()).map_err(|_| unreadable())?;
        let transitions = self.store().transitions(&caller.team, id, after, one_more(page)).await?;
        Ok(list.slice(transitions, page, |transition| transition.sequence.to_string()))
    }

    /// The team's events, oldest first. The cursor is always given: asking again with it later continues.
    pub async fn list_events(&self, caller: &Caller, page: &Page) -> Result<Slice<EventView>, Error> {
        access::check(caller, "list_events")?;
        let list = List::new(self, caller, "events", &());
        let place = list.place(page)?.map_or(Some((0, 0)), |place| event_place(&place)).ok_or_else(unreadable)?;
        let mut events = self.store().events(&caller.team, place, one_more(page)).await?;
        events.truncate(page.limit as usize);
        let next = events.last().map_or(place, |last| last.place);
        let items = events.iter().map(event_view).collect::<Result<_, _>>()?;
        Ok(Slice { items, next_cursor: Some(list.write(&format!("{} {}", next.0, next.1))) })
    }

    /// The team's deliveries, newest event first.
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Result<Slice<DeliveryView>, Error> {
        access::check(caller, "list_deliveries")?;
        let list = List::new(self, caller, "deliveries", filter);
        let place = list.place(page)?.map(|place| delivery_place(&place).ok_or_else(unreadable)).transpose()?;
        let deliveries = self.store().deliveries(&caller.team, filter, place, one_more(page)).await?;
        Ok(list.slice(deliveries, page, |placed| format!("{} {}", placed.place.0, placed.place.1)))
    }

    /// The team's audit entries, newest first.
    pub async fn list_audit_entries(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        page: &Page,
    ) -> Result<Slice<AuditEntryView>, Error> {
        access::check(caller, "list_audit_entries")?;
        let list = List::new(self, caller, "audit_entries", filter);
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let entries = self.store().audit_entries(&caller.team, filter, before, one_more(page)).await?;
        Ok(list.slice(entries, page, |numbered| numbered.number.to_string()))
    }

    /// One audit entry of the team.
    pub async fn get_audit_entry(&self, caller: &Caller, id: AuditId) -> Result<AuditEntryView, Error> {
        access::check(caller, "get_audit_entry")?;
        let entry = self.store().audit_entry(&caller.team, id).await?;
        entry.map(Into::into).ok_or(Error::NotFound("audit entry"))
    }

    /// Whether the gateway can do its work. Ends within 2 s.
    pub async fn readiness(&self) -> Readiness {
        let deadline = Deadline::now() + Duration::from_secs(2);
        let looked = async {
            let migrations = self.store().is_migrated().await.ok()?;
            let workers = migrations && self.store().workers_alive().await.ok()?;
            Some(Readiness { database: true, migrations, workers })
        };
        tokio::select! {
            readiness = looked => readiness,
            () = sleep_until(deadline) => None,
        }
        .unwrap_or(Readiness { database: false, migrations: false, workers: false })
    }
}

/// The status, if a wait need not go on.
fn settled(cache: &ImageCacheView) -> Option<Status> {
    Status::ALL.into_iter().find(|status| cache.status == (*status).into()).filter(|status| status.is_settled())
}

fn id_place(list: &List<'_>, page: &Page) -> Result<Option<uuid::Uuid>, Error> {
    list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()
}

fn event_place(place: &str) -> Option<(u64, i64)> {
    let (transaction, sequence) = place.split_once(' ')?;
    Some((transaction.parse().ok()?, sequence.parse().ok()?))
}

fn delivery_place(place: &str) -> Option<(i64, uuid::Uuid)> {
    let (event, id) = place.split_once(' ')?;
    Some((event.parse().ok()?, id.parse().ok()?))
}

fn event_view(event: &StoredEvent) -> Result<EventView, Error> {
    let body: EventBody = serde_json::from_str(&event.body).map_err(|error| Error::Internal(error.into()))?;
    Ok(EventView { id: event.id.to_string(), body })
}
