//! Delivers webhooks: claims due deliveries in batches, sends them concurrently, and records the outcomes in batches.
//!
//! One [`Deliverer`] runs per process. Its scheduler (`domain::webhooks::scheduler`) holds the claimed deliveries and
//! decides which goes next; database statements run alongside the sending ([`chores`]), so that neither waits for the
//! other. Deliveries arrive in two ways: dispatched in memory by whoever committed the event
//! ([`dispatch`](crate::app::base::dispatch)), or claimed from the queue, which holds retries and what dead workers
//! had. No transaction and no database connection is held during a call.
//!
//! What must stay true: no attempt starts once the worker's lease may have run out, by a clock that does not stop when
//! the database does; when the deliverer is told to stop, claimed deliveries go back to the queue at once, and attempts
//! in flight finish or are aborted before the process ends, so that nothing has to wait for a lease to run out. An
//! aborted attempt counts, and the next worker repeats it with the same id.

mod alerts;
mod attempt;
mod chores;
mod comparison;
mod statements;

use std::collections::HashSet;

use chores::Chore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::Error;
use crate::app::webhooks::Webhooks;
use crate::domain::clock::Uptime;
use crate::domain::ids::DeliveryId;
use crate::domain::problem::Code;
use crate::domain::webhooks::scheduler::{AttemptEnd, EndpointInfo, Scheduler};
use crate::store::{Claim, Dispatched, Finished};
use attempt::EndedAttempt;

/// The most rows in one statement.
const BATCH: usize = 500;

/// The one deliverer of a process, while it runs.
struct Deliverer {
    webhooks: Webhooks,
    worker: Uuid,
    /// Whether to continue when nothing is due.
    endless: bool,
    stopping: bool,
    /// When to abort the attempts in flight, once it was told to stop.
    cut_off_at: Option<Instant>,
    cut_off: bool,
    /// Attempts start only before this time, by a clock that keeps running while the machine is suspended.
    good_until: Uptime,
    scheduler: Scheduler<Claim>,
    in_flight: JoinSet<EndedAttempt>,
    /// The deliveries that this worker holds, as far as it knows.
    known: HashSet<DeliveryId>,
    finished: Vec<Finished>,
    unused: Vec<DeliveryId>,
    chores: JoinSet<Chore>,
    plan: chores::ChorePlan,
    begun: usize,
}

impl Webhooks {
    /// Sends everything that is due, until nothing is in flight and nothing is due. Returns the number of attempts.
    /// Once `stop` is cancelled, no attempt starts any more, and those in flight end by their timeouts.
    pub async fn deliver(&self, stop: &CancellationToken) -> Result<usize, Error> {
        self.run_deliverer(false, stop).await
    }

    /// Delivers until `stop`. Fails if its worker counts as dead or cannot start: start again after a pause.
    pub async fn deliver_until(&self, stop: &CancellationToken) -> Result<(), Error> {
        self.run_deliverer(true, stop).await.map(|_| ())
    }

    async fn run_deliverer(&self, endless: bool, stop: &CancellationToken) -> Result<usize, Error> {
        let mut inbox = self.inbox.lock().await;
        let mut deliverer = Deliverer::enter(self.clone(), endless).await?;
        let ran = deliverer.run(&mut inbox, stop).await;
        self.base.dispatcher().close();
        // What arrived in between belongs to a worker that is leaving: it is reclaimed as from a dead one.
        while inbox.try_recv().is_ok() {}
        ran?;
        self.base.store().leave_worker(deliverer.worker).await?;
        if deliverer.cut_off {
            self.reclaim_deliveries().await?;
        }
        Ok(deliverer.begun)
    }
}

impl Deliverer {
    async fn enter(webhooks: Webhooks, endless: bool) -> Result<Self, Error> {
        let (worker, began, lease) =
            (webhooks.base.uuid(), webhooks.base.uptime(), webhooks.base.settings().deliverer_lease);
        webhooks.base.store().enter_worker(worker, lease.as_secs_f64()).await?;
        let scheduler = Scheduler::new(webhooks.base.settings().scheduler());
        Ok(Self {
            webhooks,
            worker,
            endless,
            stopping: false,
            cut_off_at: None,
            cut_off: false,
            good_until: began + lease,
            scheduler,
            in_flight: JoinSet::new(),
            known: HashSet::new(),
            finished: Vec::new(),
            unused: Vec::new(),
            chores: JoinSet::new(),
            plan: chores::ChorePlan::new(Instant::now()),
            begun: 0,
        })
    }

    async fn run(&mut self, inbox: &mut UnboundedReceiver<Dispatched>, stop: &CancellationToken) -> Result<(), Error> {
        let webhooks = self.webhooks.clone();
        loop {
            while let Ok(handed) = inbox.try_recv() {
                self.take_dispatched(handed);
            }
            self.send_all();
            self.begin_chores();
            self.publish();
            self.cut_off();
            if self.is_done() {
                return Ok(());
            }
            if self.only_waits() {
                self.give_back_all();
                continue;
            }
            let (next, stopping) = (self.next_time(), self.stopping);
            tokio::select! {
                Some(handed) = inbox.recv() => self.take_dispatched(handed),
                Some(ended) = self.in_flight.join_next() => self.note_ended(ended),
                Some(chore) = self.chores.join_next() => self.note_chore(chore)?,
                () = webhooks.base.outlet().look.notified() => self.plan.look_now = true,
                () = stop.cancelled(), if !stopping => self.stop(),
                () = sleep_until(next) => self.assert_alive()?,
            }
        }
    }

    fn take_dispatched(&mut self, handed: Dispatched) {
        for endpoint in handed.behind {
            self.scheduler.note_behind(endpoint, self.webhooks.base.now());
        }
        self.take_all(handed.claims);
    }

    fn take_all(&mut self, claims: Vec<Claim>) {
        for claim in claims {
            self.take(claim);
        }
    }

    fn take(&mut self, claim: Claim) {
        self.known.insert(claim.id);
        let rate = claim.to.rate_per_second.filter(|rate| *rate > 0);
        let address = EndpointInfo {
            team: claim.team.clone(),
            endpoint: claim.endpoint,
            spacing: rate.map(|rate| chrono::Duration::microseconds(1_000_000 / i64::from(rate))),
            free_at: claim.to.free_at,
            failures: claim.to.consecutive_failures,
            revision: claim.to.revision,
        };
        if self.stopping || claim.worker != self.worker {
            self.unused.push(claim.id);
        } else {
            let unused = self.scheduler.take(address, claim, self.webhooks.base.now());
            self.unused.extend(unused.iter().map(|claim| claim.id));
        }
    }

    /// Starts every attempt that may start now.
    fn send_all(&mut self) {
        while !self.stopping
            && self.webhooks.base.uptime() < self.good_until
            && let Some(claim) = self.scheduler.next(self.webhooks.base.now())
        {
            self.begun += 1;
            let webhooks = self.webhooks.clone();
            self.in_flight.spawn(async move { webhooks.attempt_delivery(claim).await });
        }
    }

    fn note_ended(&mut self, ended: Result<EndedAttempt, tokio::task::JoinError>) {
        let more = std::iter::from_fn(|| self.in_flight.try_join_next());
        let all: Vec<_> = std::iter::once(ended).chain(more).collect();
        // An attempt catches its own panics; only the end of the runtime ends a task.
        for ended in all.into_iter().flatten() {
            let failures = self.scheduler.failures(ended.claim.endpoint);
            let mut finished = self.webhooks.finished(&ended, failures);
            let end = AttemptEnd {
                revision: ended.claim.to.revision,
                good: ended.is_good(),
                paused_until: finished.pause_until,
            };
            let unused = self.scheduler.ended(ended.claim.endpoint, &end, self.webhooks.base.now());
            self.unused.extend(unused.iter().map(|claim| claim.id));
            if ended.claim.to.rate_per_second.is_some() {
                finished.free_at = self.scheduler.free_at(ended.claim.endpoint);
            }
            self.plan.ordered |= ended.claim.to.ordered;
            self.finished.push(finished);
        }
    }

    /// Gives back deliveries that have not started; attempts in flight may continue for a while.
    fn stop(&mut self) {
        self.stopping = true;
        self.cut_off_at = Some(Instant::now() + self.webhooks.base.settings().webhook_drain);
        self.webhooks.base.dispatcher().close();
        self.give_back_all();
    }

    /// Aborts attempts that take too long for a process that is ending. Their deliveries stay with this worker until it
    /// leaves.
    fn cut_off(&mut self) {
        if self.cut_off_at.take_if(|at| *at <= Instant::now()).is_some() {
            self.cut_off = !self.in_flight.is_empty();
            self.in_flight.abort_all();
        }
    }

    fn give_back_all(&mut self) {
        let unused = self.scheduler.clear_all();
        self.unused.extend(unused.iter().map(|claim| claim.id));
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.finished.is_empty() && self.unused.is_empty() && self.chores.is_empty()
    }

    /// Whether everything that is held waits for a rate limit, and nobody is there to wait for it.
    fn only_waits(&self) -> bool {
        !self.endless && self.is_idle() && !self.plan.look_now && self.scheduler.waiting().next().is_some()
    }

    /// Whether nothing is held and nothing has to be written, and nothing is due unless we are stopping anyway.
    fn is_done(&self) -> bool {
        let more = !self.stopping && (self.endless || self.plan.look_now || self.scheduler.waiting().next().is_some());
        self.is_idle() && !more
    }

    fn assert_alive(&self) -> Result<(), Error> {
        if self.webhooks.base.uptime() < self.good_until { Ok(()) } else { Err(dead()) }
    }
}

/// The worker's lease was not renewed in time. Other workers deliver what it held; attempts in flight are aborted.
fn dead() -> Error {
    let detail = "the deliverer could not record its heartbeat and is restarting";
    Error::Unavailable { code: Code::DelivererLost, detail, retry_after_seconds: 1 }
}
