//! What one request holds: a place among those that are worked for, and its share of what its team may have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use super::{Slot, count_refusal, lock};
use crate::app::{Error, Gateway};
use crate::domain::caller::TeamId;
use crate::domain::limits::Party;
use crate::domain::limits::book::Account;
use crate::domain::limits::bucket::Quota;
use crate::domain::limits::queue::Class;

/// What one request holds. All of it is given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    gateway: Gateway,
    held: Mutex<Held>,
    /// What is left of the team's rate, once it was counted.
    quota: OnceLock<Quota>,
    turned_away: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    slot: Option<Slot>,
    /// In which line it stood last.
    line: Option<(Class, Party)>,
    /// Its team, and whether the account is the team's own.
    team: Option<(TeamId, bool)>,
    running: bool,
    waiting: bool,
}

impl Place {
    pub(super) fn new(gateway: Gateway) -> Self {
        Self { gateway, held: Mutex::default(), quota: OnceLock::new(), turned_away: AtomicBool::new(false) }
    }

    /// Counts the request for its team. Refused where the team's rate is used up, or too much of it is in hand.
    pub fn count(&self, team: &TeamId) -> Result<(), Error> {
        let (limits, now) = (self.gateway.limits_of(team), self.gateway.now());
        let mut held = lock(&self.held);
        let mut teams = lock(&self.gateway.admission().teams);
        let (account, own) = teams.open(team, now);
        let quota = *self.quota.get_or_init(|| account.bucket.take(limits.rate, now));
        if let Some(retry_after_seconds) = quota.retry_after_seconds {
            let detail = "the team sends more requests than it may; RateLimit-Policy says how many";
            return Err(self.refuse("rate", "rate_limited", detail, retry_after_seconds));
        }
        if account.running >= limits.running {
            let detail = "the team has as many requests in hand at once as it may";
            return Err(self.refuse("running", "too_many_requests", detail, 1));
        }
        account.running += 1;
        held.team = Some((team.clone(), own));
        held.running = true;
        Ok(())
    }

    /// Stands in line for a place, if there is none at once. Refused where the gateway has too much to do.
    pub async fn enter(&self, class: Class, party: Party) -> Result<(), Error> {
        let slot = self.gateway.admission().enter(class, &party).await;
        if slot.is_none() {
            self.turned_away.store(true, Ordering::Release);
            count_refusal(class.as_str());
            self.gateway.admission().turned_away.fetch_add(1, Ordering::Relaxed);
            let detail = "there is more to do than this gateway can do; this request was not begun";
            return Err(Error::Unavailable { code: "overloaded", detail, retry_after_seconds: 1 });
        }
        let mut held = lock(&self.held);
        held.slot = slot;
        held.line = Some((class, party));
        Ok(())
    }

    /// Stands in line again, if it gave its place back.
    pub(super) async fn come_back(&self) -> Result<(), Error> {
        let line = {
            let held = lock(&self.held);
            if held.slot.is_some() { None } else { held.line.clone() }
        };
        match line {
            Some((class, party)) => self.enter(class, party).await,
            None => Ok(()),
        }
    }

    /// Counts the request among those that wait. Refused where the team has too many of them.
    pub fn wait_long(&self) -> Result<(), Error> {
        let mut held = lock(&self.held);
        let Some((team, own)) = held.team.clone().filter(|_| !held.waiting) else { return Ok(()) };
        let limits = self.gateway.limits_of(&team);
        let mut teams = lock(&self.gateway.admission().teams);
        let account = teams.of(&team, own);
        if account.waiting >= limits.waiting {
            let detail = "the team has as many requests waiting at once as it may";
            return Err(self.refuse("waiting", "too_many_waiting", detail, 5));
        }
        account.waiting += 1;
        held.waiting = true;
        Ok(())
    }

    /// Gives the place back, for the time of a wait. One that is counted among those that wait is not in hand any more.
    pub fn stand_aside(&self) {
        let mut held = lock(&self.held);
        let slot = held.slot.take();
        if held.waiting && std::mem::take(&mut held.running) {
            self.settle(&held, |account| account.running -= 1);
        }
        drop(held);
        drop(slot);
    }

    /// The work is done; what waits on (an export that is being read) stays counted.
    pub fn end(&self) {
        let mut held = lock(&self.held);
        let slot = held.slot.take();
        if std::mem::take(&mut held.running) {
            self.settle(&held, |account| account.running -= 1);
        }
        drop(held);
        drop(slot);
    }

    /// What is left of the team's rate, once it was counted.
    pub fn quota(&self) -> Option<Quota> {
        self.quota.get().copied()
    }

    /// Whether it was refused here, so that nothing was begun.
    pub fn was_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::Acquire)
    }

    fn settle(&self, held: &Held, change: impl FnOnce(&mut Account)) {
        if let Some((team, own)) = &held.team {
            change(lock(&self.gateway.admission().teams).of(team, *own));
        }
    }

    fn refuse(&self, why: &'static str, code: &'static str, detail: &'static str, retry_after_seconds: u32) -> Error {
        self.turned_away.store(true, Ordering::Release);
        count_refusal(why);
        Error::TooMany { code, detail, retry_after_seconds }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end();
        let held = lock(&self.held);
        if held.waiting {
            self.settle(&held, |account| account.waiting -= 1);
        }
    }
}
