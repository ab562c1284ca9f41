//! A transaction; and one that waits with its commit until the response to its request is written into it.
//!
//! A request with an `Idempotency-Key` has its effect and its response in one transaction, but the response is known
//! only when the request is done. So within [`HeldCommit::around`] the commit of the change (the transaction with an
//! audit entry in it) only puts the transaction aside. The rest of the request runs in it: its single statements see
//! what was changed. Whoever holds it adds the response and commits, or drops it, and nothing has happened.
//!
//! What must stay true: what follows a commit (what is told to others, what is forgotten in memory) happens after the
//! real one: it goes through [`once_committed`].

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{Either, Execute, Executor as _, Postgres};
use tokio::time::timeout;

use super::connection::PooledConnection;
use super::connection_doubt::PendingWait;
use super::{LIMIT, silent};
use crate::store::{StoreError, failure};

/// A transaction that is rolled back when dropped without a commit.
pub(in crate::store) struct Tx {
    connection: PooledConnection,
    waiting: PendingWait,
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    pub(super) fn new(connection: PooledConnection, waiting: PendingWait) -> Self {
        Self { connection, waiting }
    }

    /// Commits, or leaves that to whoever writes the response. `InDoubt` means that it may or may not have been
    /// committed.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        match put_aside(self).await {
            Some(transaction) => transaction.commit_now().await,
            None => Ok(()),
        }
    }

    /// Commits whether or not a response is to be written.
    pub(in crate::store) async fn commit_now(mut self) -> Result<(), StoreError> {
        let done = timeout(LIMIT, self.connection.commit()).await.map_err(|_| silent()).flatten();
        self.waiting.end(done.as_ref().err());
        done.map_err(|error| if failure::is_of_connection(&error) { StoreError::InDoubt(error) } else { error.into() })
    }
}

impl Deref for Tx {
    type Target = PooledConnection;

    fn deref(&self) -> &PooledConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PooledConnection {
        &mut self.connection
    }
}

tokio::task_local! {
    static HELD: Arc<HeldCommit>;
}

/// The commit of a request that waits for its response.
#[derive(Default)]
pub struct HeldCommit {
    transaction: tokio::sync::Mutex<Option<Tx>>,
    after: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl fmt::Debug for HeldCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldCommit").finish_non_exhaustive()
    }
}

impl HeldCommit {
    /// Runs a request whose commit is to wait; returns its result and that commit. Dropped, it is rolled back.
    pub async fn around<T>(work: impl Future<Output = T>) -> (T, Arc<Self>) {
        let held = Arc::<Self>::default();
        let done = HELD.scope(Arc::clone(&held), work).await;
        (done, held)
    }

    /// The transaction that waits, if the request changed anything.
    pub(in crate::store) async fn take(&self) -> Option<Tx> {
        self.transaction.lock().await.take()
    }

    /// Does what follows the commit.
    pub(in crate::store) async fn committed(&self) {
        let after = std::mem::take(&mut *self.after.lock().unwrap_or_else(PoisonError::into_inner));
        for work in after {
            work.await;
        }
    }
}

/// Does what follows the commit of a change: at once, or when the request's commit no longer waits.
pub async fn once_committed(work: impl Future<Output = ()> + Send + 'static) {
    match HELD.try_with(Arc::clone) {
        Ok(held) if held.transaction.lock().await.is_some() => {
            held.after.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
        }
        _ => work.await,
    }
}

/// Puts the transaction aside if it is the change of a request whose commit waits. Returns it otherwise.
async fn put_aside(transaction: Tx) -> Option<Tx> {
    let Ok(held) = HELD.try_with(Arc::clone) else { return Some(transaction) };
    let mut aside = held.transaction.lock().await;
    if aside.is_some() || !transaction.is_recorded() {
        return Some(transaction);
    }
    *aside = Some(transaction);
    None
}

/// Runs a single statement in the transaction that waits. `None` if there is none: it stands alone.
pub(super) async fn within<'q, E: Execute<'q, Postgres> + 'q>(
    statement: impl FnOnce() -> E,
) -> Option<Result<Vec<Either<PgQueryResult, PgRow>>, sqlx::Error>> {
    let held = HELD.try_with(Arc::clone).ok()?;
    let mut aside = held.transaction.lock().await;
    let transaction = aside.as_mut()?;
    Some(transaction.connection.fetch_many(statement()).try_collect().await)
}
