//! Decides which requests may start: rates and concurrency per team, the queues in front of the work, and counts of
//! refused requests.
//!
//! What must stay true: no request is worked on without a permit ([`Permit`]), and the permit is released however the
//! request ends; a request that waits for something outside (the cloud, a receiver, the next event, its own body) holds
//! none while it waits; memory is bounded whatever clients send. `domain::limits` makes the decisions; this module
//! keeps the counts, which are per process and start empty.
//!
//! Each API calls it before it reads anything expensive, and whatever waits calls [`without_permit`]. It is not used
//! for health and metrics, which are always answered.

use crate::app::base::Base;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Error;
use crate::domain::identity::caller::TeamId;
use crate::domain::limits::book::Book;
use crate::domain::limits::queue::{Arrival, Capacity, Class, Queue, QueueRequest};
use crate::domain::limits::{Limits, Party, TeamLimits, address_block};
use crate::domain::problem::Code;
use refusal_counter::RefusalCounter;

mod permit;
mod refusal_counter;
mod trials;

pub use permit::Permit;
use trials::Trials;
pub(super) use trials::UnderWay;

/// The most teams that are tracked separately at once.
const TEAMS: usize = 16_384;
/// The most addresses that are tracked separately at once.
const ADDRESSES: usize = 16_384;

tokio::task_local! {
    static PLACE: Arc<Permit>;
}

/// Runs `work` with the permit `place`, which is released when `work` waits.
pub async fn in_place<T>(place: Arc<Permit>, work: impl Future<Output = T>) -> T {
    PLACE.scope(place, work).await
}

/// Waits for `work` that happens elsewhere. The request's permit is released as soon as there is something to wait for.
/// The little work afterwards needs no permit; if there is much, call [`reacquire_permit`]. Outside a request this only
/// waits.
pub async fn without_permit<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        return done;
    }
    // There may be no current request.
    let _ = PLACE.try_with(|place| place.release());
    work.await
}

/// Queues again if the permit was released.
pub async fn reacquire_permit() -> Result<(), Error> {
    match PLACE.try_with(Arc::clone) {
        Ok(place) => place.reacquire().await,
        Err(_no_request) => Ok(()),
    }
}

/// Counts this request as waiting for as long as the returned value lives.
pub fn wait_long() -> Result<Option<Arc<Permit>>, Error> {
    let place = PLACE.try_with(Arc::clone).ok();
    place.map(|place| place.wait_long().map(|()| place)).transpose()
}

/// All counts of one gateway process.
#[derive(Debug)]
pub(super) struct AdmissionCounts {
    born: Instant,
    room: Capacity,
    teams: Mutex<Book<TeamId>>,
    unauthenticated: Mutex<Book<IpAddr>>,
    trials: Mutex<Book<TeamId>>,
    trials_under_way: Mutex<Trials>,
    lines: Mutex<WaitingLines>,
    turned_away: AtomicU64,
    refusals: RefusalCounter,
}

#[derive(Debug, Default)]
struct WaitingLines {
    queue: Queue<Party>,
    /// The queued requests and how to tell each that it is its turn. One that is dropped without being told is refused.
    standing: HashMap<u64, (Class, oneshot::Sender<RunningSlot>)>,
}

/// A slot for a running request; released when dropped.
#[derive(Debug)]
struct RunningSlot(Arc<AdmissionCounts>, Class);

impl Drop for RunningSlot {
    fn drop(&mut self) {
        self.0.pass_on(self.1);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while the lock is held.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AdmissionCounts {
    /// Counts with no requests in them.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            born: Instant::now(),
            room: limits.room,
            teams: Mutex::new(Book::new(TEAMS)),
            unauthenticated: Mutex::new(Book::new(ADDRESSES)),
            trials: Mutex::new(Book::new(TEAMS)),
            trials_under_way: Mutex::default(),
            lines: Mutex::default(),
            turned_away: AtomicU64::new(0),
            refusals: RefusalCounter::default(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.born.elapsed()
    }

    /// A slot of this class has become free: gives it to the next in the queue.
    fn pass_on(self: &Arc<Self>, ended: Class) {
        let (called, _turned_away) = {
            let mut lines = lock(&self.lines);
            let (now, mut away, mut called) = (self.elapsed(), Vec::new(), Vec::new());
            let mut next = lines.queue.leave(&self.room, ended, now, &mut away);
            while let Some(id) = next {
                called.extend(lines.standing.remove(&id));
                next = lines.queue.call(&self.room, now, &mut away);
            }
            lines.measure();
            let away: Vec<_> = away.iter().filter_map(|id| lines.standing.remove(id)).collect();
            (called, away)
        };
        for (class, next) in called {
            // A request that has just left drops the slot, which passes it on.
            drop(next.send(RunningSlot(Arc::clone(self), class)));
        }
    }

    /// Waits for a slot. `None` if the request is refused.
    async fn enter(self: &Arc<Self>, asking: QueueRequest<'_, Party>) -> Option<RunningSlot> {
        let (id, mut turn) = match self.arrive(&asking)? {
            Ok(slot) => return Some(slot),
            Err(standing) => standing,
        };
        let QueueRequest { class, party, until, .. } = asking;
        let leaving = LineGuard { admission: self, class, party, id };
        let began = Instant::now();
        let ended = tokio::time::timeout_at((self.born + until).into(), &mut turn).await;
        metrics::histogram!("ecg_queue_seconds", "class" => class.as_str()).record(began.elapsed());
        match ended {
            Ok(told) => told.ok(),
            // Its turn may have come at this very moment.
            Err(_late) => {
                drop(leaving);
                turn.try_recv().ok()
            }
        }
    }

    /// When a request gives up: at `deadline`, or after the longest wait that is allowed.
    fn until(&self, deadline: Option<Instant>) -> Duration {
        let max_wait = || self.elapsed() + self.room.max_wait;
        deadline.map_or_else(max_wait, |deadline| deadline.saturating_duration_since(self.born))
    }

    /// A slot, or a position in the queue with its number. `None` if the request is refused at once.
    fn arrive(
        self: &Arc<Self>,
        asking: &QueueRequest<'_, Party>,
    ) -> Option<Result<RunningSlot, (u64, oneshot::Receiver<RunningSlot>)>> {
        let mut lines = lock(&self.lines);
        let arrival = lines.queue.arrive(&self.room, asking, self.elapsed());
        lines.measure();
        match arrival {
            Arrival::Begin => Some(Ok(RunningSlot(Arc::clone(self), asking.class))),
            Arrival::Wait(id, instead_of) => {
                instead_of.and_then(|id| lines.standing.remove(&id));
                let (told, turn) = oneshot::channel();
                lines.standing.insert(id, (asking.class, told));
                Some(Err((id, turn)))
            }
            Arrival::TurnedAway => None,
        }
    }
}

impl WaitingLines {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a floating number; these are small")]
    fn measure(&self) {
        metrics::gauge!("ecg_requests_running").set(self.queue.running() as f64);
        metrics::gauge!("ecg_requests_queued").set(self.queue.waiting() as f64);
    }
}

/// Leaves the queue when dropped, if the request is still queued.
struct LineGuard<'a> {
    admission: &'a AdmissionCounts,
    class: Class,
    party: &'a Party,
    id: u64,
}

impl Drop for LineGuard<'_> {
    fn drop(&mut self) {
        let mut lines = lock(&self.admission.lines);
        if lines.queue.give_up(self.class, self.party, self.id, self.admission.elapsed()) {
            lines.standing.remove(&self.id);
        }
    }
}

/// Decides which requests may start; cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    base: Base,
    counts: Arc<AdmissionCounts>,
}

impl Admission {
    pub(super) fn new(base: &Base) -> Self {
        Self { base: base.clone(), counts: Arc::new(AdmissionCounts::new(&base.settings().limits)) }
    }
}

impl Admission {
    /// The permit of a request that has just arrived; it holds no slot yet. `deadline` is when the caller gives up, if
    /// known: a read then waits until that time rather than being refused earlier.
    pub fn place(&self, deadline: Option<Instant>, address: Option<IpAddr>) -> Arc<Permit> {
        Arc::new(Permit::new(self.clone(), deadline, address))
    }

    /// The limits of `team` at this gateway.
    pub(super) fn limits_of(&self, _team: &TeamId) -> TeamLimits {
        self.base.settings().limits.team
    }

    /// Counts a request that was refused before its caller was known. Returns an error if its address had too many of
    /// them.
    pub fn count_unauthenticated(&self, address: Option<IpAddr>) -> Result<(), Error> {
        let Some(address) = address.map(address_block) else { return Ok(()) };
        let (rate, now) = (self.base.settings().limits.unauthenticated, self.base.now());
        let quota = lock(&self.counts.unauthenticated).open(&address, now).0.bucket.take(rate, now);
        let Some(retry_after_seconds) = quota.retry_after_seconds else { return Ok(()) };
        count_refusal("address");
        let detail =
            "too many requests without a valid credential, or for resources that do not exist, came from this address";
        Err(Error::TooMany { code: Code::TooManyRefused, detail, retry_after_seconds })
    }

    /// How many requests got no slot, since the start.
    pub fn turned_away(&self) -> u64 {
        self.counts.turned_away.load(Ordering::Relaxed)
    }

    /// How many requests are running, and how many are queued.
    pub fn busy(&self) -> (usize, usize) {
        let lines = lock(&self.counts.lines);
        (lines.queue.running(), lines.queue.waiting())
    }
}

fn count_refusal(why: &'static str) {
    metrics::counter!("ecg_requests_turned_away_total", "why" => why).increment(1);
}
