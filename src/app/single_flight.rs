//! One question for all who ask the same at the same time.
//!
//! What must stay true: whoever asks is told what was read after they asked, never by a question that had begun before;
//! so at most one question of a kind is under way, and one more is due. Nobody is told what another key asked: the team
//! is in the key. Whoever leaves takes nothing from the others: a question runs in a task of its own. What is
//! remembered ends with the last who asks.
//!
//! Who calls it: [`super::image_caches::renderer`], for lists.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// What everybody who asked is told.
pub(super) type SharedResult<V, E> = Result<V, Arc<E>>;

/// The questions that are under way, each with those who wait for the next one of its kind.
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
    /// What `ask` gives, asked after now; once for all who wait for the same `key`. None: the process is about to end.
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

    /// Waits for the next question of that kind, if one is under way; else gives back whom the first is for.
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

/// The questions of one kind, one after the other.
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

    /// Those who have come meanwhile. None: it is over.
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

/// Where a question panicked, those who wait are told nothing, which they take as an end.
impl<V, E> Drop for Flight<V, E> {
    fn drop(&mut self) {
        if !self.over {
            lock(&self.flights).remove(&self.key);
        }
    }
}

fn lock<V, E>(flights: &Mutex<Flights<V, E>>) -> MutexGuard<'_, Flights<V, E>> {
    // Nothing panics while it is held.
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
        // One leaves; the others are told all the same, and another key asks for itself.
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
