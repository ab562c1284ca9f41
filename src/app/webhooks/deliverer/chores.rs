//! The deliverer's database statements. At most one of each kind runs at a time, and all of them run alongside the
//! sending.
//!
//! *Look* claims deliveries that are due. *Record* records how attempts ended. *Return* gives back claimed deliveries
//! that cannot be used. *Beat* shows that this worker is alive, takes over the deliveries of dead workers, and finds
//! lost ones. *Compare* finds out which endpoints somebody changed, at whichever gateway.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::statements::Beat;
use super::{BATCH, Deliverer, dead};
use crate::app::Error;
use crate::domain::clock::Uptime;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::store::{Bounds, Claim, Finished};
use tokio::task::JoinError;
use tokio::time::Instant;

/// How often to look for deliveries that have become due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a worker shows that it is alive: several times within its lease.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How often the endpoints in memory are compared with the table, so that a change takes effect everywhere within a
/// second.
pub(super) const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// How long finished attempts wait for more, so that one statement records many.
const LINGER: Duration = Duration::from_millis(50);
/// How often the list of endpoints that accept dispatched deliveries is published.
const PUBLISH_EVERY: Duration = Duration::from_millis(10);
/// The most rows that one look claims. A look goes through every endpoint that has something due, however few rows it
/// claims.
const LOOK_BATCH: usize = 2 * BATCH;
/// After a statement fails, how long no other one is tried.
const REST: Duration = Duration::from_secs(2);
/// How often at most to log that statements fail.
const QUIET: Duration = Duration::from_secs(10);

/// When each statement is next due, and which ones are running.
#[derive(Debug)]
pub(super) struct ChorePlan {
    /// Something may be due.
    pub(super) look_now: bool,
    /// An attempt of an ordered endpoint has ended: the next one may go as soon as that is recorded.
    pub(super) ordered: bool,
    look_at: Instant,
    beat_at: Instant,
    pub(super) compare_at: Instant,
    publish_at: Instant,
    record_at: Option<Instant>,
    rest_until: Instant,
    /// Until then, failing statements were logged already.
    quiet_until: Instant,
    /// The last look claimed as much as it could, so there may be more.
    deep: bool,
    /// How many ended attempts are being recorded at the moment.
    recording: usize,
    /// Which statements are running.
    pub(super) under_way: HashSet<ChoreKind>,
}

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ChoreKind {
    Look,
    Record,
    Return,
    Beat,
    Compare,
}

impl ChorePlan {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            look_now: true,
            ordered: false,
            look_at: now,
            beat_at: now + BEAT_EVERY,
            compare_at: now + COMPARE_EVERY,
            publish_at: now,
            record_at: None,
            rest_until: now,
            quiet_until: now,
            deep: false,
            recording: 0,
            under_way: HashSet::new(),
        }
    }

    fn is_under_way(&self, kind: ChoreKind) -> bool {
        self.under_way.contains(&kind)
    }
}

/// A statement that has finished, with its result.
pub(super) enum Chore {
    Looked(usize, Result<Vec<(Claim, usize)>, Error>),
    Recorded(Vec<Finished>, Result<(), Error>),
    Returned(Vec<DeliveryId>, Result<(), Error>),
    Beaten(Uptime, Result<Beat, Error>),
    Compared(Result<Vec<(EndpointId, i64)>, Error>),
}

impl Deliverer {
    /// Starts the statements that are due and not yet running.
    pub(super) fn begin_chores(&mut self) {
        let now = Instant::now();
        if now < self.plan.rest_until {
            return;
        }
        if now >= self.plan.beat_at && !self.plan.is_under_way(ChoreKind::Beat) {
            self.beat(now);
        }
        if now >= self.plan.compare_at && !self.plan.is_under_way(ChoreKind::Compare) {
            self.compare(now);
        }
        self.record(now);
        self.give_back();
        self.look(now);
    }

    /// How many more deliveries may be claimed. Deliveries that were sent but not recorded yet count, because otherwise
    /// this worker would hold more and more of them while the database records slowly.
    fn free(&self) -> usize {
        self.scheduler.free().min(self.webhooks.base.settings().webhook_hand.saturating_sub(self.known.len()))
    }

    /// Whether a look that can claim only a little is worth its statement, which goes through all endpoints that have
    /// something due. It is not while every slot is taken, nor if there will be much room as soon as the ended attempts
    /// are recorded.
    fn is_worth_little(&self) -> bool {
        let ended = self.finished.len() + self.plan.recording;
        !self.scheduler.is_full() && self.free() + ended < BATCH
    }

    fn look(&mut self, now: Instant) {
        let free = self.free();
        if free >= BATCH || self.is_worth_little() {
            self.plan.look_now |= self.scheduler.is_hungry() || (self.plan.deep && free >= BATCH);
        }
        let due = self.plan.look_now || (self.endless && now >= self.plan.look_at);
        // While draining, look again only when everything that was claimed has been recorded.
        let waits = !self.endless
            && (!self.in_flight.is_empty() || !self.finished.is_empty() || self.plan.is_under_way(ChoreKind::Record));
        if self.stopping
            || self.plan.is_under_way(ChoreKind::Look)
            || !due
            || free == 0
            || (waits && !self.plan.deep && self.plan.look_at > now)
        {
            return;
        }
        self.plan.under_way.insert(ChoreKind::Look);
        (self.plan.look_now, self.plan.look_at) = (false, now + LOOK_EVERY);
        let (webhooks, worker) = (self.webhooks.clone(), self.worker);
        let slots = free.min(LOOK_BATCH);
        let per_endpoint = webhooks.base.settings().scheduler().first_hand();
        let bounds = Bounds { slots, per_endpoint, rooms: self.scheduler.rooms(webhooks.base.now()) };
        self.chores.spawn(async move {
            Chore::Looked(
                slots,
                webhooks.base.store().claim_deliveries(webhooks.base.now(), worker, &bounds).await.map_err(Into::into),
            )
        });
    }

    fn record(&mut self, now: Instant) {
        let linger = if self.endless && !self.stopping { LINGER } else { Duration::ZERO };
        let at = *self.plan.record_at.get_or_insert(now + linger);
        if self.finished.is_empty() {
            self.plan.record_at = None;
        } else if !self.plan.is_under_way(ChoreKind::Record) && (now >= at || self.finished.len() >= BATCH) {
            self.plan.under_way.insert(ChoreKind::Record);
            self.plan.record_at = None;
            let rest = self.finished.split_off(self.finished.len().min(BATCH));
            let finished = std::mem::replace(&mut self.finished, rest);
            self.plan.recording = finished.len();
            let webhooks = self.webhooks.clone();
            self.chores.spawn(async move {
                let done = webhooks.record(&finished).await;
                Chore::Recorded(finished, done)
            });
        }
    }

    fn give_back(&mut self) {
        if self.unused.is_empty() || self.plan.is_under_way(ChoreKind::Return) {
            return;
        }
        self.plan.under_way.insert(ChoreKind::Return);
        let (webhooks, worker, ids) = (self.webhooks.clone(), self.worker, std::mem::take(&mut self.unused));
        self.chores.spawn(async move {
            let done = webhooks.base.store().give_back(worker, &ids).await;
            Chore::Returned(ids, done.map(|_| ()).map_err(Into::into))
        });
    }

    fn beat(&mut self, now: Instant) {
        self.plan.under_way.insert(ChoreKind::Beat);
        self.plan.beat_at = now + BEAT_EVERY;
        let (webhooks, worker) = (self.webhooks.clone(), self.worker);
        let known: Vec<DeliveryId> = self.known.iter().copied().collect();
        let began = webhooks.base.uptime();
        self.chores.spawn(async move { Chore::Beaten(began, webhooks.beat_deliverer(worker, &known).await) });
    }

    /// Handles the result of a statement. A failed one is tried again after a pause.
    pub(super) fn note_chore(&mut self, chore: Result<Chore, JoinError>) -> Result<(), Error> {
        // A statement panicked: start over, the next worker takes over what this one holds.
        let failed = match chore.map_err(|_| dead())? {
            Chore::Looked(slots, done) => {
                self.plan.under_way.remove(&ChoreKind::Look);
                done.map(|claims| self.note_looked(slots, claims)).err()
            }
            Chore::Recorded(finished, done) => {
                self.plan.under_way.remove(&ChoreKind::Record);
                self.note_recorded(finished, done)
            }
            Chore::Returned(ids, done) => {
                self.plan.under_way.remove(&ChoreKind::Return);
                self.note_returned(ids, done)
            }
            Chore::Beaten(began, done) => {
                self.plan.under_way.remove(&ChoreKind::Beat);
                match done {
                    Ok(beat) => {
                        self.note_beat(began, &beat)?;
                        None
                    }
                    Err(error) => Some(error),
                }
            }
            Chore::Compared(done) => {
                self.plan.under_way.remove(&ChoreKind::Compare);
                done.map(|changed| self.note_compared(&changed)).err()
            }
        };
        match failed {
            Some(error) if !self.endless => return Err(error),
            Some(error) => self.rest(&error),
            None => {}
        }
        self.assert_alive()
    }

    fn note_looked(&mut self, slots: usize, claims: Vec<(Claim, usize)>) {
        self.plan.deep = claims.len() >= slots;
        // Draining is finished when a look finds nothing.
        self.plan.look_now |= !self.endless && !claims.is_empty();
        let mut counts: HashMap<EndpointId, (usize, usize)> = HashMap::new();
        for (claim, room) in &claims {
            let count = counts.entry(claim.endpoint).or_default();
            *count = (count.0 + 1, *room);
        }
        self.take_all(claims.into_iter().map(|(claim, _)| claim).collect());
        for (endpoint, (count, room)) in counts {
            self.scheduler.note_more(endpoint, count >= room);
        }
    }

    fn note_recorded(&mut self, finished: Vec<Finished>, done: Result<(), Error>) -> Option<Error> {
        self.plan.recording = 0;
        let Err(error) = done else {
            for end in &finished {
                self.known.remove(&end.id);
            }
            // A look that ran in the meantime saw taken slots, so look once more when draining.
            self.plan.look_now |= std::mem::take(&mut self.plan.ordered) || !self.endless;
            return None;
        };
        self.finished.extend(finished);
        Some(error)
    }

    fn note_returned(&mut self, ids: Vec<DeliveryId>, done: Result<(), Error>) -> Option<Error> {
        if let Err(error) = done {
            self.unused.extend(ids);
            return Some(error);
        }
        for id in &ids {
            self.known.remove(id);
        }
        // A look that ran in the meantime did not see them, so look once more when draining.
        self.plan.look_now |= !self.endless;
        None
    }

    fn note_beat(&mut self, began: Uptime, beat: &Beat) -> Result<(), Error> {
        if !beat.alive {
            return Err(dead());
        }
        self.good_until = began + self.webhooks.base.settings().deliverer_lease;
        Ok(())
    }

    fn rest(&mut self, error: &Error) {
        let now = Instant::now();
        if now >= self.plan.rest_until {
            self.plan.rest_until = now + REST;
            if now < self.plan.quiet_until {
                return;
            }
            self.plan.quiet_until = now + QUIET;
            tracing::warn!(error = error as &dyn std::error::Error, "the deliverer's statements fail; retrying");
        }
    }

    /// Publishes for which endpoints committing requests may dispatch deliveries directly.
    pub(super) fn publish(&mut self) {
        let now = Instant::now();
        if !self.endless || self.stopping || now < self.plan.publish_at {
            return;
        }
        self.plan.publish_at = now + PUBLISH_EVERY;
        if self.free() == 0 || now < self.plan.rest_until {
            self.webhooks.base.dispatcher().close();
        } else {
            let closed = self.scheduler.closed(self.webhooks.base.now()).into_iter().map(EndpointId::uuid).collect();
            self.webhooks.base.dispatcher().open(self.worker, self.good_until, closed);
        }
    }

    /// When to wake up at the latest.
    pub(super) fn next_time(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.plan.look_at.min(self.plan.beat_at).min(self.plan.compare_at);
        if let Some(at) = self.plan.record_at {
            next = next.min(at);
        }
        if let Some(at) = self.scheduler.rouses_at() {
            next = next.min(now + (at - self.webhooks.base.now()).to_std().unwrap_or_default());
        }
        if let Some(at) = self.cut_off_at {
            next = next.min(at);
        }
        // What is already due is running, or waits for something that will wake us.
        next = next.max(self.plan.rest_until).max(now + Duration::from_millis(1));
        next.min(now + self.good_until.since(self.webhooks.base.uptime()))
    }
}
