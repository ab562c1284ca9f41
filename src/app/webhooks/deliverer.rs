//! Delivering webhooks: what is due is taken in hand in batches, sent side by side, recorded in batches.
//!
//! One [`Deliverer`] runs in a process. What it has in hand is with its scheduler (`domain::delivery_scheduler`), which
//! says what goes next; statements run beside the sending ([`chores`]), so that neither waits for the other. Deliveries
//! come by two ways: handed over in memory by whoever committed the event ([`dispatch`](crate::app::base::dispatch)),
//! or claimed out of the queue, where retries wait and what a dead worker held. No transaction, and no connection to
//! the database, is held during a call.
//!
//! What must stay true: nothing is begun once the worker's lease may have run out, by a clock that does not stop with
//! the database; what is in hand when it is told to stop goes back into the queue at once, and what is in flight ends,
//! or is cut off before the process is: nothing waits for a lease to run out. An attempt that was cut off counts and is
//! made again by whoever is next, with the same id.

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
use crate::domain::webhooks::scheduler::{AttemptEnd, EndpointInfo, Scheduler};
use crate::store::{Claim, Dispatched, Finished};
use attempt::EndedAttempt;

/// Most rows of one statement.
const BATCH: usize = 500;

/// The one deliverer of a process, while it runs.
struct Deliverer {
    webhooks: Webhooks,
    worker: Uuid,
    /// Whether to go on when nothing is due.
    endless: bool,
    stopping: bool,
    /// When what is in flight is cut off, once it was told to stop.
    cut_off_at: Option<Instant>,
    cut_off: bool,
    /// What is begun is begun before, by a clock that goes on while the machine is suspended.
    good_until: Uptime,
    scheduler: Scheduler<Claim>,
    in_flight: JoinSet<EndedAttempt>,
    /// What is in this worker's hands, as far as it knows.
    known: HashSet<DeliveryId>,
    finished: Vec<Finished>,
    unused: Vec<DeliveryId>,
    chores: JoinSet<Chore>,
    plan: chores::ChorePlan,
    begun: usize,
}

impl Webhooks {
    /// Sends everything that is due, until nothing is in flight and nothing is due. Returns how many attempts.
    /// Once `stop` is cancelled nothing more is begun, and what is in flight ends by its deadline.
    pub async fn deliver(&self, stop: &CancellationToken) -> Result<usize, Error> {
        self.run_deliverer(false, stop).await
    }

    /// Delivers until `stop`. Fails when its worker counts as dead, or cannot begin: then begin anew, after a rest.
    pub async fn deliver_until(&self, stop: &CancellationToken) -> Result<(), Error> {
        self.run_deliverer(true, stop).await.map(|_| ())
    }

    async fn run_deliverer(&self, endless: bool, stop: &CancellationToken) -> Result<usize, Error> {
        let mut inbox = self.inbox.lock().await;
        let mut deliverer = Deliverer::enter(self.clone(), endless).await?;
        let ran = deliverer.run(&mut inbox, stop).await;
        self.base.dispatcher().close();
        // What came in between belongs to a worker that leaves: it is taken from it as from a dead one.
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

    /// Begins every attempt that may begin now.
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

    /// Gives back what has not begun; what is in flight goes on for a while.
    fn stop(&mut self) {
        self.stopping = true;
        self.cut_off_at = Some(Instant::now() + self.webhooks.base.settings().webhook_drain);
        self.webhooks.base.dispatcher().close();
        self.give_back_all();
    }

    /// Ends what takes too long for a process that ends. It stays in this worker's hands until the worker has left.
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

    /// Whether all that is in hand is bound by a rate, and nobody is there to wait for it.
    fn only_waits(&self) -> bool {
        !self.endless && self.is_idle() && !self.plan.look_now && self.scheduler.waiting().next().is_some()
    }

    /// Nothing in hand, nothing to be written; and nothing is due, unless that does not matter any more.
    fn is_done(&self) -> bool {
        let more = !self.stopping && (self.endless || self.plan.look_now || self.scheduler.waiting().next().is_some());
        self.is_idle() && !more
    }

    fn assert_alive(&self) -> Result<(), Error> {
        if self.webhooks.base.uptime() < self.good_until { Ok(()) } else { Err(dead()) }
    }
}

/// The worker was not renewed in time. What it held is delivered by whoever finds it; what is in flight is cut off.
fn dead() -> Error {
    let detail = "the deliverer could not record its heartbeat and is restarting";
    Error::Unavailable { code: "deliverer_lost", detail, retry_after_seconds: 1 }
}
