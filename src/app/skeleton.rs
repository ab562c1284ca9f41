//! Signatures, until the real bodies land.
#![expect(missing_docs, unused_variables, reason = "temporary")]
use std::sync::Arc;
use std::time::Duration;

use super::input::{ChangeOptions, Changed, Ending, IdempotencyKey, NewEndpoint, Readiness, Waited};
use super::view::{
    AuditEntryView, DeliveryView, EndpointView, EventView, ImageCacheView, OperationView, TransitionView,
};
use super::{Call, Error};
use crate::domain::audit::Actor;
use crate::domain::caller::Caller;
use crate::domain::clock::Clock;
use crate::domain::filter::{AuditFilter, CacheFilter, DeliveryFilter, Page, Slice};
use crate::domain::ids::{AuditId, CacheId, EndpointId, OperationId};
use crate::domain::spec::{ImageCacheChanges, NewImageCache};

/// The gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    clock: Arc<dyn Clock>,
}

impl Gateway {
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
    pub fn new_request_id(&self) -> String {
        String::new()
    }
    /// `token` is what stood behind `Authorization: Bearer `, or None.
    pub async fn authenticate(&self, token: Option<&str>, wanted_team: Option<&str>) -> Result<Caller, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn create_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<Changed, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_image_caches(
        &self,
        caller: &Caller,
        filter: &CacheFilter,
        page: &Page,
    ) -> Result<Slice<ImageCacheView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn get_image_cache(&self, caller: &Caller, id: CacheId) -> Result<ImageCacheView, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn update_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        changes: ImageCacheChanges,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn delete_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        Err(Error::NotFound("x"))
    }
    /// Until ready, settled otherwise, or `timeout` (at most 55 s).
    pub async fn wait_for_image_cache(&self, caller: &Caller, id: CacheId, timeout: Duration) -> Result<Waited, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_transitions(
        &self,
        caller: &Caller,
        id: CacheId,
        page: &Page,
    ) -> Result<Slice<TransitionView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn get_operation(&self, caller: &Caller, id: OperationId) -> Result<OperationView, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_events(&self, caller: &Caller, page: &Page) -> Result<Slice<EventView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn create_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewEndpoint,
    ) -> Result<EndpointView, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_webhook_endpoints(&self, caller: &Caller, page: &Page) -> Result<Slice<EndpointView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn get_webhook_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<EndpointView, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn delete_webhook_endpoint(&self, caller: &Caller, call: &Call, id: EndpointId) -> Result<(), Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_deliveries(
        &self,
        caller: &Caller,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Result<Slice<DeliveryView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn list_audit_entries(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        page: &Page,
    ) -> Result<Slice<AuditEntryView>, Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn get_audit_entry(&self, caller: &Caller, id: AuditId) -> Result<AuditEntryView, Error> {
        Err(Error::NotFound("x"))
    }
    /// Writes the entry of a request that has none yet; the door answers only after it is durable.
    pub async fn audit_request(&self, actor: &Actor, call: &Call, ending: Ending) -> Result<(), Error> {
        Err(Error::NotFound("x"))
    }
    pub async fn readiness(&self) -> Readiness {
        Readiness { database: true, migrations: true, workers: true }
    }
}
