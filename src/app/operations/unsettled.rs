//! Follows up on operations that have ended while a copy of an attempt could still be carried out.
//!
//! A copy that arrives after the cloud has forgotten the token creates a second cache. Once no copy can be accepted any
//! more, the caches with the operation's tag are looked up; those that no row has are deleted, and the lookup is
//! repeated until it finds none. A copy of an update builds the cache once more, so the cache is looked up again.
//!
//! What must stay true: only caches with the operation's own tag are deleted, and only if no row has them; the audit
//! entry is written before the cloud is called; if the cloud shows nothing at all, that proves nothing unless it shows
//! other caches; a gateway whose clock is in doubt does nothing here, because it cannot know that no copy can still
//! arrive.

use chrono::Duration;

use super::attempt::{done, gone_already};
use super::lookup::is_tagged;
use crate::app::Error;
use crate::app::operations::Operations;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::failure::CallError;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::status::Status;
use crate::domain::operation::{Operation, OperationKind};
use crate::domain::reconcile::{has_ended, is_unlikely};
use crate::domain::transition::change::observe;
use crate::eci::{Attempt, Client, DescribeQuery};
use crate::store::LeasedOperation;

/// How long to wait after an error.
const AGAIN_AFTER: Duration = Duration::seconds(30);
/// The action of the audit entries.
const REMOVE: &str = "remove_duplicate_image_cache";
/// The actor in audit entries.
const WORKER: &str = "operations";

impl Operations {
    /// Follows up on operations that are due; returns how many.
    pub async fn settle_unsettled(&self, limit: i64) -> Result<usize, Error> {
        if !self.base.clock().is_sure() {
            return Ok(0);
        }
        let lease = self.base.settings().work.lease.as_secs_f64();
        let claimed = self
            .base
            .store()
            .claim_unsettled(self.base.now(), self.base.uuid(), lease, limit, self.base.uptime())
            .await?;
        for leased in &claimed {
            if let Err(error) = self.settle_copies(leased).await {
                // The lease runs out, and the next worker takes over.
                tracing::error!(operation = %leased.operation.id, error = &error as &dyn std::error::Error, "could \
                    not follow up on an operation that has ended");
            }
        }
        Ok(claimed.len())
    }

    async fn settle_copies(&self, leased: &LeasedOperation) -> Result<(), Error> {
        let operation = &leased.operation;
        let cache = self.looked_after(operation).await?;
        let cloud = match self.cloud_accounts.cloud_of(&cache.account).await {
            Ok(cloud) => cloud,
            Err(fault) => {
                tracing::warn!(operation = %operation.id, fault = %fault, "the search for copies waits");
                self.base.store().note_unsettled(leased, Some(self.base.now() + AGAIN_AFTER), false, &[]).await?;
                return Ok(());
            }
        };
        if let Some(at) = self.cloud_accounts.spend_for_change(&cache.account).await? {
            self.base.store().note_unsettled(leased, Some(at), false, &[]).await?;
            return Ok(());
        }
        if operation.progress.kind != OperationKind::Create {
            let again = if self.look_for_copies(&cloud, operation, cache).await? {
                None
            } else {
                Some(self.base.now() + AGAIN_AFTER)
            };
            self.base.store().note_unsettled(leased, again, false, &[]).await?;
            return Ok(());
        }
        let extra = match self.find_by_tag(&cloud, operation).await {
            Ok((found, _)) if found.is_empty() && self.is_hidden(&cloud, operation, &cache).await? => {
                self.base.store().note_unsettled(leased, Some(self.base.now() + AGAIN_AFTER), false, &[]).await?;
                return Ok(());
            }
            Ok((mut found, _)) => {
                self.without_taken(&cache, &mut found).await?;
                found
            }
            Err(fault) => {
                tracing::warn!(operation = %operation.id, fault = %fault, "the search for copies failed");
                self.base.store().note_unsettled(leased, Some(self.base.now() + AGAIN_AFTER), false, &[]).await?;
                return Ok(());
            }
        };
        if extra.is_empty() || !is_tagged(operation) {
            // Without the tag it may belong to another operation: the reconciler reports caches that no row knows.
            if !extra.is_empty() {
                tracing::error!(operation = %operation.id, found = extra.len(), "found caches that may be copies of \
                    this create");
            }
            self.base.store().note_unsettled(leased, None, false, &[]).await?;
            return Ok(());
        }
        self.remove_copies(&cloud, leased, &extra).await
    }

    /// A late copy of an update builds the cache once more while nobody polls it, so look it up now. `false`: try again
    /// later.
    async fn look_for_copies(&self, cloud: &Client, operation: &Operation, cache: ImageCache) -> Result<bool, Error> {
        let query = DescribeQuery { eci_cache_id: cache.eci_cache_id.clone(), ..DescribeQuery::default() };
        let page = match cloud.describe(&operation.spec.region, &query).await {
            Ok(page) => page,
            Err(fault) => {
                tracing::warn!(operation = %operation.id, fault = %fault, "the check after an update failed");
                return Ok(false);
            }
        };
        let seen = page.caches.iter().find(|seen| Some(&seen.eci_cache_id) == cache.eci_cache_id.as_ref());
        let hidden = match seen {
            // A cache that counts as lost may just be hidden, and is then revived.
            _ if cache.status == Status::Lost => self.is_early(operation),
            None => self.may_be_hidden(cloud, operation, &cache).await?,
            // It may be building again while its status says otherwise.
            Some(seen) => is_unlikely(&cache, seen) && self.is_early(operation),
        };
        if hidden {
            return Ok(false);
        }
        // If it no longer exists, the tracker and the reconciler will find that out.
        let Some(change) =
            seen.and_then(|seen| observe(&cache, Some(seen), self.base.now(), self.base.settings().rule.list_lag))
        else {
            return Ok(true);
        };
        let audit = self.transitions.observed(WORKER, &change);
        let written = self.base.store().write_change(&self.transitions.write_of(&change, audit)).await?;
        if written {
            self.base.signals().cache_changed(cache.id);
            self.base.signals().tracker.notify_one();
        }
        Ok(written)
    }

    /// Whether a cache that should exist is not shown, and that is not believed. (One that is being deleted should not
    /// exist.)
    async fn is_hidden(&self, cloud: &Client, operation: &Operation, cache: &ImageCache) -> Result<bool, Error> {
        Ok(should_be_there(cache) && !self.is_absent(cloud, operation, cache).await?)
    }

    /// The same, or whether only this one cache may still be hidden.
    async fn may_be_hidden(&self, cloud: &Client, operation: &Operation, cache: &ImageCache) -> Result<bool, Error> {
        let early = should_be_there(cache) && self.is_early(operation);
        Ok(early || self.is_hidden(cloud, operation, cache).await?)
    }

    /// Whether the cloud may still show a cache in an outdated state.
    fn is_early(&self, operation: &Operation) -> bool {
        let until = operation.progress.looked_after_until(&self.base.settings().rule);
        until.is_some_and(|until| self.base.now() < until)
    }

    async fn looked_after(&self, operation: &Operation) -> Result<ImageCache, Error> {
        let cache = self.base.store().image_cache(&operation.team, operation.cache).await?;
        cache.ok_or_else(|| Error::Internal("an operation without its image cache".into()))
    }

    async fn remove_copies(
        &self,
        cloud: &Client,
        leased: &LeasedOperation,
        extra: &[Observation],
    ) -> Result<(), Error> {
        let again = self.base.now() + self.base.settings().rule.list_lag;
        let entries = |outcome| extra.iter().map(move |seen| self.removal(&leased.operation, seen, outcome, None));
        let begun: Vec<AuditEntry> = entries(Outcome::Accepted).collect();
        if !self.base.store().note_unsettled(leased, Some(again), true, &begun).await? {
            return Ok(());
        }
        let mut ended = Vec::new();
        for seen in extra {
            tracing::error!(operation = %leased.operation.id, eci_cache_id = seen.eci_cache_id, "removing a second cache of one create");
            metrics::counter!("ecg_duplicates_removed_total").increment(1);
            ended.push(match self.remove(cloud, &leased.operation, &seen.eci_cache_id).await {
                Ok(request_id) => self.removal(&leased.operation, seen, Outcome::Succeeded, Some(request_id)),
                Err(fault) => {
                    tracing::warn!(operation = %leased.operation.id, fault = %fault, "a second cache has not been \
                        removed yet");
                    self.removal(&leased.operation, seen, Outcome::Failed, None)
                }
            });
        }
        // The next lookup shows whether they are gone.
        self.base.store().note_unsettled(leased, Some(again), false, &ended).await?;
        Ok(())
    }

    /// Deletes one copy; returns the cloud's RequestId.
    async fn remove(&self, cloud: &Client, operation: &Operation, eci_cache_id: &str) -> Result<String, CallError> {
        let client_token = format!("remove.{eci_cache_id}").chars().take(64).collect();
        let attempt = Attempt {
            operation: operation.id,
            client_token,
            signed_at: self.base.now(),
            bucket: None,
            marks: Vec::new(),
        };
        let deleted = cloud.delete(&operation.spec.region, eci_cache_id, &attempt).await;
        deleted.map(done).or_else(gone_already).map(|done| done.request_id)
    }

    fn removal(
        &self,
        operation: &Operation,
        seen: &Observation,
        outcome: Outcome,
        request_id: Option<String>,
    ) -> AuditEntry {
        let actor = Actor::worker(WORKER, operation.team.clone(), operation.request_id.clone());
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), REMOVE, outcome);
        entry.resource = Some(operation.cache.to_string());
        entry.operation = Some(operation.id);
        entry.provider_request_id = request_id.filter(|id| !id.is_empty());
        entry.parameters.insert("eci_cache_id".to_owned(), seen.eci_cache_id.clone());
        entry
    }
}

/// Whether the cloud gave it an id, nobody has asked to delete it, and it has not ended.
fn should_be_there(cache: &ImageCache) -> bool {
    cache.eci_cache_id.is_some() && cache.status != Status::Deleting && !has_ended(cache)
}
