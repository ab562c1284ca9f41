//! Shutdown: on SIGTERM or SIGINT the process stops accepting work, finishes what it has, and exits.
//!
//! What must stay true: a signal stops the process before it is logged; a second signal ends the process at once (exit
//! code 130); if an essential part ends by itself, the process stops ([`essential`]); work that does not finish in time
//! is left to its lease, from which another process takes it over, so ending the process is safe.
//!
//! Called by `cli`. It does not know what the work is.

use std::io;
use std::panic::AssertUnwindSafe;
use std::process;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long work may take to finish after the first signal. The process exits within 20 s, closing included;
/// orchestrators allow 30 s.
pub const DRAIN: Duration = Duration::from_secs(18);

/// The exit code of an interrupted process, by the convention of shells (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Returns a token that is cancelled on the first SIGTERM or SIGINT; the second signal ends the process.
///
/// Needs a running runtime. Signals are handled from this call on. `last` is called before the second signal ends the
/// process.
pub fn on_signals(last: fn()) -> io::Result<CancellationToken> {
    let mut signals = StopSignals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        // If this task ended in any way, nobody could stop the process any more; so the process stops then.
        let stop = stop.drop_guard();
        let name = signals.next().await;
        drop(stop);
        tracing::info!(signal = name, "stopping; a second signal stops immediately");
        let name = signals.next().await;
        tracing::warn!(signal = name, "stopped immediately");
        last();
        process::exit(INTERRUPTED);
    });
    Ok(token)
}

/// An essential part of the process has ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} has {} by itself; the process ends, to be started again", if *.panicked { "panicked" } else { "ended" })]
pub struct ComponentExit {
    /// Its name: `the API`, `the workers`, …
    pub part: &'static str,
    /// Whether it panicked.
    pub panicked: bool,
}

/// Runs an essential part of the process, which must end only when told to stop. If it ends before that or panics, the
/// process is told to stop.
pub async fn essential(
    part: &'static str,
    stop: &CancellationToken,
    work: impl Future<Output = ()>,
) -> Result<(), ComponentExit> {
    let panicked = AssertUnwindSafe(work).catch_unwind().await.is_err();
    if !panicked && stop.is_cancelled() {
        return Ok(());
    }
    stop.cancel();
    let dead = ComponentExit { part, panicked };
    tracing::error!(error = &dead as &dyn std::error::Error, "stopping");
    Err(dead)
}

struct StopSignals {
    term: Signal,
    int: Signal,
}

impl StopSignals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

/// Waits until all of `tasks` have ended, at most for `limit` ([`DRAIN`]). Returns how many are still running.
pub async fn drain(tasks: &TaskTracker, limit: Duration) -> usize {
    tasks.close();
    if tokio::time::timeout(limit, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "some work did not finish in time; its leases will expire");
    }
    tasks.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drained_when_all_have_ended() {
        let tasks = TaskTracker::new();
        tasks.spawn(async {});
        assert_eq!(drain(&tasks, DRAIN).await, 0);
    }

    #[tokio::test]
    async fn a_part_that_panics_or_ends_by_itself_stops_the_process() {
        for (work, panicked) in [(async { panic!("by a test") }.boxed(), true), (async {}.boxed(), false)] {
            let stop = CancellationToken::new();
            let dead = essential("the API", &stop, work).await.unwrap_err();
            assert_eq!((dead.panicked, stop.is_cancelled()), (panicked, true));
            let word = if panicked { "panicked" } else { "ended" };
            assert!(dead.to_string().starts_with(&format!("the API has {word} by itself")), "{dead}");
        }
    }

    #[tokio::test]
    async fn a_part_that_ends_when_told_to_is_well() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(essential("the API", &stop, stop.cancelled()).await, Ok(()));
        // A panic is an error even while the process is stopping.
        assert!(essential("the API", &stop, async { panic!("by a test") }).await.is_err());
    }

    #[tokio::test]
    async fn what_does_not_end_is_counted() {
        let tasks = TaskTracker::new();
        tasks.spawn(std::future::pending::<()>());
        assert_eq!(drain(&tasks, Duration::ZERO).await, 1);
    }
}
