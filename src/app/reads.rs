//! What only reads, and waits for nothing; image caches themselves are read by [`super::rendering`].

use std::time::Duration;

use tokio::time::{Instant as Deadline, sleep_until};

use super::audit::{any_audit, audit_reach};
use super::cursor::{List, one_more, unreadable};
use super::input::Readiness;
use super::view::{AuditEntryView, DeliveryView, ProviderRecordView, TransitionView};
use super::{Error, Gateway, access};
use crate::domain::caller::Caller;
use crate::domain::filter::{AuditFilter, DeliveryFilter, Page, Slice};
use crate::domain::ids::{AuditId, CacheId};

/// What readiness says where a statement was denied.
const LACKS_RIGHT: &str = "the database's role lacks a right that was needed within the last half minute: `doctor database` names it, and `migrate` grants it";

impl Gateway {
    /// The cloud's own record of an image cache, as last seen; empty before the first look.
    pub async fn get_provider_record(&self, caller: &Caller, id: CacheId) -> Result<ProviderRecordView, Error> {
        access::check(caller, "get_provider_record")?;
        let cache = self.store().image_cache(&caller.team, id).await?;
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
        self.store().image_cache(&caller.team, id).await?.ok_or(Error::NotFound("image cache"))?;
        let list = List::new(self, caller, "transitions", &id);
        let after = list.place(page)?.map_or(Ok(0), |place| place.parse()).map_err(|_| unreadable())?;
        let transitions = self.store().transitions(&caller.team, id, after, one_more(page)).await?;
        Ok(list.slice(transitions, page, |transition| transition.sequence.to_string()))
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
        let entries = self.store().audit_entries(&audit_reach(caller, filter)?, filter, before, one_more(page)).await?;
        let judged = self.judged(entries).await?;
        Ok(list.slice(judged, page, |judged| judged.found.number.to_string()))
    }

    /// One audit entry of the team.
    pub async fn get_audit_entry(&self, caller: &Caller, id: AuditId) -> Result<AuditEntryView, Error> {
        access::check(caller, "get_audit_entry")?;
        let entry = self.store().audit_entry(&any_audit(caller), id).await?;
        let judged = self.judged(Vec::from_iter(entry)).await?;
        judged.into_iter().next().map(Into::into).ok_or(Error::NotFound("audit entry"))
    }

    /// Whether the gateway can do its work. Ends within 2 s.
    pub async fn readiness(&self) -> Readiness {
        let deadline = Deadline::now() + Duration::from_secs(2);
        let looked = async {
            self.store().takes_writes().await.ok()?;
            let migrations = self.store().is_migrated().await.ok()?;
            let workers = migrations && self.store().workers_alive().await.ok()?;
            let held = self.look_at_horizon().await.ok()?;
            let (mut degraded, migrated) = (Vec::from_iter(held), migrations);
            if migrated {
                degraded.extend(self.foreign_accounts().await.ok()?);
                degraded.extend(self.vanishings().await.ok()?);
                degraded.extend(self.look_at_sealing().await.ok()?);
            }
            Some((true, migrations, workers, degraded))
        };
        let looked = tokio::select! {
            looked = looked => looked,
            () = sleep_until(deadline) => None,
        };
        let (database, migrations, workers, mut degraded): (_, _, _, Vec<String>) = looked.unwrap_or_default();
        degraded.extend(self.ailing_issuers());
        degraded.extend(self.store().lacks_right().then(|| LACKS_RIGHT.to_owned()));
        let ailment = if database { None } else { self.store().ailment() };
        Readiness { database, migrations, workers, ailment, ailing_tasks: self.ailing_tasks(), degraded }
    }
}

/// Where a list that goes by id goes on.
pub(super) fn id_place(list: &List<'_>, page: &Page) -> Result<Option<uuid::Uuid>, Error> {
    list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()
}

fn delivery_place(place: &str) -> Option<(i64, uuid::Uuid)> {
    let (event, id) = place.split_once(' ')?;
    Some((event.parse().ok()?, id.parse().ok()?))
}
