//! Drawing calls from the budget of a cloud account, which all gateways share; each account has its own. How much there
//! is, is `domain::poll::budget`.
//!
//! What must stay true: whoever calls the cloud for the tracker or for an operation has drawn that call before.
//! Changes are drawn a few at a time while there are many, so that not each create costs a write of its own; what
//! is not spent within a second is let go. Reads that a caller asks for (usage, adoption) are few and not counted.

use std::collections::HashMap;

use chrono::Duration;

use crate::app::Error;
use crate::app::cloud_accounts::CloudAccounts;
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::poll::budget::{Budget, Drawn, Purpose};
use crate::store::StoredBudget;

/// How often a draw is tried while other gateways draw, too.
const TRIES: usize = 20;
/// What was drawn for changes is good for that long.
const GOOD_FOR: Duration = Duration::seconds(1);
/// How many calls are drawn at once while one change follows another.
const BATCH: u32 = 8;
/// At most that many; twice as many as before where those were spent within [`SOON`].
const MOST: u32 = 64;
/// So soon that as many again will be spent long before they are let go.
const SOON: Duration = Duration::milliseconds(50);

/// What this process has drawn of the budgets, by account.
pub(in crate::app) type CallBuckets = HashMap<String, CallBucket>;

/// Calls of one account that this process has drawn for changes and not spent yet.
#[derive(Debug, Default)]
pub(in crate::app) struct CallBucket {
    calls: u32,
    drawn_at: Option<Instant>,
    /// How many were asked for then.
    asked: u32,
}

impl CallBucket {
    fn is_fresh(&self, now: Instant) -> bool {
        self.drawn_at.is_some_and(|at| (now - at).abs() < GOOD_FOR)
    }

    /// How many to draw for one change that finds none left.
    fn next_draw(&self, now: Instant) -> u32 {
        match self.drawn_at.map(|at| (now - at).abs()) {
            Some(age) if age < SOON => (self.asked * 2).clamp(BATCH, MOST),
            Some(age) if age < GOOD_FOR => BATCH,
            _ => 1,
        }
    }
}

impl CloudAccounts {
    /// Draws calls for looks into an account: as many as there are, at most `wanted`.
    pub(in crate::app) async fn draw_looks(&self, account: &str, wanted: usize) -> Result<Drawn, Error> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        self.change_budget(account, |budget, accounts| {
            budget.draw(wanted, Purpose::Look, &accounts.base.settings().calls, accounts.base.now())
        })
        .await
    }

    /// Sees to it that this process has calls for up to `wanted` changes in an account, and says how many it has.
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

    /// Spends the call of a change in an account. An instant says that there is none, and when to come again.
    pub(in crate::app) async fn spend_for_change(&self, account: &str) -> Result<Option<Instant>, Error> {
        let again_at = self.spend(account).await?;
        if again_at.is_some() {
            metrics::counter!("ecg_cloud_calls_postponed_total").increment(1);
        }
        Ok(again_at)
    }

    /// The same of a change that is about to be recorded. `false`: there is none, and whoever carries it out asks
    /// again.
    pub(in crate::app) async fn spend_at_once(&self, account: &str) -> Result<bool, Error> {
        Ok(self.spend(account).await?.is_none())
    }

    /// Gives back the call of a change that was not recorded.
    pub(in crate::app) async fn unspend(&self, account: &str) {
        let mut call_buckets = self.call_buckets.lock().await;
        if let Some(bucket) = call_buckets.get_mut(account) {
            // If it is not fresh any more, the next one who looks lets it go.
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
        // On the heap: an operation's future is large already.
        let drawn: Drawn = Box::pin(self.change_budget(account, draw)).await?;
        bucket.calls += drawn.granted;
        (bucket.drawn_at, bucket.asked) = (Some(self.base.now()), wanted);
        Ok(drawn.again_at)
    }

    /// Lets the account rest if the fault says that it was throttled.
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

    /// Compare-and-set, until nobody else was faster.
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
