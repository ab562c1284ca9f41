//! What one request holds: a slot for its work, and its share of its team's limits.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{RunningSlot, count_refusal, lock};
use crate::app::Error;
use crate::app::admission::Admission;
use crate::domain::identity::caller::TeamId;
use crate::domain::limits::Party;
use crate::domain::limits::book::PartyAccount;
use crate::domain::limits::bucket::RateQuota;
use crate::domain::limits::queue::{Class, QueueRequest};
use crate::domain::problem::Code;

/// The longest that a request waits for its team's rate limit.
const RATE_DELAY: Duration = Duration::from_secs(10);

/// What one request holds. All of it is released when this is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    /// When the caller gives up, if known, as for a signed request. Reads of such a caller are delayed rather than
    /// refused.
    deadline: Option<Instant>,
    /// The client's address.
    address: Option<IpAddr>,
    held: Mutex<HeldResources>,
    turned_away: AtomicBool,
    /// Whether it was counted as a request whose caller is not known.
    unauthenticated: AtomicBool,
}

#[derive(Debug, Default)]
struct HeldResources {
    slot: Option<RunningSlot>,
    /// The class and party with which it last queued.
    line: Option<(Class, Party)>,
    /// Its team, and whether the counts are the team's own (or shared because too many teams are tracked).
    team: Option<(TeamId, bool)>,
    /// The team's remaining rate quota, once the request was counted.
    quota: Option<RateQuota>,
    running: bool,
    waiting: bool,
}

impl Permit {
    pub(super) fn new(admission: Admission, deadline: Option<Instant>, address: Option<IpAddr>) -> Self {
        let (turned_away, unauthenticated) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { admission, deadline, address, held: Mutex::default(), turned_away, unauthenticated }
    }

    /// Counts a request whose credential this process has not seen before, once, before anything is queried about it.
    /// Refuses it if its address had too many of them.
    pub fn count_unauthenticated(&self) -> Result<(), Error> {
        if self.unauthenticated.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.admission
            .count_unauthenticated(self.address)
            .inspect_err(|_| self.turned_away.store(true, Ordering::Release))
    }

    /// Whether it was counted as a request whose caller is not known.
    pub fn is_counted_unauthenticated(&self) -> bool {
        self.unauthenticated.load(Ordering::Acquire)
    }

    /// Counts the request for its team. Refuses it if the team's rate is used up.
    pub fn count(&self, team: &TeamId) -> Result<(), Error> {
        self.take(team, Duration::ZERO).map(drop)
    }

    /// The same for a request of this class. A client that takes a refusal for a failure has its reads delayed until
    /// the rate allows them, if that is soon enough; the request holds no slot while it waits.
    pub async fn count_delayed(&self, team: &TeamId, class: Class) -> Result<(), Error> {
        let left = self.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
        let max_wait = if self.is_delayed(class) { left.min(RATE_DELAY) } else { Duration::ZERO };
        let delay = self.take(team, max_wait)?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    /// Takes one request from the team's rate, now or within `max_wait`. Returns how long to wait for it.
    fn take(&self, team: &TeamId, max_wait: Duration) -> Result<Duration, Error> {
        let (rate, now) = (self.admission.limits_of(team).rate, self.admission.base.now());
        let mut held = lock(&self.held);
        let mut teams = lock(&self.admission.counts.teams);
        let (account, own) = teams.open(team, now);
        let (quota, delay) = account.bucket.take_within(rate, now, max_wait);
        let quota = *held.quota.get_or_insert(quota);
        if let Some(retry_after_seconds) = quota.retry_after_seconds {
            let detail = "the team sends more requests than it is allowed to; RateLimit-Policy gives the limit";
            return Err(self.refuse("rate", Code::RateLimited, detail, retry_after_seconds));
        }
        held.team = Some((team.clone(), own));
        Ok(delay)
    }

    /// Counts the request, which was counted once, as `more` further ones: those that its team's rate does not have
    /// left are missing for the requests that follow.
    pub fn charge(&self, more: u32) {
        let mut held = lock(&self.held);
        let Some((team, own)) = held.team.clone() else { return };
        let (rate, now) = (self.admission.limits_of(&team).rate, self.admission.base.now());
        let quota = lock(&self.admission.counts.teams).of(&team, own).bucket.charge(rate, now, more);
        held.quota = Some(quota);
    }

    fn is_delayed(&self, class: Class) -> bool {
        self.deadline.is_some() && class != Class::Change
    }

    /// Queues for a slot if none is free. Refuses the request if the gateway is overloaded, or if the team already has
    /// too many requests running; queued requests do not count as running.
    pub async fn enter(&self, class: Class, party: Party) -> Result<(), Error> {
        let counts = &self.admission.counts;
        let (until, delayed) = (counts.until(self.deadline), self.is_delayed(class));
        let slot = counts.enter(QueueRequest { class, party: &party, until, delayed }).await;
        let Some(slot) = slot else {
            self.turned_away.store(true, Ordering::Release);
            count_refusal(class.as_str());
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            let detail = "this gateway is overloaded; this request was not started";
            return Err(Error::Unavailable { code: Code::Overloaded, detail, retry_after_seconds: 1 });
        };
        let mut held = lock(&self.held);
        self.take_in_hand(&mut held, class)?;
        held.slot = Some(slot);
        held.line = Some((class, party));
        Ok(())
    }

    /// Counts the request as one of the team's running requests, if its team is known.
    fn take_in_hand(&self, held: &mut HeldResources, class: Class) -> Result<(), Error> {
        let Some((team, own)) = held.team.clone() else { return Ok(()) };
        if held.running || held.waiting || self.is_delayed(class) {
            return Ok(());
        }
        let limit = self.admission.limits_of(&team).running;
        let mut teams = lock(&self.admission.counts.teams);
        let account = teams.of(&team, own);
        if account.running >= limit {
            let detail = "the team has reached its limit of concurrent requests";
            return Err(self.refuse("running", Code::TooManyRequests, detail, 1));
        }
        account.running += 1;
        held.running = true;
        Ok(())
    }

    /// Queues again if the slot was released.
    pub(super) async fn reacquire(&self) -> Result<(), Error> {
        let line = {
            let held = lock(&self.held);
            if held.slot.is_some() { None } else { held.line.clone() }
        };
        match line {
            Some((class, party)) => self.enter(class, party).await,
            None => Ok(()),
        }
    }

    /// Counts the request as one of those that wait. Refuses it if the team has too many of them.
    pub fn wait_long(&self) -> Result<(), Error> {
        let mut held = lock(&self.held);
        let Some((team, own)) = held.team.clone().filter(|_| !held.waiting) else { return Ok(()) };
        let limits = self.admission.limits_of(&team);
        let mut teams = lock(&self.admission.counts.teams);
        let account = teams.of(&team, own);
        if account.waiting >= limits.waiting {
            let detail = "the team has reached its limit of waiting requests";
            return Err(self.refuse("waiting", Code::TooManyWaiting, detail, 5));
        }
        account.waiting += 1;
        held.waiting = true;
        Ok(())
    }

    /// Releases the slot for the duration of a wait. A request that counts as waiting no longer counts as running.
    pub fn release(&self) {
        let mut held = lock(&self.held);
        let slot = held.slot.take();
        if held.waiting && std::mem::take(&mut held.running) {
            self.settle(&held, |account| account.running -= 1);
        }
        drop(held);
        drop(slot);
    }

    /// Releases what the work held. A request that continues to wait (an export that is being read) still counts as
    /// waiting.
    pub fn end(&self) {
        let mut held = lock(&self.held);
        let slot = held.slot.take();
        if std::mem::take(&mut held.running) {
            self.settle(&held, |account| account.running -= 1);
        }
        drop(held);
        drop(slot);
    }

    /// The team's remaining rate quota, once the request was counted.
    pub fn quota(&self) -> Option<RateQuota> {
        lock(&self.held).quota
    }

    /// Whether the request was refused here, so that no work was started.
    pub fn was_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::Acquire)
    }

    fn settle(&self, held: &HeldResources, change: impl FnOnce(&mut PartyAccount)) {
        if let Some((team, own)) = &held.team {
            change(lock(&self.admission.counts.teams).of(team, *own));
        }
    }

    fn refuse(&self, why: &'static str, code: Code, detail: &'static str, retry_after_seconds: u32) -> Error {
        self.turned_away.store(true, Ordering::Release);
        count_refusal(why);
        Error::TooMany { code, detail, retry_after_seconds }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.end();
        let held = lock(&self.held);
        if held.waiting {
            self.settle(&held, |account| account.waiting -= 1);
        }
    }
}
