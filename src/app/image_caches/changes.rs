//! Create, update and delete: one transaction records the intent, a separate task carries it out, and the caller waits
//! for that as long as it likes.
//!
//! What must stay true: nothing is sent before it is recorded; a caller that disconnects stops nothing; one idempotency
//! key means one create. A create that can be sent at once is recorded with its first attempt, and together with others
//! that start at the same moment; it holds no permit while it waits for that.

use std::sync::Arc;
use std::time::Duration;

use crate::app::admission::{reacquire_permit, without_permit};
use crate::app::image_caches::ImageCaches;
use crate::app::input::{ChangeOptions, Changed, IdempotencyKey};
use crate::app::operations::names::OperationNames;
use crate::app::operations::owed_answer::CallerDebt;
use crate::app::operations::{IdempotentAnswer, PreparedAttempt, Recording};
use crate::app::platform::policy::{AccountChoice, PolicyCase, no_account, quota};
use crate::app::{Call, Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::{ImageCacheChanges, NewImageCache};
use crate::domain::image_cache::status::Status;
use crate::domain::operation::OperationKind;
use crate::domain::policy::Holdings;
use crate::domain::problem::Code;
use crate::store::{Begun, Claimed, LeasedOperation, NewCreate, NewOperation, QuotaCheck};

mod repeats;
mod retry;

pub(in crate::app) use repeats::replay;

const CREATE: &str = "create_image_cache";
const UPDATE: &str = "update_image_cache";
const DELETE: &str = "delete_image_cache";

impl ImageCaches {
    /// Creates an image cache. A second request with the same key gets the answer of the first.
    pub async fn create_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<Changed, Error> {
        self.create(caller, call, new, key, wait, &mut CallerDebt::Nothing).await
    }

    /// The same, for a caller that may have to be given the ids in this answer.
    pub(in crate::app) async fn create(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
        owes: &mut CallerDebt,
    ) -> Result<Changed, Error> {
        let named = self.operations.named(&caller.team, key.map(|key| self.new_key(CREATE, &key)));
        if let Some(changed) = self.create_named(caller, call, &new, named.clone(), wait, owes).await? {
            return Ok(changed);
        }
        let named = self.operations.named_anew(&caller.team, named).await?;
        let created = Box::pin(self.create_named(caller, call, &new, named, wait, owes)).await?;
        created.ok_or(Error::IdempotencyInFlight)
    }

    /// `None` if an earlier create has the operation's id; nothing was done.
    async fn create_named(
        &self,
        caller: &Caller,
        call: &Call,
        new: &NewImageCache,
        named: OperationNames,
        wait: Duration,
        owes: &mut CallerDebt,
    ) -> Result<Option<Changed>, Error> {
        access::check(caller, CREATE)?;
        new.check()?;
        self.cloud_accounts.check_region(&new.spec.region)?;
        let place = AccountChoice::Asked(new.cloud_account.as_deref());
        let ruling = self.policies.ruling(&caller.team, Some(&new.spec.region), place).await?;
        let (spec, _) = ruling.filled(&new.spec);
        let mut case = ruling.create(&spec);
        let cache = self.operations.new_cache(caller, &spec, &ruling.account, named.operation);
        let (kind, logins) = (OperationKind::Create, &new.registry_credentials);
        let mut intent = self.operations.intent(caller, call, kind, &cache, spec.clone(), logins, named);
        intent.operation.marks = ruling.owner_tags();
        let first = self.transitions.transition(&cache, None, "requested");
        let ready =
            if case.is_refused() { None } else { Box::pin(self.operations.ready_to_create(&cache.account)).await? };
        intent.noted = ready.as_ref().map(PreparedAttempt::signed);
        intent.waiter = owes.begin(&self.operations, call, &intent);
        let create = Arc::new(NewCreate { new: intent, cache, first });
        let (counts, since) = (case.counts(), case.since());
        let mut admits = |holdings: &Holdings| case.admits(holdings);
        let begun = Box::pin(self.begin_create(&create, quota(counts, since, &mut admits))).await;
        if ready.is_some() && !matches!(begun, Ok(Claimed::Fresh)) {
            self.cloud_accounts.unspend(&create.cache.account).await;
        }
        let begun = begun?;
        if begun != Claimed::Fresh {
            owes.settle();
        }
        match begun {
            Claimed::Fresh => call.set_audited(),
            Claimed::OverQuota => return Err(self.policies.refused(case.into_refusals())),
            Claimed::Mismatch => return Err(Error::IdempotencyMismatch),
            Claimed::NoAccount => return Err(no_account(&create.cache.account)),
            Claimed::IdTaken => return Ok(None),
            Claimed::Earlier { answer, operation } => {
                return self.replayed(caller, replay(answer, operation)?).await.map(Some);
            }
        }
        let NewCreate { new, cache, .. } = Arc::unwrap_or_clone(create);
        // Boxed as much as possible: a request's future is moved around.
        Box::pin(self.carry_out(new, cache, ready, wait)).await.map(Some)
    }

    /// Records a create: together with others, unless it has to be counted or does not fit.
    async fn begin_create(&self, create: &Arc<NewCreate>, quota: Option<QuotaCheck<'_>>) -> Result<Claimed, Error> {
        let recording = Recording::of(&self.operations, &create.new);
        if quota.is_none() {
            if without_permit(self.base.store().begin_together(create)).await? {
                return Ok(recording.recorded(Claimed::Fresh));
            }
            reacquire_permit().await?;
        }
        Ok(recording.recorded(self.base.store().begin_create(create, quota).await?))
    }

    /// Updates the row as it is now, unless that was done before.
    pub(in crate::app) async fn update_as_it_is(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        changes: ImageCacheChanges,
        options: ChangeOptions,
        named: OperationNames,
    ) -> Result<Changed, Error> {
        if let Some(key) = &named.key
            && let Some(earlier) = self.earlier_change(caller, key).await?
        {
            return Ok(earlier);
        }
        let cache = self.current(caller, id, &options).await?;
        let spec = changes.apply(&cache.spec)?;
        check_updatable(cache.status)?;
        let ruling = self.policies.ruling(&caller.team, Some(&spec.region), AccountChoice::Of(&cache.account)).await?;
        let (before, logins) = (cache.spec.clone(), &changes.registry_credentials);
        let kind = OperationKind::Update;
        let mut intent = self.operations.intent(caller, call, kind, &cache, spec.clone(), logins, named);
        intent.operation.changes = Some(changes);
        intent.operation.marks = ruling.owner_tags();
        let case = ruling.update(&before, &spec);
        self.change(call, intent, cache, options, Some(case)).await
    }

    /// Deletes the row as it is now.
    pub(in crate::app) async fn delete_as_it_is(
        &self,
        caller: &Caller,
        call: &Call,
        id: CacheId,
        options: ChangeOptions,
    ) -> Result<Changed, Error> {
        let cache = self.current(caller, id, &options).await?;
        let asked = cache.status == Status::Deleting && !self.operations.may_send_again(&cache).await?;
        if cache.status.is_final() || asked {
            // Asking for the same result twice is not an error: the cache is deleted or being deleted.
            return Ok(Changed { image_cache: cache.into(), settled: true, replayed: false, status_now: None });
        }
        let newest = self.base.store().operation(Some(&caller.team), cache.operation).await?;
        if newest.is_some_and(|newest| newest.progress.kind == OperationKind::Delete && !newest.state.is_over()) {
            return Ok(Changed { image_cache: cache.into(), settled: false, replayed: false, status_now: None });
        }
        let spec = cache.spec.clone();
        let named = self.operations.named_once(options.key.as_ref().map(|key| self.new_key(DELETE, key)));
        let intent = self.operations.intent(caller, call, OperationKind::Delete, &cache, spec, &[], named);
        self.change(call, intent, cache, options, None).await
    }

    /// Records a delete that waits for the running operation. A create of which nothing was sent is withdrawn at once,
    /// and the delete continues; otherwise both continue in the background, and the caller learns that the delete is
    /// recorded.
    async fn wait_for_earlier(&self, intent: NewOperation, cache: ImageCache) -> Result<Changed, Error> {
        let (id, keyed) = (intent.operation.id, intent.key.is_some());
        let earlier = self.base.store().running_on(&cache.team, cache.id).await?;
        if let Some(create) = earlier.filter(|earlier| earlier.progress.kind == OperationKind::Create) {
            self.drive_now(create.id).await?;
        }
        if let Some(ended) = self.drive_now(id).await? {
            return ended.into_result(false);
        }
        let early = IdempotentAnswer::Cache { image_cache: Box::new(cache.into()), settled: false };
        self.answer_early(keyed, id, &early).await?;
        early.into_result(false)
    }

    /// Carries out an operation that nobody holds and whose outcome is not in doubt.
    async fn drive_now(&self, id: OperationId) -> Result<Option<IdempotentAnswer>, Error> {
        let lease = self.base.settings().work.lease.as_secs_f64();
        let Some(leased) = self.base.store().claim_operation(id, self.base.uuid(), lease, self.base.uptime()).await?
        else {
            return Ok(None);
        };
        let operations = self.clone();
        // A caller that disconnects stops nothing.
        let task = self.base.tasks().spawn(async move { operations.operations.drive(leased).await });
        Ok(without_permit(task).await.ok().flatten())
    }

    /// The row, if it belongs to the caller's team and has the version that the caller requires.
    pub(in crate::app) async fn current(
        &self,
        caller: &Caller,
        id: CacheId,
        options: &ChangeOptions,
    ) -> Result<ImageCache, Error> {
        let cache = self.base.store().image_cache(&caller.team, id).await?.ok_or(Error::NotFound("image cache"))?;
        options.precondition.check(cache.version)?;
        Ok(cache)
    }

    async fn change(
        &self,
        call: &Call,
        intent: NewOperation,
        cache: ImageCache,
        options: ChangeOptions,
        mut case: Option<PolicyCase<'_>>,
    ) -> Result<Changed, Error> {
        let judged = case.as_ref().map(|case| (case.counts(), case.since()));
        let mut admits = |holdings: &Holdings| case.as_mut().is_none_or(|case| case.admits(holdings));
        let quota = judged.and_then(|(counts, since)| quota(counts, since, &mut admits));
        match self.base.store().begin_change(&intent, cache.version, quota).await {
            Ok(Begun::OverQuota) => {
                return Err(self.policies.refused(case.map(PolicyCase::into_refusals).unwrap_or_default()));
            }
            Ok(Begun::Running) => call.set_audited(),
            Ok(Begun::Waiting) => {
                call.set_audited();
                let cache = ImageCache { version: cache.version + 1, operation: intent.operation.id, ..cache };
                return Box::pin(self.wait_for_earlier(intent, cache)).await;
            }
            Ok(Begun::Moved) => return Err(lost()),
            // An earlier one has the operation's id, from when it had the same key.
            Err(error) if error.is_constraint("operations_pkey") => return Err(lost()),
            Err(error)
                if error.is_constraint("operations_one_running") || error.is_constraint("operations_one_waiting") =>
            {
                let detail = format!("the operation {} on this image cache has not ended yet", cache.operation);
                return Err(Error::Conflict { code: Code::OperationInProgress, detail });
            }
            Err(error) => return Err(error.into()),
        }
        let cache = ImageCache { version: cache.version + 1, operation: intent.operation.id, ..cache };
        Box::pin(self.carry_out(intent, cache, None, options.wait)).await
    }

    /// Starts the task and waits for it. After `wait`, the task continues and the caller is told so.
    pub(in crate::app) async fn carry_out(
        &self,
        intent: NewOperation,
        cache: ImageCache,
        ready: Option<PreparedAttempt>,
        wait: Duration,
    ) -> Result<Changed, Error> {
        let (operation, keyed) = (intent.operation.id, intent.key.is_some());
        let leased = LeasedOperation {
            operation: intent.operation,
            credentials: intent.credentials,
            lease_token: intent.lease_token,
            taken: intent.taken,
            keyed,
            waiter: intent.waiter,
        };
        let (operations, known) = (self.clone(), cache.clone());
        let mut task = self
            .base
            .tasks()
            .spawn(async move { Box::pin(operations.operations.drive_begun(leased, Some(known), ready)).await });
        let early = || IdempotentAnswer::Cache { image_cache: Box::new(cache.into()), settled: false };
        let ended = without_permit(tokio::time::timeout(wait, &mut task)).await.map(|ended| ended.ok().flatten());
        if let Ok(Some(answer)) = ended {
            return answer.into_result(false);
        }
        let early = early();
        let answer = match ended {
            // It continues later, or takes longer than we wait: in both cases the key's answer is now "not yet".
            _ if self.answer_early(keyed, operation, &early).await? => early,
            Ok(_) => early,
            // The outcome was recorded at this very moment, and is now the key's answer.
            Err(_later) => task.await.ok().flatten().unwrap_or(early),
        };
        answer.into_result(false)
    }

    /// Stores "not yet" as the key's answer. `false` if the outcome was stored first.
    async fn answer_early(&self, keyed: bool, operation: OperationId, early: &IdempotentAnswer) -> Result<bool, Error> {
        if !keyed {
            return Ok(true);
        }
        Ok(self.base.store().answer_early(operation, &early.to_json()).await?)
    }
}

/// Somebody else was faster: nothing was recorded.
fn lost() -> Error {
    let detail = "the image cache changed while the request was processed; read it again and retry".to_owned();
    Error::Conflict { code: Code::ConcurrentChange, detail }
}

/// Refuses an update in a status in which the cloud does not allow it.
pub(in crate::app) fn check_updatable(status: Status) -> Result<(), Error> {
    if matches!(status, Status::Ready | Status::UpdateFailed) {
        return Ok(());
    }
    let detail = format!("an image cache can be updated only while it is ready or update_failed; it is {status}");
    Err(Error::Conflict { code: Code::ImageCacheNotUpdatable, detail })
}
