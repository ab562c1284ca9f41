//! Draws calls from the budget of a cloud account, which all gateways share; each account has its own budget.
//! `domain::poll::budget` decides how much there is.
//!
//! What must stay true: whoever calls the cloud for the tracker or for an operation has drawn that call before. Changes
//! are drawn several at a time while there are many, so that not every create costs a write of its own; what is not
//! spent within a second is discarded, which is also the longest that the calls in memory stay valid. Reads that a
//! caller asks for (usage, adoption) are few and not counted.

use std::collections::HashMap;

use chrono::Duration;

use crate::app::Error;
use crate::app::cloud_accounts::CloudAccounts;
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::poll::budget::{Budget, Drawn, Purpose};
use crate::store::StoredBudget;

/// How often to try a draw while other gateways are drawing too.
const TRIES: usize = 20;
/// How long calls that were drawn for changes may be spent.
const GOOD_FOR: Duration = Duration::seconds(1);
/// How many calls to draw at once while changes follow each other.
const BATCH: u32 = 8;
/// The most calls to draw at once. The number doubles each time the last ones were spent within [`SOON`].
const MOST: u32 = 64;
/// If calls are spent this quickly, twice as many will be spent long before they are discarded.
const SOON: Duration = Duration::milliseconds(50);

/// What this process has drawn from the budgets, by account.
pub(in crate::app) type CallBuckets = HashMap<String, CallBucket>;

/// Calls of one account that this process has drawn for changes and not spent yet.
#[derive(Debug, Default)]
pub(in crate::app) struct CallBucket {
    calls: u32,
    drawn_at: Option<Instant>,
    /// How many calls the last draw asked for.
    asked: u32,
}

impl CallBucket {
    fn is_fresh(&self, now: Instant) -> bool {
        self.drawn_at.is_some_and(|at| (now - at).abs() < GOOD_FOR)
    }

    /// How many calls to draw for a change when none are left.
    fn next_draw(&self, now: Instant) -> u32 {
        match self.drawn_at.map(|at| (now - at).abs()) {
            Some(age) if age < SOON => (self.asked * 2).clamp(BATCH, MOST),
            Some(age) if age < GOOD_FOR => BATCH,
            _ => 1,
        }
    }
}

impl CloudAccounts {
    /// Draws calls for reading from an account: as many as there are, at most `wanted`.
    pub(in crate::app) async fn draw_looks(&self, account: &str, wanted: usize) -> Result<Drawn, Error> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        self.change_budget(account, |budget, accounts| {
            budget.draw(wanted, Purpose::Look, &accounts.base.settings().calls, accounts.base.now())
        })
        .await
    }

    /// Makes sure that this process has calls for up to `wanted` changes in an account, and returns how many it has.
    pub(in crate::app) async fn calls_for_changes(&self, account: &str, wanted: u32) -> Result<u32, Error> {
        let mut call_buckets = self.call_buckets.lock().await;
        let bucket = call_buckets.entry(account.to_owned()).or_default();
        if !bucket.is_fresh(self.base.now()) {
            bucket.calls = 0;
        }
        let lacking = wanted.saturating_sub(bucket.calls);
        if lacking > 0 {
            self.fill(account, bucket, lacking).await?;
        }
        Ok(bucket.calls.min(wanted))
    }

    /// Spends one call for a change in an account. If there is none, returns when to try again.
    pub(in crate::app) async fn spend_for_change(&self, account: &str) -> Result<Option<Instant>, Error> {
        let again_at = self.spend(account).await?;
        if again_at.is_some() {
            metrics::counter!("ecg_cloud_calls_postponed_total").increment(1);
        }
        Ok(again_at)
    }

    /// The same for a change that is about to be recorded. `false` if there is no call; whoever carries the change out
    /// then asks again.
    pub(in crate::app) async fn spend_at_once(&self, account: &str) -> Result<bool, Error> {
        Ok(self.spend(account).await?.is_none())
    }

    /// Returns the call of a change that was not recorded.
    pub(in crate::app) async fn unspend(&self, account: &str) {
        let mut call_buckets = self.call_buckets.lock().await;
        if let Some(bucket) = call_buckets.get_mut(account) {
            // If the bucket is no longer fresh, the next user discards it.
            bucket.calls += 1;
        }
    }

    async fn spend(&self, account: &str) -> Result<Option<Instant>, Error> {
        let mut call_buckets = self.call_buckets.lock().await;
        let bucket = call_buckets.entry(account.to_owned()).or_default();
        if bucket.calls == 0 || !bucket.is_fresh(self.base.now()) {
            bucket.calls = 0;
            let wanted = bucket.next_draw(self.base.now());
            let again_at = self.fill(account, bucket, wanted).await?;
            if bucket.calls == 0 {
                return Ok(Some(again_at));
            }
        }
        bucket.calls -= 1;
        Ok(None)
    }

    async fn fill(&self, account: &str, bucket: &mut CallBucket, wanted: u32) -> Result<Instant, Error> {
        let draw = |budget: &Budget, accounts: &Self| {
            budget.draw(wanted, Purpose::Change, &accounts.base.settings().calls, accounts.base.now())
        };
        // Boxed, because an operation's future is already large.
        let drawn: Drawn = Box::pin(self.change_budget(account, draw)).await?;
        bucket.calls += drawn.granted;
        (bucket.drawn_at, bucket.asked) = (Some(self.base.now()), wanted);
        Ok(drawn.again_at)
    }

    /// Slows down calls to the account if the error says that it was throttled.
    pub(in crate::app) async fn note_fault(&self, account: &str, fault: &CallError) -> Result<(), Error> {
        if !matches!(fault, CallError::Throttled(_)) {
            return Ok(());
        }
        metrics::counter!("ecg_cloud_throttled_total").increment(1);
        let throttle = |budget: &Budget, accounts: &Self| {
            (budget.throttled(&accounts.base.settings().calls, accounts.base.now()), ())
        };
        Box::pin(self.change_budget(account, throttle)).await
    }

    /// Compare-and-set, repeated until no other gateway interferes.
    async fn change_budget<T>(
        &self,
        account: &str,
        change: impl Fn(&Budget, &Self) -> (Budget, T),
    ) -> Result<T, Error> {
        let limits = &self.base.settings().calls;
        for _ in 0..TRIES {
            let kept = self.base.store().budget(account).await?;
            let kept =
                kept.unwrap_or_else(|| StoredBudget { budget: Budget::full(limits, self.base.now()), version: 0 });
            let (budget, told) = change(&kept.budget, self);
            if self.base.store().put_budget(account, &StoredBudget { budget, ..kept }).await? {
                metrics::gauge!("ecg_cloud_budget_calls_per_second", "account" => account.to_owned()).set(budget.rate);
                metrics::gauge!("ecg_cloud_budget_level", "account" => account.to_owned()).set(budget.level(limits));
                return Ok(told);
            }
        }
        Err(Error::Internal("the budget of calls kept changing while it was drawn from".into()))
    }
}
