//! Floor 3: the workers' door. Loops that call `Gateway` and nothing else: operations that are due, the aftercare
//! of ended ones, the tracker, the deliverer, the reconciler, the sealer, the janitor.
//!
//! Each wakes by signal (at once, within this process) and by interval (for what another gateway did), and stops
//! between two passes when told to. A pass that fails, by a panic too, is tried again after a pause, and logged once a
//! minute for each kind of work and cause. Any number of processes may run them: leases decide.
//!
//! Tests do not run the loops; they call [`drain`], which does all the work there is and returns.

use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{Error, Gateway};
use crate::domain::log_limit::LogLimit;

/// After a failed pass, a worker rests that long, and twice as long after each further one.
const REST: Duration = Duration::from_secs(1);
/// At most that long: the database is found again soon after it is back.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Operations in hand at a time.
const OPERATIONS: usize = 32;
/// Ended operations looked after in one pass, one after the other: within their lease.
const AFTERCARE: i64 = 4;

/// How often the workers look without being woken.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// For operations, groups and deliveries that are due.
    pub look: Duration,
    /// For audit entries that are not sealed: well below the 2 s within which they are to be.
    pub seal: Duration,
    /// For the reconciler (whose groups are due far less often), the janitor, and the sign of life: well below the 30 s
    /// after which readiness misses it.
    pub janitor: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { look: Duration::from_millis(500), seal: Duration::from_secs(1), janitor: Duration::from_secs(10) }
    }
}

/// How many groups a process reads at a time. A full list is read page after page, and the cloud takes its time for
/// each: 250 pages of one region must not keep the others waiting.
const TRACKERS: usize = 16;

/// Which work a loop does.
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

/// Runs the workers until `stop`, then lets the passes in hand end. `name` tells this process from others.
pub async fn run(gateway: &Gateway, name: &str, intervals: Intervals, stop: &CancellationToken) {
    let said = &LogLimit::new();
    let turn = |work| turns(gateway, work, name, intervals, said, stop);
    // One looks by itself; whoever finds a group wakes the next, so that idle ones ask the database hardly ever.
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

/// Does all the work that is due now, until there is none. For tests: with a manual clock, what is due is
/// exactly what the test made due. Not the reconciler's and the janitor's: they are called by name.
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
                // Whatever number of loops do it.
                let cause = format!("{} {}", work.name(), error.code());
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
    // Running out is the usual end of a rest.
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

    /// One pass; whether there may be more to do at once.
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
            // Every entry is one: woken by each, the sealer would seal one at a time.
            Self::Aftercare | Self::Deliverer | Self::Reconciler | Self::Sealer | Self::Janitor => {
                return std::future::pending().await;
            }
        };
        signal.notified().await;
    }
}
