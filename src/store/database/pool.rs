//! A pool of connections whose other end may fall silent: a partition, a stopped server, a frozen proxy.
//!
//! What must stay true: no statement is waited for longer than [`LIMIT`]; a connection that fell silent is thrown
//! away, not kept and not waited for; and what the server holds for us (a statement, a lock, an open transaction)
//! is let go by the server itself if we fall silent, so that no other gateway waits for us ([`super::session`]).
//!
//! And whose other end may be another server than before, or one that only reads: a restart, a failover, a proxy that
//! points at a standby. What must stay true there: a connection is used only if its server could be written to when it
//! was made; trouble on one connection puts all of this process in [`ConnectionDoubt`], whichever pool they are of; one
//! that rested for longer than [`RESTED`] is tested before it is used. So whoever comes after a restart meets no
//! connection from before it. Who comes during one waits for a connection as long as the pool lets it wait, and what is
//! surely safe to repeat is repeated ([`Pool::repeated`]). A COMMIT whose answer did not arrive is told apart: it may
//! have happened.
//!
//! Nor may tables that a later version alters under us do harm. Statements name their columns
//! ([`crate::store::columns`]), so that another column changes nothing; where a plan is stale all the same, every
//! connection from before is closed. A statement by itself is then repeated, and so is a transaction that is repeated
//! where a connection breaks; any other transaction fails once, as if the database were away.
//!
//! What is in memory beside the database: the doubt, one for all pools of a process (raised by whoever meets trouble;
//! stale, it costs a needless test), and what the driver keeps of a connection (prepared statements), which ends with
//! the connection: after 30 minutes, or with the doubt.
//!
//! Who calls it: the other files of `store`, as they would a `PgPool`.

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
pub(in crate::store) use connection::{PooledConnection, Tx};
use connection_doubt::PendingWait;
pub(in crate::store) use connection_doubt::{ConnectionDoubt, UnusableReason};

mod connection;
mod connection_doubt;
mod statements;

/// The longest wait for one statement, or for a transaction that is waited for as a whole.
const LIMIT: Duration = Duration::from_secs(10);
/// A connection that rested that long is tested before it is used: less than any server needs to restart, and more than
/// a connection rests under load, where the test would cost something.
const RESTED: Duration = Duration::from_millis(100);
/// What marks a connection that may be used: it is prepared there, and never run.
const MARK: &str = "SELECT 'taken into use'";
/// Between two tries to connect to a database that is away.
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
    /// How long a connection is waited for.
    max_wait: Duration,
}

impl Pool {
    /// A pool of at most `most` connections, none made yet. `doubt` is shared by all pools of one database.
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

    /// A connection to a server that can be written to. While there is none, it is waited for.
    pub(in crate::store) async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        Ok(PooledConnection::new(self.acquire_unlimited().await?, &self.doubt))
    }

    /// The same, on which statements are waited for without a limit.
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

    /// One that rested was tested by the pool's hook; a new one is given its settings here, and asked whether it can
    /// write.
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

    /// The mark comes last: where somebody leaves before, the next one begins again.
    async fn take_into_use(&self, raw: &mut PoolConnection<Postgres>) -> Result<(), sqlx::Error> {
        self.sessions.begin(raw).await?;
        self.doubt.ask(raw).await?;
        feed_position::begin(raw).await?;
        raw.prepare(MARK.into_sql_str()).await?;
        Ok(())
    }

    /// A transaction. Where a connection breaks before it has begun, it begins on another one.
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

    /// Runs several statements as one: together they are waited for no longer than [`LIMIT`].
    pub(in crate::store) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let waiting = self.waiting();
        // On the heap: a whole transaction would weigh on every caller's future.
        let Ok(done) = timeout(LIMIT, Box::pin(work)).await else { return Err(silent().into()) };
        waiting.end(done.as_ref().err().and_then(StoreError::of_driver));
        done
    }

    /// Runs work that may be repeated, each time [`Self::limited`], until it does not fail by its connection or the
    /// wait is over. `work` is told whether it was begun before: then some of it may have been done.
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

    /// The same for work that cannot be put in a closure.
    pub(in crate::store) fn repeats(&self) -> RetryLoop {
        RetryLoop { again: false, until: Instant::now() + self.max_wait }
    }

    /// Asks the database whether it can be written to. A connection that broke says nothing of that: the next one is
    /// tested before it is used.
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

    /// Closes every connection after the work in hand.
    pub(in crate::store) async fn close(&self) {
        self.inner.close().await;
    }

    fn waiting(&self) -> PendingWait {
        PendingWait::on(&self.doubt)
    }
}

/// Whether work that failed so may do better on another connection.
fn may_repeat(error: &sqlx::Error) -> bool {
    failure::is_of_connection(error) || failure::is_stale_plan(error)
}

/// How often some work is repeated.
pub(in crate::store) struct RetryLoop {
    /// Whether it was begun before: then some or all of it may have been done.
    pub(in crate::store) again: bool,
    until: Instant,
}

impl RetryLoop {
    /// Whether it is to be done once more: its connection broke or its plans are stale, and there is time. Then it
    /// waits a little, too.
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
