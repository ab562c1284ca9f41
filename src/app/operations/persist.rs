//! Writes what was learned about an operation, with retries: a database restart, or a commit whose answer was lost,
//! must not turn a known outcome into an unknown one, nor cost a whole lease.
//!
//! What must stay true: each of these writes may be repeated. Settling and postponing end the lease that guards them,
//! so a second one finds nothing to do; an attempt that is noted twice is the same attempt. The retries last as long as
//! the lease does, because all of this runs within [`lease`](crate::app::base::lease).

use std::sync::Arc;
use std::time::Duration;

use crate::app::Error;
use crate::app::operations::Operations;
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::Progress;
use crate::store::{self, LeasedOperation, Postponed, Settled, Settlement};

/// The pause before the first retry; doubled each time.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

impl Operations {
    /// The operation's image cache.
    pub(super) async fn cache_of(&self, leased: &LeasedOperation) -> Result<ImageCache, Error> {
        let operation = &leased.operation;
        let mut pause = PAUSE;
        loop {
            let found = self.base.store().image_cache(&operation.team, operation.cache).await;
            if !again(&found, &mut pause).await {
                return found?.ok_or_else(|| Error::Internal("an operation without its image cache".into()));
            }
        }
    }

    /// Records an attempt before it is signed. `false` if the operation is no longer ours.
    pub(super) async fn note_attempt(&self, leased: &LeasedOperation, signed: &Progress) -> Result<bool, Error> {
        let (id, lease) = (leased.operation.id, self.base.settings().work.lease.as_secs_f64());
        let mut pause = PAUSE;
        loop {
            let noted = self.base.store().note_attempt(id, leased.lease_token, signed, lease).await;
            if !again(&noted, &mut pause).await {
                return Ok(noted?);
            }
        }
    }

    /// Ends an operation.
    pub(super) async fn write_settlement(&self, settlement: &Arc<Settlement>) -> Result<Settled, Error> {
        let mut pause = PAUSE;
        loop {
            let settled = self.base.store().settle(settlement).await;
            if !again(&settled, &mut pause).await {
                return Ok(settled?);
            }
        }
    }

    /// Puts an operation back until later. `number` is the attempt that ended, if there was one.
    pub(super) async fn postpone(
        &self,
        leased: &LeasedOperation,
        number: Option<i32>,
        how: &Postponed,
    ) -> Result<(), Error> {
        let mut pause = PAUSE;
        loop {
            let id = leased.operation.id;
            let postponed = self.base.store().postpone(id, leased.lease_token, number, self.base.now(), how).await;
            if !again(&postponed, &mut pause).await {
                return Ok(postponed.map(|_| ())?);
            }
        }
    }
}

/// Whether to try again because the database was unavailable; if so, waits first.
async fn again<T>(written: &Result<T, store::StoreError>, pause: &mut Duration) -> bool {
    let Some(error) = written.as_ref().err().filter(|error| error.is_away()) else { return false };
    tracing::info!(error = error as &dyn std::error::Error, "the database is unavailable; retrying");
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST);
    true
}
