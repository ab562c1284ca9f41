//! Carrying out operations: sign, send, learn, settle. The rule is `domain::operation`; this is its hands.
//!
//! What must stay true: an attempt is recorded before it is signed, and signed with the time that was recorded; an
//! outcome is written together with all that follows from it; a worker that lost its lease writes nothing. A create
//! that can be sent at once has its first attempt recorded with it: as if nothing had come between the two, which is
//! one of the schedules of `tests/simulation`, so it leaves no state that was not there before.

use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::transitions::Transitions;
use crate::app::vanishings::Vanishings;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::poll::bucket::Buckets;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::base::lease::{Lease, LeasedItem};
use super::view::{ImageCacheView, OperationView};
use super::{Error, access};
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::ids::OperationId;
use crate::domain::image_cache::ImageCache;
use crate::domain::log_limit::LogLimit;
use crate::domain::operation::{Effect, Operation, OperationInput, OperationKind, Progress, decide};
use crate::store::LeasedOperation;

mod attempt;
pub(super) mod intent;
mod lookup;
pub(super) mod names;
pub(super) mod owed_answer;
mod persist;
pub(super) mod removal;
mod settle;
mod unsent;
mod unsettled;
mod worker;

pub(super) use attempt::PreparedAttempt;
pub(super) use unsent::Recording;

/// Why operations cannot be driven.
static SAID: LogLimit = LogLimit::new();

/// What was learned of an operation, for the record.
#[derive(Default)]
struct AttemptRecord {
    /// What the cloud did.
    done: Option<attempt::AttemptResult>,
    /// What the cloud refused with.
    refusal: Option<CloudError>,
    /// Which attempt ended, with which word, and what there is to say of it.
    attempt: Option<(i32, &'static str, String)>,
}

/// A delete that waits is the cache's newest operation.
fn is_unwanted(operation: &Operation, cache: &ImageCache) -> bool {
    operation.progress.kind == OperationKind::Create && cache.operation != operation.id
}

/// What a request is told of an operation, as it is kept for its idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdempotentAnswer {
    /// The cache as it was then.
    Cache {
        /// The cache.
        image_cache: Box<ImageCacheView>,
        /// Whether the cloud had answered.
        settled: bool,
    },
    /// The cloud refused.
    Refused {
        /// What it said.
        error: CloudError,
        /// The operation that ended.
        operation: OperationId,
    },
}

impl IdempotentAnswer {
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a tree of strings and numbers always becomes JSON")
    }

    pub(super) fn from_json(json: serde_json::Value) -> Result<Self, Error> {
        serde_json::from_value(json).map_err(|error| Error::Internal(error.into()))
    }
}

/// Operations, carried out; cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    base: Base,
    cloud_accounts: CloudAccounts,
    vanishings: Vanishings,
    transitions: Transitions,
    /// Which builds are tagged alike.
    buckets: Arc<Mutex<Buckets>>,
}

impl Operations {
    pub(super) fn new(
        base: &Base,
        cloud_accounts: &CloudAccounts,
        vanishings: &Vanishings,
        transitions: &Transitions,
    ) -> Self {
        Self {
            base: base.clone(),
            cloud_accounts: cloud_accounts.clone(),
            vanishings: vanishings.clone(),
            transitions: transitions.clone(),
            buckets: Arc::default(),
        }
    }

    /// The bucket that a new cache is tagged with; none where its team's tags leave no room.
    fn bucket_of(&self, id: CacheId, spec: &ImageCacheSpec) -> Option<String> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // The random half of the first member's id names a bucket. It tells nothing of the team.
        buckets.place(spec, self.base.now(), id.uuid().as_u64_pair().1)
    }
}

impl Operations {
    /// One operation of the caller's team.
    pub async fn get_operation(&self, caller: &Caller, id: OperationId) -> Result<OperationView, Error> {
        access::check(caller, "get_operation")?;
        let team = (!caller.may(Scope::PlatformRead)).then_some(&caller.team);
        let operation = self.base.store().operation(team, id).await?.ok_or(Error::NotFound("operation"))?;
        let waits_for = self.cloud_accounts.waits_for(&operation).await?.map(str::to_owned);
        Ok(OperationView { waits_for, ..operation.into() })
    }

    /// Drives an operation as far as it goes now, while it is ours. `None`: it goes on later.
    pub(super) async fn drive(&self, leased: LeasedOperation) -> Option<IdempotentAnswer> {
        self.drive_begun(leased, None, None).await
    }

    /// The same of one that was recorded just now: with its image cache as it was recorded, and the attempt that was
    /// recorded with it. (If the row has moved on since, its end says so.)
    pub(super) async fn drive_begun(
        &self,
        leased: LeasedOperation,
        cache: Option<ImageCache>,
        ready: Option<PreparedAttempt>,
    ) -> Option<IdempotentAnswer> {
        let operation = leased.operation.id;
        let lasts = self.base.settings().work.lease;
        let lease = Lease { on: LeasedItem::Operation(&leased), taken: leased.taken, lasts };
        // What is not done in time, or not to be done by us any more, is taken up by the next worker: nothing is lost.
        match self.base.holding(lease, Box::pin(self.step(&leased, cache, ready))).await {
            Some(Ok(answer)) => answer,
            Some(Err(error @ Error::Unreadable(_))) => {
                // The store has said which row. Its lease runs out, and a gateway that knows it takes it up.
                let cause = &error as &dyn std::error::Error;
                tracing::debug!(operation = %operation, error = cause, "an operation of another version");
                None
            }
            Some(Err(error)) => {
                // What the database cannot do now, it cannot do for any of them.
                let one = operation.to_string();
                let cause = if matches!(error, Error::Unavailable { .. }) { error.code() } else { &one };
                if let Some(left_out) = SAID.may(cause, std::time::Instant::now()) {
                    tracing::error!(
                        operation = one,
                        error = &error as &dyn std::error::Error,
                        left_out,
                        "could not process an operation"
                    );
                }
                None
            }
            None => {
                tracing::warn!(operation = %operation, "lost the lease and dropped the work");
                None
            }
        }
    }

    async fn step(
        &self,
        leased: &LeasedOperation,
        cache: Option<ImageCache>,
        ready: Option<PreparedAttempt>,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        let cache = match cache {
            Some(cache) => cache,
            None => self.cache_of(leased).await?,
        };
        if let Some(ready) = ready {
            return Box::pin(self.make_ready(leased, cache, &ready)).await;
        }
        if operation.progress.kind == OperationKind::Delete && cache.eci_cache_id.is_none() {
            return self.settle_done(leased, cache, None, None).await;
        }
        let unwanted = is_unwanted(operation, &cache);
        let overtaken_until = match operation.progress.kind {
            // A late copy of an earlier update is being built.
            OperationKind::Update if cache.status.is_in_motion() => Some(self.base.now()),
            OperationKind::Update => {
                self.base.store().overtaken_until(&operation.team, operation.cache, operation.id).await?
            }
            OperationKind::Create | OperationKind::Delete => None,
        };
        let (progress, effect) = self.decide(operation.progress, OperationInput::Due { unwanted, overtaken_until });
        // On the heap: each holds a whole settlement.
        match effect {
            Effect::Sign => Box::pin(self.attempt(leased, cache)).await,
            Effect::LookUp => Box::pin(self.look_up(leased, cache)).await,
            _ => Box::pin(self.carry_on(leased, cache, progress, effect, AttemptRecord::default())).await,
        }
    }

    /// The rule, now.
    fn decide(&self, progress: Progress, input: OperationInput) -> (Progress, Effect) {
        decide(progress, input, self.base.clock().present(), &self.base.settings().rule)
    }

    /// Ends the operation or puts it back, as the rule says.
    async fn carry_on(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        progress: Progress,
        effect: Effect,
        learned: AttemptRecord,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        match effect {
            Effect::Succeed { unsettled_until } => self.settle_done(leased, cache, learned.done, unsettled_until).await,
            Effect::Refuse => {
                let kept = leased.operation.error.clone();
                let error =
                    learned.refusal.or(kept).ok_or_else(|| Error::Internal("a refusal without a reason".into()))?;
                self.settle_refused(leased, cache, &error).await
            }
            Effect::Withdraw => self.settle_withdrawn(leased, cache).await,
            Effect::Wait(due_at) => self.put_back(leased, progress, due_at, learned).await,
            // Only what is due is signed or looked for: it comes back at once.
            Effect::Sign | Effect::LookUp => self.put_back(leased, progress, self.base.now(), learned).await,
        }
    }

    /// The cache's own id at the cloud, where the operation needs one.
    fn target(cache: &ImageCache) -> Result<&str, Error> {
        cache
            .eci_cache_id
            .as_deref()
            .ok_or_else(|| Error::Internal("an update or delete of a cache that the cloud never had".into()))
    }
}
