//! Caches the answer of a database query in memory for a short time: one query at a time, for all callers.
//!
//! What must stay true: no caller gets an answer older than it allows, unless the database cannot be queried; then an
//! answer of at most [`GRACE`]. A caller that comes while a query is running waits for its answer. A failed query is
//! not repeated at once, so that an unavailable database does not hold up each request in turn. Whoever changes what is
//! cached here calls `forget`.
//!
//! Users: [`super::identity::authentication`] and [`super::platform::policy`].

use std::time::Duration as StdDuration;

use chrono::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Error;
use crate::domain::clock::{Clock, Instant, within};
use crate::domain::problem::Code;
use crate::store;

/// The age up to which an answer is used.
pub(super) const BOUND: Duration = Duration::seconds(1);
/// The same, if there is reason to doubt the answer.
pub(super) const DOUBT: Duration = Duration::milliseconds(100);
/// The age up to which an answer is used while the database cannot be queried.
pub(super) const GRACE: Duration = Duration::seconds(5);
/// The pause after a failed query.
const PAUSE: Duration = Duration::milliseconds(500);
/// How long to wait for an answer.
const MAX_WAIT: StdDuration = StdDuration::from_secs(2);

/// The cached answer; empty at first.
#[derive(Debug)]
pub(super) struct TtlMemo<T>(Mutex<MemoState<T>>);

#[derive(Debug)]
struct MemoState<T> {
    found: Option<(Instant, T)>,
    failed: Option<Instant>,
}

/// The error while it is not known who may be admitted.
pub(super) fn unavailable() -> Error {
    Error::Unavailable {
        code: Code::CredentialsUnavailable,
        detail: "the validity of credentials cannot be determined at the moment",
        retry_after_seconds: 2,
    }
}

impl<T> Default for TtlMemo<T> {
    fn default() -> Self {
        Self(Mutex::new(MemoState { found: None, failed: None }))
    }
}

impl<T: Clone> TtlMemo<T> {
    /// The cached answer if it is at most `age` old, otherwise the result of `read`.
    pub(super) async fn get(
        &self,
        clock: &dyn Clock,
        age: Duration,
        read: impl Future<Output = Result<T, store::StoreError>>,
    ) -> Result<T, Error> {
        let mut state = self.0.lock().await;
        // Dated before the query: what is committed while it runs may be missing from its answer.
        let now = clock.now();
        if let Some(found) = state.younger(age, now) {
            return Ok(found);
        }
        if !within(state.failed, PAUSE, now) {
            match timeout(MAX_WAIT, read).await {
                Ok(Ok(found)) => {
                    *state = MemoState { found: Some((now, found.clone())), failed: None };
                    return Ok(found);
                }
                failed => {
                    state.failed = Some(clock.now());
                    // No error means that it took too long.
                    let error = failed.ok().and_then(Result::err);
                    let error = error.as_ref().map(|error| error as &dyn std::error::Error);
                    tracing::warn!(error, "could not check which credentials are valid");
                }
            }
        }
        state.younger(GRACE, clock.now()).ok_or_else(unavailable)
    }

    /// Invalidates the answer: the next caller queries again.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = MemoState { found: None, failed: None };
    }

    /// Whether an answer that satisfies `is` is cached, or a query is running.
    pub(super) fn holds(&self, is: impl Fn(&T) -> bool) -> bool {
        self.0.try_lock().map_or(true, |state| state.found.as_ref().is_some_and(|(_, found)| is(found)))
    }
}

impl<T: Clone> MemoState<T> {
    fn younger(&self, age: Duration, now: Instant) -> Option<T> {
        let (at, found) = self.found.as_ref()?;
        within(Some(*at), age, now).then(|| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::domain::clock::ManualClock;

    fn away() -> store::StoreError {
        store::StoreError::Unreadable { table: "t", column: "c", detail: "away".into() }
    }

    #[tokio::test]
    async fn everybody_shares_one_question() {
        let (kept, clock) = (TtlMemo::default(), ManualClock::at(Instant::UNIX_EPOCH));
        let asked = AtomicU32::new(0);
        let ask = || async {
            tokio::task::yield_now().await;
            Ok(asked.fetch_add(1, Ordering::Relaxed))
        };
        let all = join_all((0..100).map(|_| kept.get(&clock, BOUND, ask()))).await;
        assert!(all.into_iter().all(|answer| matches!(answer, Ok(0))));
        clock.advance(BOUND);
        assert!(matches!(kept.get(&clock, BOUND, ask()).await, Ok(1)));
        clock.advance(DOUBT);
        assert!(matches!(kept.get(&clock, BOUND, ask()).await, Ok(1)));
        assert!(matches!(kept.get(&clock, DOUBT, ask()).await, Ok(2)));
        kept.forget().await;
        assert!(matches!(kept.get(&clock, BOUND, ask()).await, Ok(3)));
    }

    #[tokio::test]
    async fn what_was_said_last_counts_for_a_while() {
        let (kept, clock) = (TtlMemo::default(), ManualClock::at(Instant::UNIX_EPOCH));
        assert!(matches!(kept.get(&clock, BOUND, async { Ok(7) }).await, Ok(7)));
        clock.advance(BOUND);
        assert!(matches!(kept.get(&clock, BOUND, async { Err(away()) }).await, Ok(7)));
        let unasked = async { unreachable!("not at once again") };
        assert!(matches!(kept.get(&clock, BOUND, unasked).await, Ok(7)));
        clock.advance(GRACE - BOUND);
        let refused = kept.get(&clock, BOUND, async { Err(away()) }).await;
        assert!(matches!(refused, Err(Error::Unavailable { code: Code::CredentialsUnavailable, .. })), "{refused:?}");
        clock.advance(PAUSE);
        assert!(matches!(kept.get(&clock, BOUND, async { Ok(8) }).await, Ok(8)));
    }
}
