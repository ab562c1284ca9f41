//! Checks again and again whether the credential of a client that waits or streams is still valid.

use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::app::identity::Identity;
use crate::domain::clock::{Instant, Uptime};
use crate::domain::identity::caller::Caller;

/// Watches the credential of one waiting client.
#[derive(Debug)]
pub(in crate::app) struct CredentialWatch {
    identity: Identity,
    caller: Caller,
    /// The digest of the rule that admitted the client, as it was at the first check.
    seal: OnceCell<Option<String>>,
    /// When the client started to wait, by the gateway's clock.
    since: Instant,
    /// When the next check is due, however often the wait is interrupted.
    next: Mutex<Uptime>,
}

impl CredentialWatch {
    /// Watches the credential of this caller.
    pub(in crate::app) fn over(identity: &Identity, caller: &Caller) -> Self {
        let next = Mutex::new(identity.base.uptime() + identity.base.settings().credential_look);
        Self {
            identity: identity.clone(),
            caller: caller.clone(),
            seal: OnceCell::new(),
            since: identity.base.now(),
            next,
        }
    }

    /// Whether the credential is still valid, and the rule that admitted it is unchanged.
    pub(in crate::app) async fn holds(&self) -> bool {
        self.identity.still_holds(&self.caller, self.since).await && self.rule_holds().await
    }

    async fn rule_holds(&self) -> bool {
        if self.caller.provenance.is_none() {
            return true;
        }
        let Ok(seal) = self.identity.seal_of(&self.caller).await else { return false };
        *self.seal.get_or_init(|| async { seal.clone() }).await == seal
    }

    /// The result of `work`, unless the credential ends first.
    pub(in crate::app) async fn with<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            // After a pause, nothing is returned to a client that could no longer authenticate.
            done = work => (!self.is_late() || self.holds().await).then_some(done),
            () = self.until_it_ends() => None,
        }
    }

    fn next(&self) -> Uptime {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a check is long overdue: the machine was suspended, and its timers with it.
    fn is_late(&self) -> bool {
        self.identity.base.uptime().since(self.next()) > self.identity.base.settings().credential_look
    }

    async fn until_it_ends(&self) {
        loop {
            sleep(self.next().since(self.identity.base.uptime())).await;
            if !self.holds().await {
                return;
            }
            let next = self.identity.base.uptime() + self.identity.base.settings().credential_look;
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
    }
}
