//! A connection in use.
//!
//! What must stay true: a transaction that was not committed is rolled back at once, whoever drops it and wherever,
//! also while it is starting, when the driver loses track of it (the next user's writes would become part of it, and be
//! lost with it).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connection_doubt::{ConnectionDoubt, PendingWait, TEST};

/// One connection on which each statement is waited for no longer than [`LIMIT`](super::LIMIT).
pub(in crate::store) struct PooledConnection {
    /// Present until this is dropped.
    raw: Option<PoolConnection<Postgres>>,
    /// When it was taken from the pool.
    taken: Instant,
    /// Whether a transaction may be open.
    open: bool,
    /// Whether the open transaction has the audit entry of a change.
    recorded: bool,
    doubt: Arc<ConnectionDoubt>,
}

impl fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl PooledConnection {
    pub(super) fn new(raw: PoolConnection<Postgres>, doubt: &Arc<ConnectionDoubt>) -> Self {
        Self { raw: Some(raw), taken: Instant::now(), open: false, recorded: false, doubt: Arc::clone(doubt) }
    }

    /// The connection itself, for statements that share one limit ([`super::Pool::limited`]).
    pub(in crate::store) fn unbounded(&mut self) -> &mut PgConnection {
        self.raw.as_mut().expect("it is ours until we are dropped")
    }

    pub(super) fn waiting(&self) -> PendingWait {
        PendingWait::on(&self.doubt)
    }

    /// Starts a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.open = true;
        self.unbounded().execute("BEGIN").await?;
        Ok(())
    }

    /// Notes that the open transaction has the audit entry of a change.
    pub(in crate::store) fn set_recorded(&mut self) {
        self.recorded = true;
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Ends the transaction.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.unbounded().execute("COMMIT").await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(mut raw) = self.raw.take() else { return };
        if self.doubt.broke_since(self.taken) || self.doubt.altered_since(self.taken) {
            // This connection may be the broken one, have the read-only server, or hold the stale statements.
            return raw.close_on_drop();
        }
        if self.open {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(roll_back(raw))),
                Err(_) => raw.close_on_drop(),
            }
        }
    }
}

/// If that is not possible, the connection is closed, and the server rolls back.
async fn roll_back(mut raw: PoolConnection<Postgres>) {
    if !matches!(timeout(TEST, raw.execute("ROLLBACK")).await, Ok(Ok(_))) {
        raw.close_on_drop();
    }
}
