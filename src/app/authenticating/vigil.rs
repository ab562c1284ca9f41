//! Those who wait or listen for long: whether their credential still holds is looked at again and again.

use crate::app::Gateway;
use crate::domain::caller::Caller;

/// Watches over the credential of somebody who waits.
#[derive(Debug)]
pub(in crate::app) struct Vigil {
    gateway: Gateway,
    caller: Caller,
}

impl Vigil {
    /// Watches over this caller's.
    pub(in crate::app) fn over(gateway: &Gateway, caller: &Caller) -> Self {
        Self { gateway: gateway.clone(), caller: caller.clone() }
    }

    /// What `work` gives, unless the credential ends before.
    pub(in crate::app) async fn with<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.until_it_ends() => None,
        }
    }

    async fn until_it_ends(&self) {
        loop {
            tokio::time::sleep(self.gateway.settings().credential_look).await;
            if !self.gateway.still_holds(&self.caller).await {
                return;
            }
        }
    }
}
