//! Shares one query among all callers that ask the same at the same time.
//!
//! What must stay true: a caller gets what was read after it asked, never the result of a query that had already
//! started. So for each key at most one query is running, and one more is due. No caller gets the answer to another
//! key, and the team is part of the key. A caller that leaves does not affect the others, because a query runs in a
//! task of its own. Nothing is remembered after the last caller has its answer.
//!
//! [`super::image_caches::renderer`] uses it, for lists.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// The answer that all callers share.
pub(super) type SharedResult<V, E> = Result<V, Arc<E>>;

/// The running queries by key, each with the callers that wait for the next one.
pub(super) struct Sharing<V, E>(Arc<Mutex<Flights<V, E>>>);

type Flights<V, E> = HashMap<String, Vec<oneshot::Sender<SharedResult<V, E>>>>;

impl<V, E> fmt::Debug for Sharing<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharing").finish_non_exhaustive()
    }
}

impl<V, E> Default for Sharing<V, E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V: Clone + Send + 'static, E: Send + Sync + 'static> Sharing<V, E> {
    /// The result of `ask`, started after this call, and shared by all who wait for the same `key`. `None` if the
    /// process is about to end, or if `ask` panicked.
    pub(super) async fn get<F>(
        &self,
        tasks: &TaskTracker,
        key: String,
        ask: impl Fn() -> F + Send + 'static,
    ) -> Option<SharedResult<V, E>>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (told, answer) = oneshot::channel();
        if let Some(first) = self.join(&key, told) {
            let flight = Flight { flights: Arc::clone(&self.0), key, over: false };
            tasks.spawn(flight.run(first, ask));
        }
        answer.await.ok()
    }

    /// Joins the callers that wait for the next query, if one is running. Otherwise returns the sender, whose caller
    /// the first query is for.
    fn join(
        &self,
        key: &str,
        told: oneshot::Sender<SharedResult<V, E>>,
    ) -> Option<oneshot::Sender<SharedResult<V, E>>> {
        let mut flights = lock(&self.0);
        let Some(next) = flights.get_mut(key) else {
            flights.insert(key.to_owned(), Vec::new());
            return Some(told);
        };
        next.push(told);
        None
    }
}

/// The queries for one key, one after the other.
struct Flight<V, E> {
    flights: Arc<Mutex<Flights<V, E>>>,
    key: String,
    over: bool,
}

impl<V: Clone, E> Flight<V, E> {
    async fn run<F>(mut self, first: oneshot::Sender<SharedResult<V, E>>, ask: impl Fn() -> F)
    where
        F: Future<Output = Result<V, E>>,
    {
        let mut waiting = vec![first];
        while !waiting.is_empty() {
            let told = ask().await.map_err(Arc::new);
            for one in waiting {
                let _gone = one.send(told.clone());
            }
            waiting = self.next();
        }
    }

    /// The callers that have come in the meantime. If there are none, the flight is over.
    fn next(&mut self) -> Vec<oneshot::Sender<SharedResult<V, E>>> {
        let mut flights = lock(&self.flights);
        let next = flights.get_mut(&self.key).map(std::mem::take).unwrap_or_default();
        if next.is_empty() {
            flights.remove(&self.key);
            self.over = true;
        }
        next
    }
}

/// If a query panicked, its callers get no answer, which they treat as the end of the process.
impl<V, E> Drop for Flight<V, E> {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.flights).remove(&self.key);
        }
    }
}

fn lock<V, E>(flights: &Mutex<Flights<V, E>>) -> MutexGuard<'_, Flights<V, E>> {
    // Nothing panics while the lock is held.
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::poll;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn nobody_is_told_what_was_asked_before() {
        let (sharing, tasks) = (Sharing::<u32, ()>::default(), TaskTracker::new());
        let (asked, permits) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (asked, permits) = (Arc::clone(&asked), Arc::clone(&permits));
            move || {
                let (number, permits) = (asked.fetch_add(1, Ordering::Relaxed), Arc::clone(&permits));
                async move {
                    permits.acquire().await.unwrap().forget();
                    Ok(number)
                }
            }
        };
        let mut first = Box::pin(sharing.get(&tasks, "a".into(), ask()));
        assert!(poll!(&mut first).is_pending());
        while asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let mut others: Vec<_> = (0..3).map(|_| Box::pin(sharing.get(&tasks, "a".into(), ask()))).collect();
        for other in &mut others {
            assert!(poll!(other).is_pending());
        }
        // One leaves; the others still get the answer, and another key has its own query.
        drop(others.pop());
        permits.add_permits(3);
        assert_eq!(first.await, Some(Ok(0)));
        for other in others {
            assert_eq!(other.await, Some(Ok(1)));
        }
        assert_eq!(sharing.get(&tasks, "b".into(), ask()).await, Some(Ok(2)));
        tasks.close();
        tasks.wait().await;
        assert!(lock(&sharing.0).is_empty(), "what is over is forgotten");
    }

    #[tokio::test]
    async fn a_question_that_panics_holds_up_nobody() {
        let (sharing, tasks) = (Sharing::<u32, ()>::default(), TaskTracker::new());
        let ask = || async { panic!("of itself") };
        assert_eq!(sharing.get(&tasks, "a".into(), ask).await, None);
        while !lock(&sharing.0).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(sharing.get(&tasks, "a".into(), || async { Ok(1) }).await, Some(Ok(1)));
    }
}
