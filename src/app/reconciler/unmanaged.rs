//! Caches that no row knows: recorded as found, and offered for adoption. Those that an ended create of ours left
//! behind (orphans) are deleted once no copy of it can be accepted any more.
//!
//! What must stay true: the finding and its audit entry are stored before anything is deleted; a cache that is being
//! deleted cannot be adopted, and an adopted one is not deleted; a delete that failed is tried again in the next pass.

use super::reads::CloudList;
use super::{RECONCILER, SINGLE_LOOKS, Stop, reads};
use crate::app::cursor::{CursorList, unreadable};
use crate::app::reconciler::Reconciler;
use crate::app::view::{EventBody, FoundCacheView};
use crate::app::{Error, access, cursor};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::event::EventType;
use crate::domain::failure::CallError;
use crate::domain::filter::{FoundFilter, Page, Slice};
use crate::domain::identity::caller::{Caller, Door, Origin};
use crate::domain::ids::{EventId, OperationId};
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::operation::Operation;
use crate::domain::reconcile::unmanaged::{Unmanaged, judge, tagged};
use crate::eci::Attempt;
use crate::store::{FoundCache, NewEvent, ReconcileLease};

impl Reconciler {
    /// The caches of the cloud that no row knows, newest finding first, in all accounts. The teams share the accounts,
    /// so only the platform may read it ([`access`]).
    pub async fn list_found_image_caches(
        &self,
        caller: &Caller,
        filter: &FoundFilter,
        page: &Page,
    ) -> Result<Slice<FoundCacheView>, Error> {
        access::check(caller, "list_found_image_caches")?;
        let list = CursorList::new(&self.base, caller, "found_caches", filter);
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let found = self.base.store().found_caches(filter, before, cursor::one_more(page)).await?;
        Ok(list.slice(found, page, |found| found.id.to_string()))
    }

    pub(super) async fn record_unmanaged(&self, lease: &ReconcileLease, list: &CloudList) -> Result<(), Error> {
        let ids = list.ids();
        let before = list.begun_at - self.base.settings().rule.list_lag;
        self.base.store().end_found(&lease.group, &ids, before, self.base.now()).await?;
        let unmanaged = self.base.store().unmanaged(&lease.group, &ids).await?;
        let unmanaged: Vec<&Observation> =
            unmanaged.iter().filter_map(|id| list.seen.get(id)).map(|(seen, _)| seen).collect();
        if unmanaged.is_empty() { Ok(()) } else { self.judge_unmanaged(lease, &unmanaged).await }
    }

    async fn judge_unmanaged(&self, lease: &ReconcileLease, unmanaged: &[&Observation]) -> Result<(), Error> {
        let tags: Vec<OperationId> = unmanaged.iter().filter_map(|seen| tagged(seen)).collect();
        let known = self.base.store().operations_with(&tags).await?;
        // Read after the list: a listed cache of ours is either still being created or has its id in its row.
        let group = &lease.group;
        let creating = self.base.store().taken_caches(&group.account, &reads::region_of(lease)?, &[]).await?.names;
        for seen in unmanaged {
            let operation = match tagged(seen).and_then(|id| known.get(&id)) {
                // Written by another version, which knows what this cache is.
                Some(None) => continue,
                known => known.and_then(Option::as_ref),
            };
            match judge(seen, operation, creating.contains(&seen.name), self.base.now(), &self.base.settings().rule) {
                Unmanaged::Wait => {}
                Unmanaged::Found => self.record_one(lease, seen, None).await?,
                Unmanaged::Orphan => self.record_one(lease, seen, operation).await?,
            }
        }
        Ok(())
    }

    async fn record_one(
        &self,
        lease: &ReconcileLease,
        seen: &Observation,
        of: Option<&Operation>,
    ) -> Result<(), Error> {
        let found = FoundCache {
            id: self.base.uuid(),
            account: lease.group.account.clone(),
            region: lease.group.region.clone(),
            eci_cache_id: seen.eci_cache_id.clone(),
            name: seen.name.clone(),
            images: seen.images.clone(),
            size_gib: seen.size_gib,
            status: seen.status.clone(),
            created_at: seen.created_at,
            found_at: self.base.now(),
            orphan_of: of.map(|operation| operation.id.uuid()),
            removing_until: None,
        };
        let kind = if of.is_some() { "orphan" } else { "stranger" };
        let entry = self.unmanaged_entry("find_image_cache", kind, &found, of);
        if self.base.store().keep_found(&found, &entry).await? {
            metrics::counter!("ecg_reconcile_findings_total", "kind" => kind).increment(1);
            tracing::warn!(
                eci_cache_id = found.eci_cache_id,
                region = found.region,
                kind,
                "the cloud has a cache that is not in the database"
            );
        }
        Ok(())
    }

    /// Deletes caches that were recorded as orphans. Their findings and audit entries are already stored.
    pub(super) async fn remove_orphans(&self, lease: &ReconcileLease) -> Result<(), Stop> {
        let orphans = self.base.store().orphans(&lease.group, SINGLE_LOOKS).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        let cloud = self.cloud_accounts.cloud_of(&lease.group.account).await?;
        for orphan in orphans {
            let id = orphan.orphan_of.map(OperationId::from);
            let Some(operation) = self.operation_that_left(id).await? else { continue };
            let attempt = Attempt {
                operation: operation.id,
                client_token: orphan.id.simple().to_string(),
                signed_at: self.base.now(),
                bucket: None,
                marks: Vec::new(),
            };
            if self.cloud_accounts.spend_for_change(&lease.group.account).await?.is_some() {
                // The account is busy; the next pass comes soon enough.
                return Ok(());
            }
            let (region, rule) = (reads::region_of(lease)?, self.base.settings().rule);
            if !self.base.store().claim_orphan(&orphan, self.base.now() + rule.acceptance + rule.list_lag).await? {
                continue;
            }
            let removed = cloud.delete(&region, &orphan.eci_cache_id, &attempt).await;
            let request_id = match removed {
                Ok(done) => Some(done.request_id),
                // Somebody else deleted it first.
                Err(CallError::Refused(error)) if error.code.contains("NotFound") => error.request_id,
                Err(CallError::Refused(error)) => {
                    tracing::error!(
                        eci_cache_id = orphan.eci_cache_id,
                        code = error.code,
                        "could not remove an orphan"
                    );
                    self.base.store().release_orphan(&orphan, orphan.removing_until).await?;
                    continue;
                }
                Err(fault) => {
                    if matches!(fault, CallError::Throttled(_) | CallError::NotSent(_)) {
                        self.base.store().release_orphan(&orphan, orphan.removing_until).await?;
                    }
                    return Err(fault.into());
                }
            };
            self.end_orphan(&orphan, &operation, request_id).await?;
        }
        Ok(())
    }

    /// The create that left an orphan behind; `None` if another version wrote it or its image cache.
    async fn operation_that_left(&self, id: Option<OperationId>) -> Result<Option<Operation>, Error> {
        let found = self.base.store().operations_with(&Vec::from_iter(id)).await?;
        let Some(operation) = found.into_values().flatten().next() else { return Ok(None) };
        match self.base.store().image_cache(&operation.team, operation.cache).await {
            Err(crate::store::StoreError::Unreadable { .. }) => Ok(None),
            looked => Ok(looked?.map(|_| operation)),
        }
    }

    async fn end_orphan(
        &self,
        orphan: &FoundCache,
        operation: &Operation,
        request_id: Option<String>,
    ) -> Result<(), Error> {
        let cache = self.base.store().image_cache(&operation.team, operation.cache).await?;
        let cache = cache.ok_or_else(|| Error::Internal("an operation without its image cache".into()))?;
        let mut entry = self.unmanaged_entry("remove_orphan", "orphan", orphan, Some(operation));
        entry.provider_request_id = request_id;
        let event = self.orphan_event(orphan, &cache);
        if self.base.store().end_orphan(orphan, &cache, &event, &entry).await? {
            metrics::counter!("ecg_reconcile_findings_total", "kind" => "orphan_removed").increment(1);
            tracing::warn!(eci_cache_id = orphan.eci_cache_id, operation = %operation.id, "removed an orphan");
            self.base.signals().cache_changed(cache.id);
        }
        Ok(())
    }

    fn orphan_event(&self, orphan: &FoundCache, cache: &ImageCache) -> NewEvent {
        let (kind, at) = (EventType::OrphanRemoved, self.base.now());
        let body = EventBody { timestamp: at, ..EventBody::of_cache(kind, cache, (None, "left_behind"), Vec::new()) };
        NewEvent {
            id: EventId::new(at, self.base.entropy()),
            kind,
            dedupe_key: format!("{}:{}:{}", cache.id, orphan.eci_cache_id, kind.as_str()),
            body: body.to_json(),
            at,
            dispatch: self.base.dispatch(),
        }
    }

    /// The audit entry of a finding. It names a team only if the cache belongs to a team's operation.
    fn unmanaged_entry(&self, action: &str, kind: &str, found: &FoundCache, of: Option<&Operation>) -> AuditEntry {
        let origin = Origin { door: Door::Worker, request_id: self.base.new_request_id(), address: None };
        let actor = Actor {
            team: of.map(|operation| operation.team.clone()),
            subject: format!("worker:{RECONCILER}"),
            credential: None,
            origin,
        };
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), action, Outcome::Succeeded);
        entry.resource = of.map(|operation| operation.cache.to_string());
        entry.operation = of.map(|operation| operation.id);
        let mut keep = |name: &str, value: &str| entry.parameters.insert(name.to_owned(), value.to_owned());
        keep("finding", kind);
        keep("eci_cache_id", &found.eci_cache_id);
        keep("cloud_account", &found.account);
        keep("region", &found.region);
        keep("name", &found.name);
        entry
    }
}
