//! Carries out operations: sign, send, learn the outcome, settle. `domain::operation` makes the decisions; this module
//! does what they say.
//!
//! What must stay true: an attempt is recorded before it is signed, and signed with the recorded time; an outcome is
//! written in one transaction with everything that follows from it; a worker that lost its lease writes nothing. A
//! create that can be sent at once is recorded together with its first attempt. That is the same as if nothing had
//! happened between the two, which is one of the schedules in `tests/simulation`, so it adds no new state.

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

/// Limits how often the reasons for failures are logged.
static SAID: LogLimit = LogLimit::new();

/// What was learned about an operation and has to be recorded.
#[derive(Default)]
struct AttemptRecord {
    /// The result, if the cloud did it.
    done: Option<attempt::AttemptResult>,
    /// The error, if the cloud refused.
    refusal: Option<CloudError>,
    /// The attempt that ended: its number, its outcome and a description.
    attempt: Option<(i32, &'static str, String)>,
}

/// Whether a waiting delete makes this create pointless. Such a delete is the cache's newest operation.
fn is_unwanted(operation: &Operation, cache: &ImageCache) -> bool {
    operation.progress.kind == OperationKind::Create && cache.operation != operation.id
}

/// The answer to a request, as it is stored for its idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdempotentAnswer {
    /// An image cache.
    Cache {
        /// The cache as it was then.
        image_cache: Box<ImageCacheView>,
        /// Whether the cloud had answered.
        settled: bool,
    },
    /// The cloud refused.
    Refused {
        /// The cloud's error.
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

/// Carries out operations; cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    base: Base,
    cloud_accounts: CloudAccounts,
    vanishings: Vanishings,
    transitions: Transitions,
    /// Groups builds that share a bucket tag.
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

    /// The bucket that a new cache is tagged with; `None` if the team's own tags leave no room.
    fn bucket_of(&self, id: CacheId, spec: &ImageCacheSpec) -> Option<String> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // A bucket is named after the random half of its first member's id, which reveals nothing about the team.
        buckets.place(spec, self.base.now(), id.uuid().as_u64_pair().1)
    }
}

impl Operations {
    /// One operation of the caller's team, or of any team for a caller who may read the platform.
    pub async fn get_operation(&self, caller: &Caller, id: OperationId) -> Result<OperationView, Error> {
        access::check(caller, "get_operation")?;
        let team = (!caller.may(Scope::PlatformRead)).then_some(&caller.team);
        let operation = self.base.store().operation(team, id).await?.ok_or(Error::NotFound("operation"))?;
        let waits_for = self.cloud_accounts.waits_for(&operation).await?.map(str::to_owned);
        Ok(OperationView { waits_for, ..operation.into() })
    }

    /// Drives an operation as far as possible now, while we hold its lease. `None` if it continues later.
    pub(super) async fn drive(&self, leased: LeasedOperation) -> Option<IdempotentAnswer> {
        self.drive_begun(leased, None, None).await
    }

    /// The same for an operation that was just recorded, with its image cache and the attempt that were recorded with
    /// it. (If the row has changed since then, writing the outcome will detect it.)
    pub(super) async fn drive_begun(
        &self,
        leased: LeasedOperation,
        cache: Option<ImageCache>,
        ready: Option<PreparedAttempt>,
    ) -> Option<IdempotentAnswer> {
        let operation = leased.operation.id;
        let lasts = self.base.settings().work.lease;
        let lease = Lease { on: LeasedItem::Operation(&leased), taken: leased.taken, lasts };
        // The next worker takes over what is not finished in time or is no longer ours, so nothing is lost.
        match self.base.holding(lease, Box::pin(self.step(&leased, cache, ready))).await {
            Some(Ok(answer)) => answer,
            Some(Err(error @ Error::Unreadable(_))) => {
                // The store has logged which row. Its lease runs out, and a gateway of the other version takes it over.
                let cause = &error as &dyn std::error::Error;
                tracing::debug!(operation = %operation, error = cause, "an operation of another version");
                None
            }
            Some(Err(error)) => {
                // If the database fails for one operation, it fails for all of them: log the cause once.
                let one = operation.to_string();
                let cause = if matches!(error, Error::Unavailable { .. }) { error.code().as_str() } else { &one };
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
        // Boxed, because each future contains a whole settlement.
        match effect {
            Effect::Sign => Box::pin(self.attempt(leased, cache)).await,
            Effect::LookUp => Box::pin(self.look_up(leased, cache)).await,
            _ => Box::pin(self.carry_on(leased, cache, progress, effect, AttemptRecord::default())).await,
        }
    }

    /// The decision for the current time.
    fn decide(&self, progress: Progress, input: OperationInput) -> (Progress, Effect) {
        decide(progress, input, self.base.clock().present(), &self.base.settings().rule)
    }

    /// Ends the operation or puts it back, as decided.
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
            // Only an operation that is due is signed or looked up, so it is due again at once.
            Effect::Sign | Effect::LookUp => self.put_back(leased, progress, self.base.now(), learned).await,
        }
    }

    /// The cache's cloud id, which updates and deletes need.
    fn target(cache: &ImageCache) -> Result<&str, Error> {
        cache
            .eci_cache_id
            .as_deref()
            .ok_or_else(|| Error::Internal("an update or delete of a cache that the cloud never had".into()))
    }
}
