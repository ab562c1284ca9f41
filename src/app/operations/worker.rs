//! The worker's side of operations: resumes operations that nobody is carrying out, many at a time.
//!
//! What must stay true: one slow operation does not hold up others: whatever is due is resumed while there is room,
//! however long the rest takes. Once told to stop, nothing more is resumed, and what is in progress finishes.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::Error;
use crate::app::operations::Operations;
use crate::store::LeasedOperation;

/// How often to check for newly due operations while others are in progress.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Operations {
    /// Resumes operations that nobody is carrying out, at most `room` at a time, until none is in progress and none is
    /// due. A gateway that died left them, or it is time to try them again. Returns how many.
    pub async fn resume_operations(&self, room: usize, stop: &CancellationToken) -> Result<usize, Error> {
        let mut in_hand = JoinSet::new();
        let mut taken = 0;
        loop {
            let free = if stop.is_cancelled() { 0 } else { room.saturating_sub(in_hand.len()) };
            match self.claim_operations(free).await {
                Ok(claimed) => {
                    taken += claimed.len();
                    for leased in claimed {
                        let operations = self.clone();
                        in_hand.spawn(async move { operations.drive(leased).await });
                    }
                }
                // Continue with those in progress: they may be about to learn an outcome.
                Err(error) if !in_hand.is_empty() => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not take up operations");
                }
                Err(error) => return Err(error),
            }
            if in_hand.is_empty() {
                return Ok(taken);
            }
            // The timeout is the usual case. An operation that panicked keeps its lease, which runs out.
            let _ended = timeout(LOOK_EVERY, in_hand.join_next()).await;
            while in_hand.try_join_next().is_some() {}
        }
    }

    async fn claim_operations(&self, room: usize) -> Result<Vec<LeasedOperation>, Error> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let Some(accounts) = self.cloud_accounts.several_accounts().await? else {
            return self.claim_of(None, room).await;
        };
        // Each account at its own pace, and in a different order each time, so that none is always first to fill the
        // room.
        let mut claimed = Vec::new();
        let first = usize::try_from(self.base.entropy().permille()).unwrap_or(0) % accounts.len();
        for account in accounts.iter().cycle().skip(first).take(accounts.len()) {
            match self.claim_of(Some(account), room.saturating_sub(claimed.len())).await {
                Ok(more) => claimed.extend(more),
                Err(error) if claimed.is_empty() => return Err(error),
                // What was claimed is carried out all the same.
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not take up more operations");
                    break;
                }
            }
        }
        Ok(claimed)
    }

    /// Claims what is due in an account, or in all of them if there is only one.
    async fn claim_of(&self, account: Option<&str>, room: usize) -> Result<Vec<LeasedOperation>, Error> {
        // No more than may be sent: operations that wait for calls stay in the database, where every team gets its
        // turn.
        let due = self.base.store().operations_due(account, self.base.now(), whole(room)).await?;
        let own = &self.base.settings().account;
        let room =
            self.cloud_accounts.calls_for_changes(account.unwrap_or(own), u32::try_from(due).unwrap_or(0)).await?;
        if room == 0 {
            return Ok(Vec::new());
        }
        let lease = self.base.settings().work.lease.as_secs_f64();
        Ok(self
            .base
            .store()
            .claim_operations(account, self.base.now(), self.base.uuid(), lease, room.into(), self.base.uptime())
            .await?)
    }
}

fn whole(room: usize) -> i64 {
    i64::try_from(room).unwrap_or(i64::MAX)
}
