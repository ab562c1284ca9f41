//! One attempt: recorded, signed, sent, and its answer evaluated.

use chrono::Duration;

use super::{AttemptRecord, IdempotentAnswer};
use crate::app::Error;
use crate::app::operations::Operations;
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::RegistryCredential;
use crate::domain::operation::{
    self as rule, Operation, OperationInput, OperationKind, Progress, client_token, is_stale,
};
use crate::eci::{self, Attempt, Client, Created};
use crate::store::{LeasedOperation, Postponed};

/// How long to wait before checking again whether the account can be used.
const WITHOUT_ACCOUNT: Duration = Duration::seconds(5);
/// How long to wait before trying again an operation whose registry logins cannot be decrypted: by then a gateway with
/// the key may have started.
const WITHOUT_KEY: Duration = Duration::minutes(1);

/// What the cloud did: the answer to a create, or just a RequestId.
pub(super) struct AttemptResult {
    pub(super) created: Option<(String, Option<String>)>,
    pub(super) request_id: String,
}

impl From<Created> for AttemptResult {
    fn from(created: Created) -> Self {
        Self { created: Some((created.eci_cache_id, created.container_group_id)), request_id: created.request_id }
    }
}

/// A first attempt that is possible now. It is recorded together with its operation, then signed with the recorded
/// time.
#[derive(Debug)]
pub(in crate::app) struct PreparedAttempt {
    cloud: Client,
    signed: Progress,
}

impl PreparedAttempt {
    /// The progress to record.
    pub(in crate::app) fn signed(&self) -> Progress {
        self.signed
    }
}

/// What an attempt is sent with: the account's client, and the registry logins.
type CallContext<'a> = (&'a Client, &'a [RegistryCredential]);

impl Operations {
    /// Prepares a create in this account that can be sent at once, so that its first attempt is recorded together with
    /// it; spends a call. `None` if it has to wait for its account or for a call once it is recorded.
    pub(in crate::app) async fn ready_to_create(&self, account: &str) -> Result<Option<PreparedAttempt>, Error> {
        let Ok(cloud) = self.cloud_accounts.cloud_of(account).await else { return Ok(None) };
        if !self.cloud_accounts.spend_at_once(account).await? {
            return Ok(None);
        }
        Ok(Some(PreparedAttempt {
            cloud,
            signed: Progress::new(OperationKind::Create).signed(self.base.clock().present()),
        }))
    }

    /// Makes the attempt that was recorded with its operation.
    pub(super) async fn make_ready(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        ready: &PreparedAttempt,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let logins = self.open_logins(leased.operation.id, leased.credentials.as_deref())?;
        let signed_at = ready.signed.last_signed_at.unwrap_or_else(|| self.base.now());
        self.make_attempt(leased, cache, (&ready.cloud, &logins), (ready.signed, signed_at)).await
    }

    pub(super) async fn attempt(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        let cloud = match self.cloud_accounts.cloud_of(&cache.account).await {
            Ok(cloud) => cloud,
            Err(fault) => return self.wait_for_account(leased, &cache, &fault).await,
        };
        // Before anything is recorded: an attempt that can never be sent does not count.
        let logins = match self.open_logins(operation.id, leased.credentials.as_deref()) {
            Ok(logins) => logins,
            Err(error) => return self.wait_for_key(leased, &error).await,
        };
        if let Some(at) = self.cloud_accounts.spend_for_change(&cache.account).await? {
            return self.put_back(leased, operation.progress, at, AttemptRecord::default()).await;
        }
        let now = self.base.clock().present();
        if !operation.progress.may_sign(now, &self.base.settings().rule) {
            tracing::warn!(operation = %operation.id, "the worker was paused before the attempt: deciding again");
            return self.put_back(leased, operation.progress, now.at, AttemptRecord::default()).await;
        }
        let signed = operation.progress.signed(now);
        if !self.note_attempt(leased, &signed).await? {
            tracing::warn!(operation = %operation.id, "lost the lease before the attempt");
            return Ok(None);
        }
        self.make_attempt(leased, cache, (&cloud, &logins), (signed, now.at)).await
    }

    /// Signs and sends a recorded attempt, and acts on the answer.
    async fn make_attempt(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
        means: CallContext<'_>,
        (signed, signed_at): (Progress, Instant),
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        let sent = if is_stale(signed_at, self.base.now()) {
            Err(CallError::NotSent("the worker was paused between signing and sending".into()))
        } else {
            self.send(means, leased, &cache, signed_at).await?
        };
        let outcome = sent.as_ref().err().map_or("succeeded", word);
        metrics::counter!("ecg_cloud_attempts_total", "kind" => operation.progress.kind.as_str(), "outcome" => outcome)
            .increment(1);
        if let Err(fault) = &sent {
            self.cloud_accounts.note_fault(&cache.account, fault).await?;
        }
        let sure = self.base.clock().is_sure();
        let judge = |fault| rule::CallOutcome::of_fault(fault, signed.kind, sure);
        let answer = sent.as_ref().err().map_or(rule::CallOutcome::Done, judge);
        let (progress, effect) = self.decide(signed, OperationInput::Answered(answer));
        if answer == rule::CallOutcome::Mismatch {
            metrics::counter!("ecg_operations_quarantined_total").increment(1);
            tracing::error!(operation = %operation.id, "quarantined: the cloud knows the token with different \
                                                        parameters");
        }
        let learned = match sent {
            Ok(done) => AttemptRecord { done: Some(done), ..AttemptRecord::default() },
            Err(fault) => learn(operation, signed.attempts, fault),
        };
        // The outcome includes how long the cloud took.
        let mut asked = leased.clone();
        asked.operation.progress.last_signed_at = Some(signed_at);
        self.carry_on(&asked, cache, progress, effect, learned).await
    }

    /// Signs with the recorded time, never a later one: the lookup relies on it.
    async fn send(
        &self,
        (cloud, logins): CallContext<'_>,
        leased: &LeasedOperation,
        cache: &ImageCache,
        signed_at: Instant,
    ) -> Result<Result<AttemptResult, CallError>, Error> {
        let operation = &leased.operation;
        let client_token = client_token(operation.id, operation.generation);
        let (bucket, marks) = (cache.poll_bucket.clone(), operation.marks.clone());
        let attempt = Attempt { operation: operation.id, client_token, signed_at, bucket, marks };
        let spec = &operation.spec;
        Ok(match operation.progress.kind {
            OperationKind::Create => cloud.create(spec, logins, &attempt).await.map(AttemptResult::from),
            OperationKind::Update => {
                let changes = operation.changes.clone().unwrap_or_default();
                let updated = cloud.update(&spec.region, Self::target(cache)?, &changes, logins, &attempt);
                updated.await.map(done)
            }
            OperationKind::Delete => {
                let deleted = cloud.delete(&spec.region, Self::target(cache)?, &attempt).await.map(done);
                deleted.or_else(gone_already)
            }
        })
    }

    /// Puts the operation back unchanged, because its registry logins were encrypted with a key that is not available
    /// here.
    async fn wait_for_key(&self, leased: &LeasedOperation, error: &Error) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        tracing::error!(
            operation = %operation.id, error = error as &dyn std::error::Error,
            "its registry logins cannot be decrypted: it waits for a gateway that has the previous master key as \
             `keys.master_previous`; deleting its image cache ends it"
        );
        self.put_back(leased, operation.progress, self.base.now() + WITHOUT_KEY, AttemptRecord::default()).await
    }

    /// Puts the operation back unchanged, because nothing can be sent with its account. It is not lost, and no attempt
    /// was made.
    pub(super) async fn wait_for_account(
        &self,
        leased: &LeasedOperation,
        cache: &ImageCache,
        fault: &CallError,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        tracing::info!(operation = %operation.id, account = cache.account, fault = %fault, "waiting for its cloud \
            account");
        metrics::counter!("ecg_operations_without_account_total").increment(1);
        self.put_back(leased, operation.progress, self.base.now() + WITHOUT_ACCOUNT, AttemptRecord::default()).await
    }

    /// Puts the operation back until `due_at`, with what is now known about it.
    pub(super) async fn put_back(
        &self,
        leased: &LeasedOperation,
        progress: Progress,
        due_at: Instant,
        learned: AttemptRecord,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let (number, outcome, detail) = match learned.attempt {
            Some((number, outcome, detail)) => (Some(number), outcome, detail),
            None => (None, "unknown", String::new()),
        };
        let error = learned.refusal.filter(|_| progress.held.is_some());
        let how = Postponed { outcome, detail, progress, error, due_at };
        self.postpone(leased, number, &how).await?;
        self.base.signals().operations.notify_one();
        Ok(None)
    }
}

fn learn(operation: &Operation, number: i32, fault: CallError) -> AttemptRecord {
    tracing::warn!(operation = %operation.id, attempt = number, fault = %fault, "the cloud did not accept the request");
    let attempt = Some((number, word(&fault), fault.to_string()));
    let refusal = match fault {
        CallError::Refused(error) => Some(error),
        CallError::Throttled(_) | CallError::NotSent(_) | CallError::Unknown(_) => None,
    };
    AttemptRecord { done: None, refusal, attempt }
}

pub(super) fn done(done: eci::Acknowledgement) -> AttemptResult {
    AttemptResult { created: None, request_id: done.request_id }
}

/// Deleting what the cloud no longer has is a success.
pub(super) fn gone_already(fault: CallError) -> Result<AttemptResult, CallError> {
    match fault {
        CallError::Refused(error)
            if error.code.contains("NotFound") && !error.code.starts_with("InvalidAccessKeyId") =>
        {
            Ok(AttemptResult { created: None, request_id: error.request_id.unwrap_or_default() })
        }
        other => Err(other),
    }
}

fn word(fault: &CallError) -> &'static str {
    match fault {
        CallError::Refused(_) => "refused",
        CallError::Throttled(_) => "throttled",
        CallError::NotSent(_) => "not_sent",
        CallError::Unknown(_) => "unknown",
    }
}
