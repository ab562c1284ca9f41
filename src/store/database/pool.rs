//! A pool of connections that copes with a database that stops answering (a partition, a stopped server, a frozen
//! proxy), that is replaced, or that only reads.
//!
//! What must stay true when it stops answering: no statement is waited for longer than [`LIMIT`]; a connection that
//! stopped answering is closed without waiting for it; and if we stop, the server itself releases what it holds for us
//! (a statement, a lock, an open transaction), so that no other gateway waits for us ([`super::session`]).
//!
//! The other end may also become another server, or one that only reads: after a restart, a failover, or when a proxy
//! points at a standby. What must stay true then: a connection is used only if its server accepted writes when it was
//! made; trouble on one connection puts all connections of this process in [`ConnectionDoubt`], in whichever pool; a
//! connection that was idle for longer than [`RESTED`] is tested before it is used. So after a restart nobody gets a
//! connection from before it. During one, callers wait for a connection as long as the pool allows, and what is
//! certainly safe to repeat is repeated ([`Pool::repeated`]). A COMMIT whose answer did not arrive is reported as such,
//! because it may have happened.
//!
//! A later version may alter tables while we run. Statements name their columns ([`crate::store::columns`]), so a new
//! column changes nothing; if a plan is stale anyway, every connection from before is closed. A single statement is
//! then repeated, and so is a transaction that is also repeated after a broken connection; any other transaction fails
//! once, as if the database were unavailable.
//!
//! State in memory: the doubt, one for all pools of a process (raised by whoever meets trouble; if it is outdated it
//! costs an unnecessary test), and the driver's prepared statements of a connection, which end with the connection:
//! after 30 minutes, or because of the doubt.
//!
//! The other files of `store` use it like a `PgPool`.

use crate::store::failure;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgPool, Postgres, SqlSafeStr as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::feed_position;
use super::session::Sessions;
use crate::store::StoreError;
pub(in crate::store) use connection::PooledConnection;
use connection_doubt::PendingWait;
pub(in crate::store) use connection_doubt::{ConnectionDoubt, UnusableReason};
pub(in crate::store) use transaction::Tx;
pub use transaction::{HeldCommit, once_committed};

mod connection;
mod connection_doubt;
mod statements;
mod transaction;

/// The longest wait for one statement, or for a transaction that is waited for as a whole.
const LIMIT: Duration = Duration::from_secs(10);
/// A connection that was idle this long is tested before it is used: less than any server needs to restart, and more
/// than a connection is idle under load, when the test would cost something.
const RESTED: Duration = Duration::from_millis(100);
/// Marks a connection as ready for use: it is prepared on the connection, and never run.
const MARK: &str = "SELECT 'taken into use'";
/// The pause between two tries to connect to an unavailable database.
const PAUSE: Duration = Duration::from_millis(50);

fn silent() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}

/// The pool; cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Pool {
    inner: PgPool,
    sessions: Arc<Sessions>,
    doubt: Arc<ConnectionDoubt>,
    /// How long to wait for a connection.
    max_wait: Duration,
}

impl Pool {
    /// A pool of at most `most` connections, none of them open yet. `doubt` is shared by all pools of one database.
    pub(in crate::store) fn lazy(
        sessions: &Sessions,
        most: u32,
        max_wait: Duration,
        doubt: &Arc<ConnectionDoubt>,
    ) -> Self {
        let (before, after) = (Arc::clone(doubt), Arc::clone(doubt));
        let inner = PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(max_wait)
            .test_before_acquire(false)
            .before_acquire(move |connection, rest| {
                let doubt = Arc::clone(&before);
                Box::pin(async move { Ok(doubt.passes(connection, rest.idle_for).await) })
            })
            .after_release(move |connection, _| {
                let doubt = Arc::clone(&after);
                Box::pin(async move { Ok(doubt.may_stay(connection).await) })
            })
            .connect_lazy_with(sessions.options.clone());
        Self { inner, sessions: Arc::new(sessions.clone()), doubt: Arc::clone(doubt), max_wait }
    }

    /// A connection to a server that accepts writes. Waits until there is one.
    pub(in crate::store) async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        Ok(PooledConnection::new(self.acquire_unlimited().await?, &self.doubt))
    }

    /// The same, without a limit on how long its statements may take.
    pub(in crate::store) async fn acquire_unlimited(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let deadline = Instant::now() + self.max_wait;
        loop {
            match timeout_at(deadline, self.fresh_or_tested()).await {
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
                Ok(Err(error)) if failure::may_pass(&error) && Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
                Ok(done) => return done,
            }
        }
    }

    /// The pool's hook has tested connections that were idle. A new one gets its settings here, and is asked whether it
    /// accepts writes.
    async fn fresh_or_tested(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let mut raw = self.inner.acquire().await?;
        if raw.cached_statements_size() == 0
            && let Err(error) = self.take_into_use(&mut raw).await
        {
            raw.close_on_drop();
            return Err(error);
        }
        Ok(raw)
    }

    /// The mark comes last: if this is cancelled before, the next user starts over.
    async fn take_into_use(&self, raw: &mut PoolConnection<Postgres>) -> Result<(), sqlx::Error> {
        self.sessions.begin(raw).await?;
        self.doubt.ask(raw).await?;
        feed_position::begin(raw).await?;
        raw.prepare(MARK.into_sql_str()).await?;
        Ok(())
    }

    /// A transaction. If a connection breaks before the transaction has started, it starts on another one.
    pub(in crate::store) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let (waiting, begun) = (self.waiting(), Instant::now());
        loop {
            match timeout(LIMIT, Box::pin(self.try_begin())).await {
                Ok(Ok(connection)) => return Ok(Tx::new(connection, waiting)),
                Ok(Err(error)) if failure::is_of_connection(&error) && begun.elapsed() < self.max_wait => {
                    self.doubt.judge(&error);
                    sleep(PAUSE).await;
                }
                Ok(Err(error)) => {
                    waiting.end(Some(&error));
                    return Err(error);
                }
                Err(_) => return Err(silent()),
            }
        }
    }

    async fn try_begin(&self) -> Result<PooledConnection, sqlx::Error> {
        let mut connection = self.acquire().await?;
        connection.begin().await?;
        Ok(connection)
    }

    /// Runs several statements with one limit: together they take no longer than [`LIMIT`].
    pub(in crate::store) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let waiting = self.waiting();
        // Boxed: a whole transaction would enlarge every caller's future.
        let Ok(done) = timeout(LIMIT, Box::pin(work)).await else { return Err(silent().into()) };
        waiting.end(done.as_ref().err().and_then(StoreError::of_driver));
        done
    }

    /// Runs work that may be repeated, each time with [`Self::limited`], until it fails for a reason other than its
    /// connection, or the time is over. `work` is told whether it ran before: some of it may then have been done.
    pub(in crate::store) async fn repeated<T, W>(&self, mut work: impl FnMut(bool) -> W) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        let mut repeats = self.repeats();
        loop {
            let done = self.limited(work(repeats.again)).await;
            if !repeats.pass(&done).await {
                return done;
            }
        }
    }

    /// The same, for work that cannot be put in a closure.
    pub(in crate::store) fn repeats(&self) -> RetryLoop {
        RetryLoop { again: false, until: Instant::now() + self.max_wait }
    }

    /// Asks the database whether it accepts writes. A broken connection does not answer that, so the next one is tested
    /// and asked.
    pub(in crate::store) async fn ask(&self) -> Result<(), sqlx::Error> {
        match self.ask_once().await {
            Err(error) if failure::is_of_connection(&error) && self.doubt.ailment().is_none() => self.ask_once().await,
            asked => asked,
        }
    }

    async fn ask_once(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.acquire().await?;
        self.doubt.ask(connection.unbounded()).await
    }

    /// Closes every connection after the current work.
    pub(in crate::store) async fn close(&self) {
        self.inner.close().await;
    }

    fn waiting(&self) -> PendingWait {
        PendingWait::on(&self.doubt)
    }
}

/// Whether work that failed with this error may succeed on another connection.
fn may_repeat(error: &sqlx::Error) -> bool {
    failure::is_of_connection(error) || failure::is_stale_plan(error)
}

/// The state of repeated work.
pub(in crate::store) struct RetryLoop {
    /// Whether the work ran before: some or all of it may then have been done.
    pub(in crate::store) again: bool,
    until: Instant,
}

impl RetryLoop {
    /// Whether to repeat the work: its connection broke or its plans are stale, and there is time. If so, waits a
    /// little first.
    pub(in crate::store) async fn pass<T>(&mut self, done: &Result<T, StoreError>) -> bool {
        let Err(error) = done else { return false };
        if !error.of_driver().is_some_and(may_repeat) || Instant::now() >= self.until {
            return false;
        }
        tracing::debug!(error = error as &dyn std::error::Error, "the connection is unusable; retrying");
        sleep(PAUSE).await;
        self.again = true;
        true
    }
}
