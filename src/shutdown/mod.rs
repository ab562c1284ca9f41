//! How the process ends: on SIGTERM or SIGINT it stops taking work, finishes what it has, and goes.
//!
//! What must stay true: a second signal ends the process at once (exit code 130); work that does not finish
//! in time is left to its lease, for another process to take up, so ending it is safe.
//!
//! Who calls it: `cli`. What it does not do: know what the work is.

use std::io;
use std::process;
use std::time::Duration;

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
/// Needs a running runtime. Signals count from the moment of this call.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut signals = Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        stop.cancel();
        let name = signals.next().await;
        tracing::warn!(signal = name, "stopped at once");
        process::exit(INTERRUPTED);
    });
    Ok(token)
}

struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
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
        tracing::warn!(left = tasks.len(), "work did not finish in time; its leases will run out");
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
    async fn what_does_not_end_is_counted() {
        let tasks = TaskTracker::new();
        tasks.spawn(std::future::pending::<()>());
        assert_eq!(drain(&tasks, Duration::ZERO).await, 1);
    }
}
