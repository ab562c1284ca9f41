//! How the process ends: on SIGTERM or SIGINT it stops taking work, finishes what it has, and goes.
//!
//! What must stay true: a signal stops the process before anything is said of it; a second signal ends the process at
//! once (exit code 130); what the process cannot do without ends it when it ends ([`essential`]); work that does not
//! finish in time is left to its lease, for another process to take up, so ending it is safe.
//!
//! Who calls it: `cli`. What it does not do: know what the work is.

use std::io;
use std::panic::AssertUnwindSafe;
use std::process;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long work may take to finish after the first signal. The process is gone within 20 s, closing included;
/// orchestrators grant 30.
pub const DRAIN: Duration = Duration::from_secs(18);

/// The exit code of an interrupted process, as shells count (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// A token that fires on the first SIGTERM or SIGINT; the second ends the process.
///
/// Needs a running runtime. Signals count from the moment of this call. `last` is called before the second signal ends
/// the process.
pub fn on_signals(last: fn()) -> io::Result<CancellationToken> {
    let mut signals = StopSignals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        // Should this task end in any way, nobody could stop the process any more: it stops.
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

/// A part of the process that the rest cannot do without has ended by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} has {} by itself; the process ends, to be started again", if *.panicked { "panicked" } else { "ended" })]
pub struct ComponentExit {
    /// What: `the API`, `the workers`, …
    pub part: &'static str,
    /// Whether by a panic.
    pub panicked: bool,
}

/// Runs a part that the process cannot do without, which ends only once told to stop. If it ends before, or panics, the
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

/// Waits until all of `tasks` have ended, at most `limit` ([`DRAIN`]). Answers how many are left.
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
        // Not even while stopping may it panic.
        assert!(essential("the API", &stop, async { panic!("by a test") }).await.is_err());
    }

    #[tokio::test]
    async fn what_does_not_end_is_counted() {
        let tasks = TaskTracker::new();
        tasks.spawn(std::future::pending::<()>());
        assert_eq!(drain(&tasks, Duration::ZERO).await, 1);
    }
}
