//! Whether events, streams and the sealing of the audit are held up by a transaction that somebody left open.
//!
//! What must stay true: it is reported (by a gauge, a log line a minute that names the process to end, and `/readyz`),
//! and ends by itself once that transaction has ended. Requests are still served, so no gateway is taken out of service
//! for it: all gateways share the server, and another one would be held up by the same transaction.
//!
//! The janitor and readiness call it. It does not end the transaction, which may be somebody's backup.

use std::sync::{Mutex, PoisonError};

use crate::app::Error;
use crate::app::upkeep::Upkeep;
use crate::domain::database::horizon::{HorizonWatch, TOO_LONG};
use crate::domain::log_limit::LogLimit;
use crate::store::OldestTransaction;

/// Limits how often the transaction is logged.
static SAID: LogLimit = LogLimit::new();

/// What this process has seen of it. Kept only in memory: it counts from its own first check.
#[derive(Debug, Default)]
pub(in crate::app) struct Horizon(Mutex<HorizonWatch>);

impl Upkeep {
    /// Checks once. If it has lasted too long, returns a sentence about what is held up and by what.
    pub(in crate::app) async fn look_at_horizon(&self) -> Result<Option<String>, Error> {
        let oldest = self.base.store().oldest_transaction().await?;
        let now = self.base.now();
        let number = oldest.as_ref().map(|oldest| oldest.number);
        let since = self.horizon.0.lock().unwrap_or_else(PoisonError::into_inner).saw(number, now);
        let known = since.map_or(0.0, |since| (now - since).as_seconds_f64());
        let seconds = oldest.as_ref().and_then(|oldest| oldest.seconds).unwrap_or(0.0).max(known);
        metrics::gauge!("ecg_feed_held_seconds").set(seconds);
        let Some(oldest) = oldest.filter(|_| seconds >= TOO_LONG.as_seconds_f64()) else { return Ok(None) };
        if SAID.may(&oldest.number.to_string(), std::time::Instant::now()).is_some() {
            log(&oldest, seconds);
        }
        Ok(Some(format!(
            "events, streams and the sealing of the audit have been blocked for {seconds:.0} s by {oldest}"
        )))
    }
}

fn log(oldest: &OldestTransaction, seconds: f64) {
    let OldestTransaction { number, pid, prepared, database, role, .. } = oldest;
    tracing::error!(
        transaction = number,
        pid,
        prepared,
        database,
        role,
        seconds,
        "events, streams and the sealing of the audit are blocked by an open transaction: end it \
         (pg_terminate_backend, or ROLLBACK PREPARED in its database)"
    );
}
