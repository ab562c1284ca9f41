//! How long a request may wait, and what ends its wait early.
//!
//! What must stay true: a wait ends as soon as its time is over, its credential ends, its client disconnects or this
//! process stops; it holds no database connection. Reads that wait for events or image caches use it.

use std::time::Duration;

use tokio::time::{Instant as Deadline, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Events;
use crate::app::admission::{wait_long, without_permit};
use crate::app::identity::authentication::CredentialWatch;
use crate::app::{Call, Error};
use crate::domain::identity::caller::Caller;

/// The longest wait: common proxies cut off after 60 s.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);

/// When the wait of one request ends.
pub(in crate::app) struct WaitLimit {
    deadline: Deadline,
    leaving: CancellationToken,
    left: CancellationToken,
    credential_watch: CredentialWatch,
}

impl WaitLimit {
    /// Whether the wait is over.
    pub(in crate::app) fn is_over(&self) -> bool {
        Deadline::now() >= self.deadline || self.leaving.is_cancelled() || self.left.is_cancelled()
    }

    /// The result of `news`, unless the wait ends first.
    pub(in crate::app) async fn with<T>(&self, news: impl Future<Output = T>) -> Option<T> {
        let within = timeout_at(self.deadline, self.left.run_until_cancelled(self.credential_watch.with(news)));
        without_permit(self.leaving.run_until_cancelled(within)).await?.ok()??
    }
}

impl Events {
    /// Starts a wait of `wait`, at most [`LONGEST_WAIT`], for this caller and call. Refused if too many requests are
    /// waiting.
    pub(in crate::app) fn wait_limit(&self, caller: &Caller, call: &Call, wait: Duration) -> Result<WaitLimit, Error> {
        if !wait.is_zero() {
            wait_long()?;
        }
        let deadline = Deadline::now() + wait.min(LONGEST_WAIT);
        let credential_watch = CredentialWatch::over(&self.identity, caller);
        Ok(WaitLimit { deadline, leaving: self.base.leaving().clone(), left: call.left().clone(), credential_watch })
    }
}
