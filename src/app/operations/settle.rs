//! Ends an operation: one transaction for its outcome and everything that follows from it.

use std::sync::Arc;

use chrono::Duration;

use super::IdempotentAnswer;
use super::attempt::AttemptResult;
use super::intent::action;
use crate::app::Error;
use crate::app::operations::Operations;
use crate::app::view::ImageCacheView;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::{Door, Origin};
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::{OperationKind, OperationState, Owed, TAKEN, WITHDRAWN};
use crate::domain::transition::change::{self, Change};
use crate::store::{LeasedOperation, OwedAnswer, Settled, Settlement};

/// How an operation ends.
struct OperationEnd<'a> {
    request_id: Option<String>,
    error: Option<&'a CloudError>,
    unsettled_until: Option<Instant>,
}

/// How often to read the row again after it changed in the meantime: only the tracker changes it then, and rarely.
const TRIES: usize = 5;

impl Operations {
    /// The cloud did it.
    pub(super) async fn settle_done(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        done: Option<AttemptResult>,
        unsettled_until: Option<Instant>,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let request_id = done.as_ref().map(|done| done.request_id.clone()).filter(|id| !id.is_empty());
        let created = done.and_then(|done| done.created);
        let spec = leased.operation.spec.clone();
        let kind = leased.operation.progress.kind;
        let change = |operations: &Self, before: &ImageCache| match (kind, &created) {
            (OperationKind::Create, Some((id, group))) => {
                change::created(before, id, group.as_deref(), operations.base.now())
            }
            (OperationKind::Update, _) => change::updating(before, spec.clone(), operations.base.now()),
            (OperationKind::Create | OperationKind::Delete, _) => change::deleting(before, operations.base.now()),
        };
        let ending = OperationEnd { request_id, error: None, unsettled_until };
        self.settle(leased, cache, change, &ending).await
    }

    /// A delete came before the cloud had heard of the create.
    pub(super) async fn settle_withdrawn(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let error = CloudError {
            code: WITHDRAWN.to_owned(),
            message: "the image cache was deleted before anything was sent to the cloud".to_owned(),
            request_id: None,
            http_status: 409,
            denied: None,
        };
        tracing::info!(operation = %leased.operation.id, "withdrawn: the image cache was deleted first");
        let change = |operations: &Self, before: &ImageCache| change::withdrawn(before, operations.base.now());
        let ending = OperationEnd { request_id: None, error: Some(&error), unsettled_until: None };
        self.settle(leased, cache, change, &ending).await
    }

    /// The cloud refused for good.
    pub(super) async fn settle_refused(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        error: &CloudError,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let kind = leased.operation.progress.kind;
        let change =
            |operations: &Self, before: &ImageCache| change::refused(before, kind, error, operations.base.now());
        let ending = OperationEnd { request_id: error.request_id.clone(), error: Some(error), unsettled_until: None };
        self.settle(leased, cache, change, &ending).await
    }

    /// The cloud has already created it, and somebody has adopted that cache.
    async fn settle_taken(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let error = CloudError {
            code: TAKEN.to_owned(),
            message:
                "the cloud had already created this image cache, and it has since been adopted under a different id: \
                 find it by name or images, or create one with a different key"
                    .to_owned(),
            request_id: None,
            http_status: 409,
            denied: None,
        };
        tracing::warn!(operation = %leased.operation.id, "refused: what the cloud created was adopted in the meantime");
        self.settle_refused(leased, cache, &error).await
    }

    async fn settle(
        &self,
        leased: &LeasedOperation,
        mut cache: ImageCache,
        change: impl Fn(&Self, &ImageCache) -> Change,
        ending: &OperationEnd<'_>,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        for _ in 0..TRIES {
            let change = change(self, &cache);
            let answer = answer(leased, &change, ending.error);
            let settlement = Arc::new(self.settlement(leased, (&cache, &change), ending, &answer));
            match self.write_settlement(&settlement).await? {
                Settled::Done { sending } => {
                    if let Some(waiter) = leased.waiter.as_ref().filter(|_| sending) {
                        waiter.set_sending();
                    }
                    self.wake(&settlement);
                    return Ok(Some(answer));
                }
                Settled::LeaseLost => return Ok(None),
                Settled::Taken => return Box::pin(self.settle_taken(leased, cache)).await,
                Settled::Moved => {
                    let fresh = self.base.store().image_cache(&cache.team, cache.id).await?;
                    cache = fresh.ok_or_else(|| Error::Internal("an image cache vanished from the database".into()))?;
                }
            }
        }
        Err(Error::Internal("an image cache kept moving while its operation was settled".into()))
    }

    /// Wakes whoever has something to do now. What is due later is found then.
    fn wake(&self, settlement: &Settlement) {
        let next = &settlement.write.next;
        self.base.signals().cache_changed(next.id);
        if settlement.look_at.is_some_and(|at| at <= self.base.now()) {
            self.base.signals().tracker.notify_one();
        }
        // A delete may have waited for this.
        if next.operation != settlement.operation {
            self.base.signals().operations.notify_one();
        }
    }

    fn settlement(
        &self,
        leased: &LeasedOperation,
        (before, change): (&ImageCache, &Change),
        ending: &OperationEnd<'_>,
        answer: &IdempotentAnswer,
    ) -> Settlement {
        let OperationEnd { request_id, error, unsettled_until } = ending;
        let audit = self.settled_entry(leased, request_id.clone(), *error);
        let follow = change.next.status.is_in_motion();
        Settlement {
            operation: leased.operation.id,
            kind: leased.operation.progress.kind,
            lease_token: leased.lease_token,
            state: if error.is_some() { OperationState::Refused } else { OperationState::Succeeded },
            error: error.cloned(),
            provider_request_id: request_id.clone(),
            unsettled_until: *unsettled_until,
            owed: owed(leased, error.is_some()),
            at: self.base.now(),
            answer: leased.keyed.then(|| answer.to_json()),
            write: self.transitions.write_from(before, change, audit),
            look_at: follow
                .then(|| self.base.now() + Duration::from_std(self.base.settings().look_least).unwrap_or_default()),
        }
    }

    /// The audit entry of the outcome, with the same actor, request and action as the entry of the request.
    fn settled_entry(
        &self,
        leased: &LeasedOperation,
        request_id: Option<String>,
        error: Option<&CloudError>,
    ) -> AuditEntry {
        let operation = &leased.operation;
        let actor = Actor {
            team: Some(operation.team.clone()),
            subject: operation.subject.clone(),
            credential: operation.credential.clone(),
            origin: Origin { door: Door::Worker, request_id: operation.request_id.clone(), address: None },
        };
        let outcome = if error.is_some() { Outcome::Refused } else { Outcome::Succeeded };
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), action(operation.progress.kind), outcome);
        entry.resource = Some(operation.cache.to_string());
        entry.operation = Some(operation.id);
        entry.provider_request_id = request_id;
        let since = |then: crate::domain::clock::Instant| {
            i32::try_from((self.base.now() - then).num_milliseconds()).unwrap_or(i32::MAX)
        };
        entry.duration_ms = Some(since(operation.created_at));
        entry.cloud_ms = operation.progress.last_signed_at.filter(|_| error.is_none()).map(since);
        entry.code = error.map(|error| error.code.clone());
        entry
    }
}

/// What the waiting caller is owed. If nobody waits, the janitor handles it.
fn owed(leased: &LeasedOperation, refused: bool) -> OwedAnswer {
    let Some(waiter) = &leased.waiter else { return OwedAnswer::Untouched };
    let owed = Owed::after_success(waiter.waits(), leased.keyed);
    OwedAnswer::Now(owed.filter(|_| !refused))
}

fn answer(leased: &LeasedOperation, change: &Change, error: Option<&CloudError>) -> IdempotentAnswer {
    if let Some(error) = error {
        return IdempotentAnswer::Refused { error: error.clone(), operation: leased.operation.id };
    }
    let shown = ImageCache { version: change.next.version + 1, ..change.next.clone() };
    IdempotentAnswer::Cache { image_cache: Box::new(ImageCacheView::from(shown)), settled: true }
}
