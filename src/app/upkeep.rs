//! Upkeep: what is forgotten after its time, and the workers' signs of life.

use std::time::Duration;

use super::{Error, Gateway};
use crate::domain::clock::Instant;

/// How long a nonce is remembered: longer than its timestamp is taken, which is 15 minutes either way.
const KEEP_NONCES: Duration = Duration::from_mins(31);

impl Gateway {
    /// One pass of the janitor.
    pub async fn clean(&self) -> Result<(), Error> {
        let store = self.store();
        let reclaimed = self.reclaim_deliveries().await?;
        let cancelled = store.cancel_orphans(self.now()).await?;
        let keys = store.forget_keys(self.before(self.settings().keep_keys)).await?;
        let attempts = store.forget_attempts(self.now(), self.before(self.settings().keep_attempts)).await?;
        let revocations = store.forget_revocations(self.now()).await?;
        let secrets = store.forget_previous_secrets(self.now()).await?;
        let nonces = store.forget_nonces(self.before(KEEP_NONCES)).await?;
        // Without the right to it, rows go to a part of their own: that is told, and stops nothing else.
        if let Err(error) = store.make_audit_months().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit's next months could not be made");
        }
        self.look_at_horizon().await?;
        self.forget_old().await?;
        let abandoned = self.end_abandoned().await?;
        if store.wake_expired(self.now()).await? > 0 {
            self.signals().tracker.notify_one();
        }
        if reclaimed > 0 {
            self.outlet().look.notify_one();
        }
        tracing::debug!(revocations, secrets, "credentials of the past are forgotten");
        tracing::debug!(reclaimed, cancelled, keys, attempts, nonces, abandoned, "the janitor has passed");
        Ok(())
    }

    /// Shows that the workers of this process are alive.
    pub async fn beat(&self, worker: &str) -> Result<(), Error> {
        Ok(self.store().beat(worker).await?)
    }

    /// Reads the database's clock and goes by it from now on, so that all gateways tell the same time, as exactly as
    /// half of what the reading took.
    pub async fn keep_time(&self) -> Result<(), Error> {
        let asked = std::time::Instant::now();
        let told = self.store().now().await?;
        let moved = self.clock().learn(told, asked);
        if moved.abs() > chrono::Duration::seconds(1) {
            tracing::warn!(milliseconds = moved.num_milliseconds(), "the clock was corrected by the database's");
        }
        Ok(())
    }

    /// Returns once the clock can be gone by: right at the start it is read first.
    pub(super) async fn clock_is_set(&self) -> Result<(), Error> {
        if self.clock().is_set() { Ok(()) } else { self.keep_time().await }
    }

    pub(super) fn before(&self, kept: Duration) -> Instant {
        self.now() - chrono::Duration::from_std(kept).unwrap_or(chrono::Duration::MAX)
    }
}
