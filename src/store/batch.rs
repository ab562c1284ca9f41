//! Runs one statement for everything that queued while the previous one ran. Single reads, audit entries and creates
//! work this way.
//!
//! What must stay true: a statement starts after everything in it was requested, so readers see what they wrote before;
//! an answer is given only after its statement has ended (for a write, after its commit); a full queue refuses at once;
//! a batch that fails is repeated one by one, so that the bad item fails alone; what was accepted is done, whoever
//! still waits for it. There is no timer: an idle worker starts at once.
//!
//! [`self::audit_writer`], [`super::team::rendered`], [`super::team::policies`] and [`self::state_writer`] use it. It
//! does not know what a batch contains.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::StoreError;
use crate::domain::log_limit::LogLimit;

pub(super) mod audit_writer;
pub(super) mod state_writer;

/// The most items in one statement.
const BATCH: usize = 256;

/// Limits how often failed batches are logged: while the database fails, all of them do at once.
static SAID: LogLimit = LogLimit::new();

/// What to do with a batch.
pub(super) trait BatchWork: Send + Sync + 'static {
    /// What one request wants written.
    type Item: Send + Sync + 'static;
    /// The answer to one request.
    type Done: Send + 'static;

    /// Does the whole batch. Returns as many answers as items, in the same order.
    fn all(&self, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Done>, StoreError>> + Send;
}

struct BatchItem<W: BatchWork> {
    item: W::Item,
    told: oneshot::Sender<Result<W::Done, StoreError>>,
}

type Inbox<W> = Arc<Mutex<mpsc::Receiver<BatchItem<W>>>>;

/// The queue of a set of workers.
pub(super) struct Batches<W: BatchWork> {
    queue: std::sync::Mutex<Option<mpsc::Sender<BatchItem<W>>>>,
    workers: TaskTracker,
}

impl<W: BatchWork> fmt::Debug for Batches<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}

impl<W: BatchWork> Batches<W> {
    /// Starts `workers` workers, with a queue of up to `queue` items. Must be called within a tokio runtime.
    pub(super) fn start(work: W, workers: usize, queue: usize) -> Self {
        let (sender, receiver) = mpsc::channel(queue);
        let (work, inbox) = (Arc::new(work), Arc::new(Mutex::new(receiver)));
        let tasks = TaskTracker::new();
        for _ in 0..workers {
            tasks.spawn(run(Arc::clone(&work), Arc::clone(&inbox)));
        }
        tasks.close();
        Self { queue: std::sync::Mutex::new(Some(sender)), workers: tasks }
    }

    /// Queues one item and waits until it is done.
    pub(super) async fn ask(&self, item: W::Item) -> Result<W::Done, StoreError> {
        let (told, answer) = oneshot::channel();
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        queue.ok_or_else(away)?.try_send(BatchItem { item, told }).map_err(|_full| away())?;
        answer.await.map_err(|_dropped| away())?
    }

    /// Does what is queued, then ends.
    pub(super) async fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        self.workers.wait().await;
    }
}

fn away() -> StoreError {
    StoreError::Unavailable(sqlx::Error::WorkerCrashed)
}

async fn run<W: BatchWork>(work: Arc<W>, inbox: Inbox<W>) {
    let mut taken = Vec::with_capacity(BATCH);
    loop {
        // One worker at a time takes what is there; while it works on that, the next one waits here.
        if inbox.lock().await.recv_many(&mut taken, BATCH).await == 0 {
            return;
        }
        let (items, told): (Vec<_>, Vec<_>) = taken.drain(..).map(|waiting| (waiting.item, waiting.told)).unzip();
        let carried_out = AssertUnwindSafe(carry_out(&*work, items, told)).catch_unwind().await;
        if carried_out.is_err() {
            // The callers learn that the outcome is unknown. Without its worker, nobody would ever get an answer again.
            tracing::error!("a batch panicked; its worker continues");
        }
    }
}

async fn carry_out<W: BatchWork>(
    work: &W,
    items: Vec<W::Item>,
    told: Vec<oneshot::Sender<Result<W::Done, StoreError>>>,
) {
    match work.all(&items).await {
        Ok(done) => {
            // Drop the items first: callers may take back what they lent once they have their answer.
            drop(items);
            told.into_iter().zip(done).for_each(|(told, done)| tell(told, Ok(done)));
        }
        Err(error) if error.is_away() => {
            let cause = &error as &dyn std::error::Error;
            if let Some(left_out) = SAID.may(&error.code(), Instant::now()) {
                tracing::warn!(error = cause, items = items.len(), left_out, "could not process a batch");
            }
            for told in told {
                tell(told, Err(away()));
            }
        }
        Err(error) => one_by_one(work, items, told, error).await,
    }
}

/// Repeats a failed batch so that the bad item fails alone. For a single item, the error already says what is wrong.
async fn one_by_one<W: BatchWork>(
    work: &W,
    items: Vec<W::Item>,
    mut told: Vec<oneshot::Sender<Result<W::Done, StoreError>>>,
    error: StoreError,
) {
    if let Some(only) = told.pop_if(|_| items.len() == 1) {
        return tell(only, Err(error));
    }
    for (item, told) in items.into_iter().zip(told) {
        let done = work.all(std::slice::from_ref(&item)).await;
        tell(told, done.and_then(|mut done| done.pop().ok_or_else(away)));
    }
}

/// Nobody may be waiting any more.
fn tell<T>(to: oneshot::Sender<T>, what: T) {
    let _gone = to.send(what);
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers each number with how many statements had started before its own; refuses 13. Each statement needs a
    /// permit.
    struct Counting {
        begun: std::sync::Mutex<Vec<Vec<u32>>>,
        permits: Semaphore,
    }

    impl Counting {
        fn with(permits: usize) -> Self {
            Self { begun: std::sync::Mutex::default(), permits: Semaphore::new(permits) }
        }
    }

    impl BatchWork for Arc<Counting> {
        type Item = u32;
        type Done = usize;

        async fn all(&self, items: &[u32]) -> Result<Vec<usize>, StoreError> {
            let before = {
                let mut begun = self.begun.lock().unwrap();
                begun.push(items.to_vec());
                begun.len() - 1
            };
            self.permits.acquire().await.unwrap().forget();
            assert!(!items.contains(&666), "by a test");
            if items.contains(&13) {
                return Err(StoreError::Unreadable { table: "t", column: "c", detail: "13".into() });
            }
            Ok(vec![before; items.len()])
        }
    }

    fn begun(work: &Counting) -> usize {
        work.begun.lock().unwrap().len()
    }

    #[tokio::test]
    async fn nobody_joins_what_has_begun() {
        let work = Arc::new(Counting::with(0));
        let batches = Arc::new(Batches::start(Arc::clone(&work), 1, 100));
        let ask = |number| {
            let batches = Arc::clone(&batches);
            tokio::spawn(async move { batches.ask(number).await })
        };
        let first = ask(1);
        while begun(&work) == 0 {
            tokio::task::yield_now().await;
        }
        let others = [ask(2), ask(3), ask(4)];
        while batches.queue.lock().unwrap().as_ref().unwrap().capacity() > 97 {
            tokio::task::yield_now().await;
        }
        work.permits.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), 0);
        for other in others {
            assert_eq!(other.await.unwrap().unwrap(), 1);
        }
        assert_eq!(*work.begun.lock().unwrap(), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn what_is_bad_fails_alone() {
        let work = Arc::new(Counting::with(1_000));
        let batches = Batches::start(Arc::clone(&work), 1, 100);
        let answers = join_all([12, 13, 14].map(|number| batches.ask(number))).await;
        assert!(matches!(&answers[..], [Ok(_), Err(StoreError::Unreadable { .. }), Ok(_)]), "{answers:?}");
    }

    #[tokio::test]
    async fn a_worker_outlives_a_panic() {
        let work = Arc::new(Counting::with(1_000));
        let batches = Batches::start(Arc::clone(&work), 1, 100);
        assert!(matches!(batches.ask(666).await, Err(StoreError::Unavailable(_))));
        assert_eq!(batches.ask(1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_what_was_taken_in_is_done() {
        let work = Arc::new(Counting::with(0));
        let batches = Arc::new(Batches::start(Arc::clone(&work), 1, 1));
        let asked: Vec<_> = (0..2).map(|number| Box::pin(batches.ask(number))).collect();
        let mut asked = asked.into_iter();
        let (mut first, mut second) = (asked.next().unwrap(), asked.next().unwrap());
        assert!(futures_util::poll!(&mut first).is_pending());
        while begun(&work) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(matches!(batches.ask(2).await, Err(StoreError::Unavailable(_))));
        drop(second);
        work.permits.add_permits(2);
        batches.stop().await;
        assert_eq!(*work.begun.lock().unwrap(), [vec![0], vec![1]]);
        assert!(matches!(batches.ask(3).await, Err(StoreError::Unavailable(_))));
        assert_eq!(first.await.unwrap(), 0);
    }
}
