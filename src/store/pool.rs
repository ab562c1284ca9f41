//! A pool of connections whose other end may fall silent: a partition, a stopped server, a frozen proxy.
//!
//! What must stay true: no statement is waited for longer than [`LIMIT`]; a connection that fell silent is thrown
//! away, not kept and not waited for; and what the server holds for us (a statement, a lock, an open transaction)
//! is let go by the server itself if we fall silent, so that no other gateway waits for us ([`super::session`]).
//!
//! The driver tests a connection when it comes back, but waits for ever for the answer. So whenever something took
//! suspiciously long, connections are in [`Doubt`] for a while: each must answer within [`TEST`] before it is used
//! again or kept. Without doubt that test costs nothing.
//!
//! Who calls it: the other files of `store`, as they would a `PgPool`.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::timeout;

use super::Error;
use super::session::Sessions;

mod statements;

/// The longest wait for one statement, or for a transaction that is waited for as a whole.
const LIMIT: Duration = Duration::from_secs(10);
/// What ends unfinished after this is suspicious.
const SUSPICIOUS: Duration = Duration::from_secs(2);
/// How long a doubtful connection has to answer.
const TEST: Duration = Duration::from_secs(1);
/// How long a doubt lasts.
const DOUBTFUL: Duration = Duration::from_secs(30);

/// When a connection last gave reason to doubt the others.
#[derive(Debug, Default)]
struct Doubt(Mutex<Option<Instant>>);

impl Doubt {
    fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn stands(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() < DOUBTFUL)
    }

    async fn test(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        if self.stands() {
            timeout(TEST, connection.ping()).await.map_err(|_| silent())??;
        }
        Ok(true)
    }

    /// A connection that broke says something about the others, too.
    fn judge(&self, error: &sqlx::Error) {
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) {
            self.raise();
        }
    }
}

/// Something that is being waited for. Dropped before it has ended, and late: a doubt.
struct Waiting {
    since: Instant,
    doubt: Arc<Doubt>,
    ended: bool,
}

impl Waiting {
    fn on(doubt: &Arc<Doubt>) -> Self {
        Self { since: Instant::now(), doubt: Arc::clone(doubt), ended: false }
    }

    fn end(mut self, error: Option<&sqlx::Error>) {
        self.ended = true;
        if let Some(error) = error {
            self.doubt.judge(error);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() >= SUSPICIOUS {
            self.doubt.raise();
        }
    }
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database does not answer"))
}

/// The pool; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    inner: PgPool,
    doubt: Arc<Doubt>,
}

impl Pool {
    /// A pool of at most `most` connections, none made yet.
    pub(super) fn lazy(sessions: &Sessions, most: u32, acquire: Duration) -> Self {
        let doubt = Arc::new(Doubt::default());
        let (before, after) = (Arc::clone(&doubt), Arc::clone(&doubt));
        let begun = sessions.clone();
        let inner = PgPoolOptions::new()
            .max_connections(most)
            .after_connect(move |connection, _| {
                let sessions = begun.clone();
                Box::pin(async move { sessions.begin(connection).await })
            })
            .acquire_timeout(acquire)
            .test_before_acquire(false)
            .before_acquire(move |connection, _| {
                let doubt = Arc::clone(&before);
                Box::pin(async move { doubt.test(connection).await })
            })
            .after_release(move |connection, _| {
                let doubt = Arc::clone(&after);
                Box::pin(async move { doubt.test(connection).await })
            })
            .connect_lazy_with(sessions.options.clone());
        Self { inner, doubt }
    }

    /// A connection.
    pub(super) async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        Ok(Connection { held: Held::Alone(self.inner.acquire().await?), doubt: Arc::clone(&self.doubt) })
    }

    /// A connection on which statements are waited for without a limit.
    pub(super) async fn acquire_unlimited(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.inner.acquire().await
    }

    /// A transaction.
    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let waiting = self.waiting();
        match timeout(LIMIT, self.inner.begin()).await {
            Ok(Ok(inner)) => {
                let connection = Connection { held: Held::InTransaction(inner), doubt: Arc::clone(&self.doubt) };
                Ok(Tx { connection, waiting })
            }
            Ok(Err(error)) => {
                waiting.end(Some(&error));
                Err(error)
            }
            Err(_) => Err(silent()),
        }
    }

    /// Runs several statements as one: together they are waited for no longer than [`LIMIT`].
    pub(super) async fn limited<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let waiting = self.waiting();
        // On the heap: a whole transaction would weigh on every caller's future.
        let Ok(done) = timeout(LIMIT, Box::pin(work)).await else { return Err(silent().into()) };
        waiting.end(None);
        done
    }

    /// Closes every connection after the work in hand.
    pub(super) async fn close(&self) {
        self.inner.close().await;
    }

    fn waiting(&self) -> Waiting {
        Waiting::on(&self.doubt)
    }
}

/// One connection, each statement on which is waited for no longer than [`LIMIT`].
pub(super) struct Connection {
    held: Held,
    doubt: Arc<Doubt>,
}

enum Held {
    Alone(PoolConnection<Postgres>),
    InTransaction(Transaction<'static, Postgres>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// The connection itself, for statements that are waited for together ([`Pool::limited`]).
    pub(super) fn unbounded(&mut self) -> &mut PgConnection {
        self.raw()
    }

    fn raw(&mut self) -> &mut PgConnection {
        match &mut self.held {
            Held::Alone(connection) => connection,
            Held::InTransaction(transaction) => transaction,
        }
    }

    fn waiting(&self) -> Waiting {
        Waiting::on(&self.doubt)
    }
}

/// A transaction that was not committed is rolled back when dropped.
pub(super) struct Tx {
    connection: Connection,
    waiting: Waiting,
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    /// Commits. An error leaves open whether it was committed.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        // `begin` alone makes one.
        let Held::InTransaction(inner) = self.connection.held else { return Err(sqlx::Error::BeginFailed) };
        let done = timeout(LIMIT, inner.commit()).await.map_err(|_| silent())?;
        self.waiting.end(done.as_ref().err());
        done
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
