//! Handles creates whose caller could not wait. The cloud's API has no way to answer "later", so the gateway's version
//! of that API answers that nothing was done, and this module makes that true.
//!
//! What must stay true: a create that was never sent is never sent later; one that may have been sent goes on, because
//! it cannot be called back. A repeated request with the same `ClientToken` returns how that ended. Without a token the
//! caller can never learn the id, so a cache that is created after all is deleted again, and an audit entry records it.
//! That the caller has not been answered is stored from the start of the create on
//! ([`crate::app::operations::owed_answer`]), so it does not matter how the request ends.

use std::time::Duration;

use tokio::time::{Instant as Deadline, timeout_at};

use crate::app::admission::without_permit;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{Changed, IdempotencyKey};
use crate::app::operations::owed_answer::{CallerDebt, Receipt};
use crate::app::operations::removal::JANITOR;
use crate::app::{Call, Error, access};
use crate::domain::audit::{Actor, Outcome};
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::Caller;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::NewImageCache;
use crate::domain::operation::{Operation, OperationKind, OperationState, WITHDRAWN};
use crate::domain::transition::change;

/// The action name of creates and of their idempotency keys.
const CREATE: &str = "create_image_cache";
/// How often a waiting request checks the database without a signal.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The most abandoned caches that one pass deletes.
const PASS: i64 = 32;
/// The most creates that one pass abandons.
const UNTOLD: i64 = 1_000;
/// How long to wait after the cloud first refused a delete; doubled after each further refusal.
const REMOVE_AGAIN_AFTER: Duration = Duration::from_mins(10);
/// The longest wait between two tries to delete.
const REMOVE_AT_LEAST_EACH: Duration = Duration::from_hours(24);

/// The state of a create whose caller must be answered now.
#[derive(Debug)]
pub enum CreateAnswer {
    /// Done, with the cloud's ids of the cache and of the instance that builds it.
    Done {
        /// The `ImageCacheId` of the cache that was created.
        eci_cache_id: String,
        /// The `ContainerGroupId`, if known.
        container_group_id: Option<String>,
        /// What to record about the answer.
        receipt: Option<Receipt>,
    },
    /// Nothing was sent, and nothing will be.
    Withdrawn,
    /// The create was sent and the cloud has not answered. Repeating the request with its key returns the result;
    /// without a key, the cache is deleted if it is created.
    Unanswered,
}

impl ImageCaches {
    /// Creates an image cache for a caller that cannot be answered later: returns the ids, or makes sure that nothing
    /// was done, as far as possible.
    pub async fn create_image_cache_now(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<CreateAnswer, Error> {
        let mut owes = CallerDebt::Ids;
        let told = self.create_and_tell(caller, call, new, key, wait, &mut owes).await;
        let Ok(CreateAnswer::Done { eci_cache_id, container_group_id, .. }) = told else {
            // Nothing was created, or it is recorded that nobody will learn of it.
            if matches!(told, Ok(CreateAnswer::Withdrawn | CreateAnswer::Unanswered) | Err(Error::CloudRefused { .. }))
            {
                owes.settle();
            }
            return told;
        };
        let Some(receipt) = owes.into_receipt().await? else { return Ok(CreateAnswer::Unanswered) };
        Ok(CreateAnswer::Done { eci_cache_id, container_group_id, receipt })
    }

    async fn create_and_tell(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
        owes: &mut CallerDebt,
    ) -> Result<CreateAnswer, Error> {
        let deadline = Deadline::now() + wait;
        let token = key.as_ref().map(|key| key.key.clone());
        match self.create(caller, call, new, key, wait, owes).await {
            Ok(Changed { image_cache, settled: true, .. }) => {
                done(image_cache.eci_cache_id, image_cache.container_group_id)
            }
            Ok(Changed { image_cache, replayed, .. }) => {
                let id = image_cache.operation_id.parse().map_err(|_| lost())?;
                match self.await_create(caller, id, deadline).await? {
                    CreateAnswer::Unanswered if !replayed => self.give_up_create(caller, call, id).await,
                    told => Ok(told),
                }
            }
            Err(Error::IdempotencyInFlight) => {
                let token = token.unwrap_or_default();
                match self.base.store().operation_of_key(&caller.team, CREATE, &token).await? {
                    Some((id, _)) => self.await_create(caller, id, deadline).await,
                    None => Ok(CreateAnswer::Unanswered),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Stops waiting for a create: returns its result if there is one by now, otherwise withdraws or abandons it.
    async fn give_up_create(&self, caller: &Caller, call: &Call, id: OperationId) -> Result<CreateAnswer, Error> {
        let operation = self.operation_of(caller, id).await?;
        if operation.state == OperationState::Running {
            if self.withdraw(&Actor::caller(caller, &call.origin), &operation).await? {
                return Ok(CreateAnswer::Withdrawn);
            }
            if self.base.store().abandon_running(id).await? {
                return Ok(CreateAnswer::Unanswered);
            }
            // It ended at this very moment.
            return self.ended(self.operation_of(caller, id).await?).await;
        }
        self.ended(operation).await
    }

    /// The result of an earlier update or delete with the same key. `None` if the key is new; `false` if the operation
    /// has not ended within `wait`.
    pub async fn repeated_change(
        &self,
        caller: &Caller,
        action: &'static str,
        key: &IdempotencyKey,
        wait: Duration,
    ) -> Result<Option<bool>, Error> {
        access::check(caller, action)?;
        let key = self.new_key(action, key);
        let Some((id, fingerprint)) = self.base.store().operation_of_key(&caller.team, action, &key.key).await? else {
            return Ok(None);
        };
        if !key.is_of(&fingerprint) {
            return Err(Error::IdempotencyMismatch);
        }
        self.await_change(caller, id, wait).await.map(Some)
    }

    /// Waits for a recorded update or delete to end, whoever carries it out. `false` if it has not ended within `wait`;
    /// it then continues.
    pub async fn await_change(&self, caller: &Caller, id: OperationId, wait: Duration) -> Result<bool, Error> {
        let operation = self.await_end(caller, id, Deadline::now() + wait).await?;
        let over = operation.state.is_over();
        match operation.error {
            // An operation that is on hold has not ended yet.
            Some(error) if over => Err(Error::CloudRefused { error, operation: Some(id) }),
            _ => Ok(over),
        }
    }

    async fn await_create(&self, caller: &Caller, id: OperationId, deadline: Deadline) -> Result<CreateAnswer, Error> {
        let operation = self.await_end(caller, id, deadline).await?;
        if operation.state == OperationState::Running {
            Ok(CreateAnswer::Unanswered)
        } else {
            self.ended(operation).await
        }
    }

    /// Waits for an operation to end, whichever request started it. It may still be running at the deadline.
    async fn await_end(&self, caller: &Caller, id: OperationId, deadline: Deadline) -> Result<Operation, Error> {
        // Subscribe before the first read, or a change in between is missed.
        let mut changes = self.base.signals().subscribe();
        loop {
            let operation = self.operation_of(caller, id).await?;
            if operation.state.is_over() || Deadline::now() >= deadline {
                return Ok(operation);
            }
            // Outcomes from another gateway send no signal here.
            let until = deadline.min(Deadline::now() + LOOK_EVERY);
            let _look = without_permit(timeout_at(until, changes.recv())).await;
        }
    }

    async fn operation_of(&self, caller: &Caller, id: OperationId) -> Result<Operation, Error> {
        let operation = self.base.store().operation(Some(&caller.team), id).await?;
        operation.ok_or_else(lost)
    }

    async fn ended(&self, operation: Operation) -> Result<CreateAnswer, Error> {
        if let Some(error) = operation.error {
            return Err(Error::CloudRefused { error, operation: Some(operation.id) });
        }
        let cache = self.base.store().image_cache(&operation.team, operation.cache).await?;
        let cache = cache.ok_or_else(|| Error::Internal("an operation without its image cache".into()))?;
        done(cache.eci_cache_id, cache.container_group_id)
    }

    /// Returns `false` if it has ended, or may have been sent.
    async fn withdraw(&self, actor: &Actor, operation: &Operation) -> Result<bool, Error> {
        let cache = self.base.store().image_cache(&operation.team, operation.cache).await?;
        let cache = cache.ok_or_else(|| Error::Internal("an operation without its image cache".into()))?;
        let error = CloudError {
            code: WITHDRAWN.to_owned(),
            message: "the cloud was not reached in time, and the caller was informed that nothing was done".to_owned(),
            request_id: None,
            http_status: 503,
            denied: None,
        };
        let change = change::refused(&cache, OperationKind::Create, &error, self.base.now());
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), "withdraw_image_cache", Outcome::Succeeded);
        entry.resource = Some(cache.id.to_string());
        entry.operation = Some(operation.id);
        let write = self.transitions.write_of(&change, Some(entry));
        if !self.base.store().withdraw(operation.id, &error, self.base.now(), &write).await? {
            return Ok(false);
        }
        self.base.signals().cache_changed(cache.id);
        Ok(true)
    }

    /// Ends creates that no caller can ever learn of: withdraws those that were never sent, and starts deleting the
    /// caches of the others. Returns how many. Not called while the clock is in doubt; nothing is abandoned then, so a
    /// create may be withdrawn minutes after it was abandoned.
    pub async fn end_abandoned(&self) -> Result<usize, Error> {
        self.base.store().forget_abandoned().await?;
        self.give_up_untold().await?;
        let mut begun = 0;
        for operation in self.base.store().abandoned_unsent(PASS).await? {
            let actor = Actor::worker(JANITOR, operation.team.clone(), operation.request_id.clone());
            begun += usize::from(self.withdraw(&actor, &operation).await?);
        }
        let rests = (REMOVE_AGAIN_AFTER, REMOVE_AT_LEAST_EACH);
        let found = self.base.store().abandoned_caches(self.base.now(), rests, PASS).await?;
        for (create, cache) in found {
            begun += usize::from(self.begin_removal(&create, cache).await?);
        }
        let unremoved = self.base.store().abandoned_unremoved().await?;
        metrics::gauge!("ecg_creates_unremoved").set(f64::from(u32::try_from(unremoved).unwrap_or(u32::MAX)));
        Ok(begun)
    }

    /// Abandons creates whose answer was not delivered by now, because no answer can still be on its way. Logs those
    /// for which nobody knows.
    async fn give_up_untold(&self) -> Result<(), Error> {
        let before = self.base.before(self.base.settings().answer_within);
        self.base.store().tell_unknown_owed().await?;
        let given_up = self.base.store().abandon_untold(before, UNTOLD).await?;
        metrics::counter!("ecg_creates_untold_total").increment(given_up);
        for (operation, cache) in self.base.store().perhaps_untold(before).await? {
            metrics::counter!("ecg_creates_perhaps_untold_total").increment(1);
            tracing::warn!(%operation, image_cache = %cache, "a gateway stopped while it returned the ids to a \
                caller: keeping the cache");
        }
        Ok(())
    }

    async fn begin_removal(&self, create: &Operation, cache: ImageCache) -> Result<bool, Error> {
        let begun = self.operations.begin_own_delete(&cache, create, "abandoned").await?;
        if begun {
            tracing::warn!(image_cache = %cache.id, "deleting a cache whose caller was informed that nothing was done");
        }
        Ok(begun)
    }
}

fn lost() -> Error {
    Error::Internal("a request without its operation".into())
}

fn done(eci_cache_id: Option<String>, container_group_id: Option<String>) -> Result<CreateAnswer, Error> {
    let eci_cache_id = eci_cache_id.ok_or_else(|| Error::Internal("a create that is done without an id".into()))?;
    Ok(CreateAnswer::Done { eci_cache_id, container_group_id, receipt: None })
}
