//! The group-commit writer of audit entries: one connection, one statement for everything that queued
//! while the last commit ran. No timer: an idle writer commits at once.
//!
//! What must stay true: an entry is acknowledged only after its commit; a full queue refuses at once; a
//! batch that fails is retried entry by entry, so that one bad entry fails alone; entries that were
//! accepted are written even if nobody waits for them any more.

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::pool::Pool;
use super::{Error, Stamp, audit_insert};
use crate::domain::audit::AuditEntry;

/// Most entries in one statement.
const BATCH: usize = 256;
/// Most entries that wait. When one commit ends the wait of all who wait for it, their entries come at once.
const QUEUE: usize = 32_768;

struct Waiting {
    entry: AuditEntry,
    done: oneshot::Sender<Result<(), Error>>,
}

/// The writer's handle.
#[derive(Debug)]
pub(super) struct AuditWriter {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl AuditWriter {
    /// Starts the writer on its own pool of one connection.
    pub(super) fn start(pool: Pool, stamp: Stamp) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(pool, stamp, receiver));
        Self { queue: Mutex::new(Some(sender)), task: Mutex::new(Some(task)) }
    }

    /// Queues one entry and waits until it is durable.
    pub(super) async fn append(&self, entry: AuditEntry) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        let queue = self.queue.lock().await.clone().ok_or_else(away)?;
        queue.try_send(Waiting { entry, done }).map_err(|_full| away())?;
        outcome.await.map_err(|_dropped| away())?
    }

    /// Writes what is queued, then ends.
    pub(super) async fn stop(&self) {
        self.queue.lock().await.take();
        if let Some(task) = self.task.lock().await.take() {
            // A panic of the task was already reported where it happened; there is nothing left to stop.
            let _ended = task.await;
        }
    }
}

fn away() -> Error {
    Error::Unavailable(sqlx::Error::WorkerCrashed)
}

async fn run(pool: Pool, stamp: Stamp, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let entries: Vec<AuditEntry> = batch.iter().map(|waiting| waiting.entry.clone()).collect();
        match write(&pool, &stamp, &entries).await {
            Ok(()) => batch.drain(..).for_each(|waiting| answer(waiting.done, Ok(()))),
            Err(error) if batch.len() == 1 || matches!(error, Error::Unavailable(_)) => {
                batch.drain(..).for_each(|waiting| answer(waiting.done, Err(away())));
                tracing::warn!(error = %error, "audit entries could not be written");
            }
            Err(_) => one_by_one(&pool, &stamp, &mut batch).await,
        }
    }
}

async fn one_by_one(pool: &Pool, stamp: &Stamp, batch: &mut Vec<Waiting>) {
    for waiting in batch.drain(..) {
        let outcome = write(pool, stamp, std::slice::from_ref(&waiting.entry)).await;
        answer(waiting.done, outcome);
    }
}

async fn write(pool: &Pool, stamp: &Stamp, entries: &[AuditEntry]) -> Result<(), Error> {
    let writing = async {
        let mut connection = pool.acquire().await?;
        audit_insert::insert(&mut connection, stamp, entries).await
    };
    pool.limited(writing).await
}

/// Nobody may be waiting any more; the entry is written all the same.
fn answer(done: oneshot::Sender<Result<(), Error>>, outcome: Result<(), Error>) {
    let _gone = done.send(outcome);
}
