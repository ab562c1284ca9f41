//! Those who wait or listen for long: whether their credential still holds is looked at again and again.

use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::app::Gateway;
use crate::domain::clock::{Instant, Uptime};
use crate::domain::identity::caller::Caller;

/// Watches over the credential of somebody who waits.
#[derive(Debug)]
pub(in crate::app) struct CredentialWatch {
    gateway: Gateway,
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
    pub(in crate::app) fn over(gateway: &Gateway, caller: &Caller) -> Self {
        let next = Mutex::new(gateway.uptime() + gateway.settings().credential_look);
        Self { gateway: gateway.clone(), caller: caller.clone(), seal: OnceCell::new(), since: gateway.now(), next }
    }

    /// Whether the credential holds still, and the rule by which it was accepted says what it said.
    pub(in crate::app) async fn holds(&self) -> bool {
        self.gateway.still_holds(&self.caller, self.since).await && self.rule_holds().await
    }

    async fn rule_holds(&self) -> bool {
        if self.caller.provenance.is_none() {
            return true;
        }
        let Ok(seal) = self.gateway.seal_of(&self.caller).await else { return false };
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
        self.gateway.uptime().since(self.next()) > self.gateway.settings().credential_look
    }

    async fn until_it_ends(&self) {
        loop {
            sleep(self.next().since(self.gateway.uptime())).await;
            if !self.holds().await {
                return;
            }
            let next = self.gateway.uptime() + self.gateway.settings().credential_look;
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
    }
}
