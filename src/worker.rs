//! Floor 3: the workers. Loops that only call `Gateway`: operations that are due, follow-up work of ended operations,
//! the tracker, the deliverer, the reconciler, the sealer, the janitor.
//!
//! Each is woken by signals (at once, within this process) and at intervals (for what another gateway did), and stops
//! between two passes when told to. A pass that fails, or panics, is repeated after a pause, and logged at most once a
//! minute for each kind of work and cause. Any number of processes may run them: leases coordinate them.
//!
//! Tests do not run the loops; they call [`drain`], which does all the work that is due and returns.

use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{Error, Gateway};
use crate::domain::log_limit::LogLimit;

/// The pause after a failed pass; it doubles after each further failure.
const REST: Duration = Duration::from_secs(1);
/// The longest pause: when the database is back, it should be noticed soon.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How many operations are executed concurrently.
const OPERATIONS: usize = 32;
/// How many ended operations get their follow-up work in one pass, one after another, within their lease.
const AFTERCARE: i64 = 4;

/// How often the workers run without being woken.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// For operations, groups and deliveries that are due.
    pub look: Duration,
    /// For unsealed audit entries: well below the 2 s within which they have to be sealed.
    pub seal: Duration,
    /// For the reconciler (whose groups are due far less often), the janitor, and the heartbeat: well below the 30 s
    /// after which readiness reports it missing.
    pub janitor: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { look: Duration::from_millis(500), seal: Duration::from_secs(1), janitor: Duration::from_secs(10) }
    }
}

/// How many groups a process reads concurrently. A full list is read page by page, and each page takes time: the 250
/// pages of one region must not delay the others.
const TRACKERS: usize = 16;

/// The kind of work that a loop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkerLoop {
    Operations,
    Aftercare,
    Tracker,
    Deliverer,
    Reconciler,
    Sealer,
    Janitor,
}

/// Runs the workers until `stop`, then lets the running passes end. `name` identifies this process.
pub async fn run(gateway: &Gateway, name: &str, intervals: Intervals, stop: &CancellationToken) {
    let said = &LogLimit::new();
    let turn = |work| turns(gateway, work, name, intervals, said, stop);
    // Only one polls at the normal interval; a loop that finds a group wakes the next one, so idle loops rarely query
    // the database.
    let seldom = Intervals { look: intervals.look * 20, ..intervals };
    let others = (1..TRACKERS).map(|_| turns(gateway, WorkerLoop::Tracker, name, seldom, said, stop));
    let others = futures_util::future::join_all(others);
    tokio::join!(
        turn(WorkerLoop::Operations),
        turn(WorkerLoop::Aftercare),
        turn(WorkerLoop::Tracker),
        others,
        turn(WorkerLoop::Deliverer),
        turn(WorkerLoop::Reconciler),
        turn(WorkerLoop::Sealer),
        turn(WorkerLoop::Janitor)
    );
}

/// Does all the work that is due now, until there is none. For tests: with a manual clock, exactly what the test made
/// due is due. It excludes the reconciler and the janitor, which tests call directly.
pub async fn drain(gateway: &Gateway) -> Result<(), Error> {
    loop {
        let resumed = gateway.operations().resume_operations(OPERATIONS, &CancellationToken::new()).await? > 0;
        let settled = gateway.operations().settle_unsettled(AFTERCARE).await? > 0;
        let tracked = gateway.tracker().track().await?;
        let delivered = gateway.webhooks().deliver(&CancellationToken::new()).await? > 0;
        if !(resumed || settled || tracked || delivered) {
            return Ok(());
        }
    }
}

async fn turns(
    gateway: &Gateway,
    work: WorkerLoop,
    name: &str,
    intervals: Intervals,
    said: &LogLimit,
    stop: &CancellationToken,
) {
    let interval = match work {
        WorkerLoop::Reconciler | WorkerLoop::Janitor => intervals.janitor,
        WorkerLoop::Sealer => intervals.seal,
        _ => intervals.look,
    };
    let mut pause = REST;
    while !stop.is_cancelled() {
        let more = match gateway.base().supervised(work.name(), Box::pin(work.pass(gateway, name, stop))).await {
            Ok(more) => {
                pause = REST;
                more
            }
            Err(error) => {
                // One log line for all loops of the same kind of work.
                let cause = format!("{} {}", work.name(), error.code().as_str());
                if let Some(left_out) = said.may(&cause, Instant::now()) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(worker = work.name(), error, left_out, "a pass failed");
                }
                rest(stop, pause).await;
                pause = (pause * 2).min(LONGEST_REST);
                false
            }
        };
        if !more {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work.woken(gateway) => {}
                () = rest(stop, interval) => {}
            }
        }
    }
}

/// Ends early when told to stop.
async fn rest(stop: &CancellationToken, pause: Duration) {
    // Usually the pause ends by the timeout.
    let _ran_out = timeout(pause, stop.cancelled()).await;
}

impl WorkerLoop {
    fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Aftercare => "aftercare",
            Self::Tracker => "tracker",
            Self::Deliverer => "deliverer",
            Self::Reconciler => "reconciler",
            Self::Sealer => "sealer",
            Self::Janitor => "janitor",
        }
    }

    /// One pass. Returns whether there may be more to do at once.
    async fn pass(self, gateway: &Gateway, name: &str, stop: &CancellationToken) -> Result<bool, Error> {
        match self {
            Self::Operations => gateway.operations().resume_operations(OPERATIONS, stop).await.map(|taken| taken > 0),
            Self::Aftercare => gateway.operations().settle_unsettled(AFTERCARE).await.map(|settled| settled > 0),
            Self::Tracker => gateway.tracker().track().await,
            // It runs until told to stop, unless it fails.
            Self::Deliverer => gateway.webhooks().deliver_until(stop).await.map(|()| false),
            Self::Reconciler => gateway.reconciler().reconcile().await,
            Self::Sealer => gateway.audit().seal().await,
            Self::Janitor => {
                gateway.upkeep().beat(name).await?;
                gateway.upkeep().clean().await.map(|()| false)
            }
        }
    }

    async fn woken(self, gateway: &Gateway) {
        let signals = gateway.base().signals();
        let signal: &Notify = match self {
            Self::Operations => &signals.operations,
            Self::Tracker => &signals.tracker,
            // Every entry is signalled: if each woke the sealer, it would seal them one at a time.
            Self::Aftercare | Self::Deliverer | Self::Reconciler | Self::Sealer | Self::Janitor => {
                return std::future::pending().await;
            }
        };
        signal.notified().await;
    }
}
