//! Those who wait or listen for long: whether their credential still holds is looked at again and again.

use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::app::identity::Identity;
use crate::domain::clock::{Instant, Uptime};
use crate::domain::identity::caller::Caller;

/// Watches over the credential of somebody who waits.
#[derive(Debug)]
pub(in crate::app) struct CredentialWatch {
    identity: Identity,
    caller: Caller,
    /// What the rule said by which they came, when it was first looked at.
    seal: OnceCell<Option<String>>,
    /// When they began to wait, by the gateway's clock.
    since: Instant,
    /// When it is looked at next, however often the wait is interrupted.
    next: Mutex<Uptime>,
}

impl CredentialWatch {
    /// Watches over this caller's.
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

    /// Whether the credential holds still, and the rule by which it was accepted says what it said.
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

    /// What `work` gives, unless the credential ends before.
    pub(in crate::app) async fn with<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            // What is given after a pause is not given to whoever could no longer come in.
            done = work => (!self.is_late() || self.holds().await).then_some(done),
            () = self.until_it_ends() => None,
        }
    }

    fn next(&self) -> Uptime {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a look should have been over long ago: the machine was suspended, and its timers with it.
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
