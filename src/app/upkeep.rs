//! Upkeep: the janitor's passes, and the workers' heartbeats.

use crate::app::audit::Audit;
use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::identity::Identity;
use crate::app::image_caches::ImageCaches;
use crate::app::operations::Operations;
use crate::app::upkeep::horizon::Horizon;
use crate::app::vanishings::Vanishings;
use crate::app::webhooks::Webhooks;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Error;
use crate::domain::clock::FARTHEST_DUE;
use crate::domain::database::heartbeats::HeartbeatWatch;
use crate::domain::poll::rhythm;
use crate::store::Farthest;

pub(super) mod horizon;
pub mod key_rotation;
pub(super) mod readiness;
pub(super) mod retention;
pub mod startup;

/// How long a nonce is remembered: longer than its timestamp is accepted, which is 15 minutes either way.
const KEEP_NONCES: Duration = Duration::from_mins(31);

/// How many parts of the image cache table one pass looks at.
const PIECES: usize = 20;

/// The janitor, readiness, and startup; cheap to clone.
#[derive(Debug, Clone)]
pub struct Upkeep {
    pub(super) base: Base,
    pub(super) audit: Audit,
    pub(super) cloud_accounts: CloudAccounts,
    pub(super) identity: Identity,
    pub(super) image_caches: ImageCaches,
    pub(super) operations: Operations,
    pub(super) vanishings: Vanishings,
    pub(super) webhooks: Webhooks,
    /// What this process has seen of the oldest transaction.
    pub(super) horizon: Arc<Horizon>,
    /// What this process has seen of the workers' heartbeats.
    pub(super) heartbeats: Arc<Mutex<HeartbeatWatch>>,
}

impl Upkeep {
    /// One pass of the janitor.
    pub async fn clean(&self) -> Result<(), Error> {
        let store = self.base.store();
        self.void_far_times().await?;
        let reclaimed = self.webhooks.reclaim_deliveries().await?;
        let cancelled = store.cancel_orphans(self.base.now()).await?;
        let certain = self.base.clock().doubt().is_none();
        if certain {
            self.void_far_rows().await?;
            self.forget_past().await?;
        }
        let attempts = store.forget_attempts(certain.then_some(self.base.settings().keep_attempts)).await?;
        // Without the privilege, rows go to the default partition: that is logged and stops nothing else.
        if let Err(error) = store.make_audit_months().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not create the audit's partitions for \
                the next months"
            );
        }
        self.look_at_horizon().await?;
        let abandoned = if certain { self.image_caches.end_abandoned().await? } else { 0 };
        let sealed = self.webhooks.seal_urls().await?;
        if sealed > 0 {
            tracing::info!(sealed, "encrypted URLs of webhook endpoints that an older version had written");
        }
        let again = self.operations.send_deletes_again().await?;
        if store.wake_expired(self.base.now()).await? > 0 {
            self.base.signals().tracker.notify_one();
        }
        if reclaimed > 0 {
            self.base.outlet().look.notify_one();
        }
        tracing::debug!(certain, reclaimed, cancelled, attempts, abandoned, again, "the janitor has finished a pass");
        Ok(())
    }

    /// Deletes what is past its time, and only while the clock is not in doubt, because it cannot be undone.
    async fn forget_past(&self) -> Result<(), Error> {
        let store = self.base.store();
        let keys = store.forget_keys(self.base.before(self.base.settings().keep_keys)).await?;
        let nonces = store.forget_nonces(self.base.before(KEEP_NONCES)).await?;
        let revocations = store.forget_revocations(self.base.now()).await?;
        let secrets = store.forget_previous_secrets(self.base.now()).await?;
        tracing::debug!(keys, nonces, revocations, secrets, "what is past is forgotten");
        self.forget_old().await
    }

    /// Repairs leases and due times that were written while a clock was ahead.
    async fn void_far_times(&self) -> Result<(), Error> {
        let settings = self.base.settings();
        let comparison = chrono::Duration::from_std(settings.work.reconcile_every).unwrap_or_default() * 2;
        let usual = chrono::Duration::from_std(settings.look_usual).unwrap_or(FARTHEST_DUE);
        let look = rhythm::longest(usual).max(chrono::Duration::minutes(1)) * 2;
        let farthest = Farthest { operation: settings.rule.longest_wait() * 2, comparison, look };
        let leases = self.base.store().shorten_leases().await?;
        let mut dues = self.base.store().void_far_looks(self.base.now(), farthest).await?;
        // Not with a clock that may be behind: what was signed meanwhile would count as signed earlier.
        if self.base.clock().is_sure() {
            dues += self.base.store().void_far_operations(self.base.now(), farthest).await?;
        }
        if leases + dues > 0 {
            tracing::warn!(leases, dues, "leases and due times were too far in the future: a clock was set back");
        }
        Ok(())
    }

    /// The same for rows that nothing waits for, which are too many for one pass.
    async fn void_far_rows(&self) -> Result<(), Error> {
        let Some(after) = self.base.ahead().looked_to() else { return Ok(()) };
        let mut rows = self.base.store().void_far_progress(self.base.now()).await?;
        let mut next = Some(after);
        for _ in 0..PIECES {
            let Some(after) = next else { break };
            let caches;
            (caches, next) = self.base.store().void_far_caches(self.base.now(), after).await?;
            rows += caches;
            self.base.ahead().set(next);
        }
        if rows > 0 {
            tracing::warn!(rows, "rows had times too far in the future: a clock was set back");
        }
        Ok(())
    }

    /// Records that the workers of this process are alive.
    pub async fn beat(&self, worker: &str) -> Result<(), Error> {
        Ok(self.base.store().beat(worker).await?)
    }
}
