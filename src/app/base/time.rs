//! The time that this process uses: the database's, which is read again and again so that all gateways agree.
//!
//! What must stay true: nothing is judged by a time that was never read, and nothing is deleted for its age while the
//! time is in doubt ([`Ahead`] makes the janitor check all rows again after that).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::app::Error;
use crate::app::base::Base;
use crate::domain::clock::Instant;
use crate::domain::problem::Code;

/// Up to which image cache this process has checked for times in the future, since it started or since the time was
/// last in doubt. `None`: all are checked.
#[derive(Debug)]
pub(in crate::app) struct Ahead(Mutex<Option<Uuid>>);

/// The error for requests that need the time before it has been read.
fn unset() -> Error {
    let detail = "could not read the time; retrying";
    Error::Unavailable { code: Code::CredentialsUnavailable, detail, retry_after_seconds: 2 }
}

impl Default for Ahead {
    fn default() -> Self {
        Self(Mutex::new(Some(Uuid::nil())))
    }
}

impl Ahead {
    /// Up to which id the caches were checked.
    pub(in crate::app) fn looked_to(&self) -> Option<Uuid> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the caches up to this id were checked.
    pub(in crate::app) fn set(&self, to: Option<Uuid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl Base {
    /// Reads the database's clock and uses it from now on, so that all gateways agree on the time. The error is at most
    /// half of the time that the read took.
    pub async fn keep_time(&self) -> Result<(), Error> {
        let asked = self.uptime();
        let told = self.store().now().await?;
        let doubted = self.clock().doubt();
        let moved = self.clock().learn(told, asked);
        if moved.abs() > chrono::Duration::seconds(1) {
            tracing::warn!(milliseconds = moved.num_milliseconds(), "corrected the clock by the database's clock");
        }
        self.tell_doubt(doubted);
        Ok(())
    }

    /// Reports when the time comes into doubt and when the doubt ends; `before` is the earlier state.
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
                "the database's clock jumped, or this machine's clock is wrong: nothing is deleted because of its \
                 age until they agree or the jump has lasted"
            ),
            (Some(_), None) => tracing::warn!("the clocks agree again"),
            _ => {}
        }
    }

    /// Returns once the clock can be used. Right after the start it is read first.
    pub(in crate::app) async fn clock_is_set(&self) -> Result<(), Error> {
        if !self.clock().is_set() {
            self.keep_time().await?;
        }
        // A read that took too long did not set the clock.
        if self.clock().is_set() { Ok(()) } else { Err(unset()) }
    }

    pub(in crate::app) fn before(&self, kept: Duration) -> Instant {
        self.now() - chrono::Duration::from_std(kept).unwrap_or(chrono::Duration::MAX)
    }

    /// Whether this gateway serves requests and works.
    pub fn has_begun(&self) -> bool {
        *self.beginning().borrow()
    }

    /// Waits until this gateway serves requests and works.
    pub async fn until_begun(&self) {
        let mut begun = self.beginning().subscribe();
        // The sender lives as long as we do.
        let _begun = begun.wait_for(|begun| *begun).await;
    }
}
