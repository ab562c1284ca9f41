//! The deliverer's statements: each kind at most once at a time, all of them beside the sending.
//!
//! *Look*: take what is due in hand. *Record*: how attempts ended. *Return*: what is in hand and cannot be used.
//! *Beat*: show that this worker lives, take from the dead, and find what has gone astray. *Compare*: hear which
//! endpoints somebody acted upon, at whichever gateway.

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

/// What has become due meanwhile is looked for that often.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A worker shows that often that it lives: several times within its lease.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// What is remembered of endpoints is compared that often: an act counts within a second everywhere.
pub(super) const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// What has ended waits that long for more of its kind, so that one statement records many.
const LINGER: Duration = Duration::from_millis(50);
/// For whom to hand over is told anew that often.
const PUBLISH_EVERY: Duration = Duration::from_millis(10);
/// Most rows of one look: it looks at every endpoint for which something is due, however few rows it takes.
const LOOK_BATCH: usize = 2 * BATCH;
/// After a statement that failed, no other is tried for that long.
const REST: Duration = Duration::from_secs(2);
/// That they fail is said once in that time.
const QUIET: Duration = Duration::from_secs(10);

/// When what is to be done.
#[derive(Debug)]
pub(super) struct ChorePlan {
    /// Something may be due.
    pub(super) look_now: bool,
    /// Something of an endpoint that wants order has ended: what comes behind it may go once that is recorded.
    pub(super) ordered: bool,
    look_at: Instant,
    beat_at: Instant,
    pub(super) compare_at: Instant,
    publish_at: Instant,
    record_at: Option<Instant>,
    rest_until: Instant,
    /// Until then it is known that statements fail.
    quiet_until: Instant,
    /// The last look took all that it could: there may be more.
    deep: bool,
    /// How many have ended and are just being recorded.
    recording: usize,
    /// What is being done.
    pub(super) under_way: HashSet<ChoreKind>,
}

/// The kinds of chores.
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

/// A statement that has ended.
pub(super) enum Chore {
    Looked(usize, Result<Vec<(Claim, usize)>, Error>),
    Recorded(Vec<Finished>, Result<(), Error>),
    Returned(Vec<DeliveryId>, Result<(), Error>),
    Beaten(Uptime, Result<Beat, Error>),
    Compared(Result<Vec<(EndpointId, i64)>, Error>),
}

impl Deliverer {
    /// Begins what is to be done now and is not being done.
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

    /// How much more may be taken in hand: what is sent and not recorded yet counts, or a database that records
    /// slowly would have more and more of it in this worker's hands.
    fn free(&self) -> usize {
        self.scheduler.free().min(self.webhooks.base.settings().webhook_hand.saturating_sub(self.known.len()))
    }

    /// Whether a look that can take little is worth its statement, which goes through all endpoints for which something
    /// is due. It is not while every slot is taken, nor if there is much room as soon as what has ended is recorded.
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
        // Whoever drains looks again when all that was claimed has been recorded.
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

    /// Hears how a statement went. One that failed is tried again after a rest.
    pub(super) fn note_chore(&mut self, chore: Result<Chore, JoinError>) -> Result<(), Error> {
        // A panic in a statement: begin anew, what is in hand is found by the next worker.
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
        // Whoever drains is done when a look finds nothing.
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
            // A look that was made meanwhile saw slots that were taken: whoever drains looks once more.
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
        // A look that was made meanwhile did not see them: whoever drains looks once more.
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

    /// Tells committers for whom they may hand over.
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

    /// When to look up, whatever happens.
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
        // What is due already is under way, or waits for something that wakes us.
        next = next.max(self.plan.rest_until).max(now + Duration::from_millis(1));
        next.min(now + self.good_until.since(self.webhooks.base.uptime()))
    }
}
