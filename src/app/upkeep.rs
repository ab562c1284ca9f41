//! Upkeep: what is forgotten after its time, and the workers' signs of life.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::{Error, Gateway};
use crate::domain::clock::{FARTHEST_DUE, Instant};
use crate::domain::poll::rhythm;
use crate::store::Farthest;

pub(super) mod horizon;
pub mod key_rotation;
pub(super) mod readiness;
pub(super) mod retention;
pub mod startup;
pub mod supervision;

/// How long a nonce is remembered: longer than its timestamp is taken, which is 15 minutes either way.
const KEEP_NONCES: Duration = Duration::from_mins(31);

/// So many pieces of the table of image caches are looked at in one pass.
const PIECES: usize = 20;

/// Which image caches may have times that lie ahead: since it began, or since the time was last in doubt, this process has
/// looked at those up to this id. None: at all.
#[derive(Debug)]
pub(super) struct Ahead(Mutex<Option<Uuid>>);

/// What everybody is told whose request goes by the time, before that was read.
fn unset() -> Error {
    let detail = "the time could not be read yet";
    Error::Unavailable { code: "credentials_unavailable", detail, retry_after_seconds: 2 }
}

impl Default for Ahead {
    fn default() -> Self {
        Self(Mutex::new(Some(Uuid::nil())))
    }
}

impl Ahead {
    fn looked_to(&self) -> Option<Uuid> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, to: Option<Uuid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl Gateway {
    /// One pass of the janitor.
    pub async fn clean(&self) -> Result<(), Error> {
        let store = self.store();
        self.void_far_times().await?;
        let reclaimed = self.reclaim_deliveries().await?;
        let cancelled = store.cancel_orphans(self.now()).await?;
        let certain = self.clock().doubt().is_none();
        if certain {
            self.void_far_rows().await?;
            self.forget_past().await?;
        }
        let attempts = store.forget_attempts(certain.then_some(self.settings().keep_attempts)).await?;
        // Without the right to it, rows go to a part of their own: that is told, and stops nothing else.
        if let Err(error) = store.make_audit_months().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit's next months could not be made");
        }
        self.look_at_horizon().await?;
        let abandoned = if certain { self.end_abandoned().await? } else { 0 };
        let sealed = self.seal_urls().await?;
        if sealed > 0 {
            tracing::info!(sealed, "URLs of webhook endpoints that an older version wrote are encrypted now");
        }
        let again = self.send_deletes_again().await?;
        if store.wake_expired(self.now()).await? > 0 {
            self.signals().tracker.notify_one();
        }
        if reclaimed > 0 {
            self.outlet().look.notify_one();
        }
        tracing::debug!(certain, reclaimed, cancelled, attempts, abandoned, again, "the janitor has passed");
        Ok(())
    }

    /// Forgets what is past: only by a time that is not in doubt, for it cannot be undone.
    async fn forget_past(&self) -> Result<(), Error> {
        let store = self.store();
        let keys = store.forget_keys(self.before(self.settings().keep_keys)).await?;
        let nonces = store.forget_nonces(self.before(KEEP_NONCES)).await?;
        let revocations = store.forget_revocations(self.now()).await?;
        let secrets = store.forget_previous_secrets(self.now()).await?;
        tracing::debug!(keys, nonces, revocations, secrets, "what is past is forgotten");
        self.forget_old().await
    }

    /// Makes good what clocks that leapt have left in the database.
    async fn void_far_times(&self) -> Result<(), Error> {
        let settings = self.settings();
        let comparison = chrono::Duration::from_std(settings.work.reconcile_every).unwrap_or_default() * 2;
        let usual = chrono::Duration::from_std(settings.look_usual).unwrap_or(FARTHEST_DUE);
        let look = rhythm::longest(usual).max(chrono::Duration::minutes(1)) * 2;
        let farthest = Farthest { operation: settings.rule.longest_wait() * 2, comparison, look };
        let leases = self.store().shorten_leases().await?;
        let mut dues = self.store().void_far_looks(self.now(), farthest).await?;
        // Not by a time that may be behind: what was signed meanwhile would count as signed before.
        if self.clock().is_sure() {
            dues += self.store().void_far_operations(self.now(), farthest).await?;
        }
        if leases + dues > 0 {
            tracing::warn!(leases, dues, "leases and due times lay too far ahead: a clock was put back");
        }
        Ok(())
    }

    /// The same for what nothing waits for: too many rows to look at in one pass.
    async fn void_far_rows(&self) -> Result<(), Error> {
        let Some(after) = self.ahead().looked_to() else { return Ok(()) };
        let mut rows = self.store().void_far_progress(self.now()).await?;
        let mut next = Some(after);
        for _ in 0..PIECES {
            let Some(after) = next else { break };
            let caches;
            (caches, next) = self.store().void_far_caches(self.now(), after).await?;
            rows += caches;
            self.ahead().set(next);
        }
        if rows > 0 {
            tracing::warn!(rows, "rows had times that lay too far ahead: a clock was put back");
        }
        Ok(())
    }

    /// Shows that the workers of this process are alive.
    pub async fn beat(&self, worker: &str) -> Result<(), Error> {
        Ok(self.store().beat(worker).await?)
    }

    /// Reads the database's clock and goes by it from now on, so that all gateways tell the same time, as exactly as
    /// half of what the reading took.
    pub async fn keep_time(&self) -> Result<(), Error> {
        let asked = self.uptime();
        let told = self.store().now().await?;
        let doubted = self.clock().doubt();
        let moved = self.clock().learn(told, asked);
        if moved.abs() > chrono::Duration::seconds(1) {
            tracing::warn!(milliseconds = moved.num_milliseconds(), "the clock was corrected by the database's");
        }
        self.tell_doubt(doubted);
        Ok(())
    }

    /// Tells that the time is in doubt, and that it is no more; `before` is how it was.
    fn tell_doubt(&self, before: Option<chrono::Duration>) {
        let doubt = self.clock().doubt();
        let seconds = |doubt: chrono::Duration| doubt.as_seconds_f64();
        metrics::gauge!("ecg_clock_doubt_seconds").set(doubt.map_or(0.0, seconds));
        if doubt.is_some() {
            self.ahead().set(Some(Uuid::nil()));
        }
        match (before, doubt) {
            (None, Some(by)) => tracing::error!(
                seconds = seconds(by),
                "the database's clock leapt, or this machine's is wrong: nothing is forgotten until they agree, or it has \
                 lasted"
            ),
            (Some(_), None) => tracing::warn!("the time is in doubt no more"),
            _ => {}
        }
    }

    /// Returns once the clock can be gone by: right at the start it is read first.
    pub(super) async fn clock_is_set(&self) -> Result<(), Error> {
        if !self.clock().is_set() {
            self.keep_time().await?;
        }
        // A reading that took too long has set nothing.
        if self.clock().is_set() { Ok(()) } else { Err(unset()) }
    }

    pub(super) fn before(&self, kept: Duration) -> Instant {
        self.now() - chrono::Duration::from_std(kept).unwrap_or(chrono::Duration::MAX)
    }
}
