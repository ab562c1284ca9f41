//! Those who wait or listen for long: whether their credential still holds is looked at again and again.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Instant, sleep_until};

use crate::app::Gateway;
use crate::domain::caller::Caller;

/// Watches over the credential of somebody who waits.
#[derive(Debug)]
pub(in crate::app) struct Vigil {
    gateway: Gateway,
    caller: Caller,
    /// When it is looked at next, however often the wait is interrupted.
    next: Mutex<Instant>,
}

impl Vigil {
    /// Watches over this caller's.
    pub(in crate::app) fn over(gateway: &Gateway, caller: &Caller) -> Self {
        let next = Mutex::new(Instant::now() + gateway.settings().credential_look);
        Self { gateway: gateway.clone(), caller: caller.clone(), next }
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
            let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
            sleep_until(next).await;
            if !self.gateway.still_holds(&self.caller).await {
                return;
            }
            let next = Instant::now() + self.gateway.settings().credential_look;
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
    }
}
