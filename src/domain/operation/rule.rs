//! "Never twice": what to do next about one operation, and what an answer or a lookup means for it.
//!
//! A create costs money, so an unknown outcome is resolved, never guessed:
//!
//! 1. Nothing was signed yet, or every attempt proved that nothing happened: send.
//! 2. An attempt is in doubt, and the first of them is younger than the window in which the cloud surely remembers a
//!    ClientToken: send again with the same token.
//! 3. In doubt and older: look it up (a create by its tag, an update by the cache's id). If it is found, it was done.
//!    If not, look again, at growing intervals, until the last signed attempt can no longer be accepted (its timestamp,
//!    plus the 15 minutes that the cloud allows, plus the lag of its lists). If the cloud lists the cache without a
//!    trace of the update, nothing happened and nothing will, so send. A cache that is not listed at all may only be
//!    hidden: a single answer of the cloud proves nothing. Only after three lookups, spread over
//!    [`OperationTimings::absence`], have found nothing does the attempt count as never carried out, and the operation
//!    is sent. A delete is simply sent again: repeating it does no harm.
//! 4. A refusal ends the operation only if no earlier attempt is in doubt. Otherwise the operation is held, nothing
//!    more is sent, and the lookups of step 3 decide: if found, it was done after all; if not, it ends with the stored
//!    refusal.
//! 5. `IdempotentParameterMismatch` means that the cloud knows our token with other parameters: something was done in
//!    our name. The operation is held as for a refusal, whatever happened before. Never use another token.
//! 6. After a success, an earlier attempt in doubt still matters: a copy of it may arrive after the cloud has forgotten
//!    the token. `unsettled_until` says when that can no longer happen. A duplicate is removed then, and what a copy of
//!    an update has built is checked, for up to [`OperationTimings::absence`] longer if the cloud does not list the
//!    cache.
//! 7. A create that a delete waits for is no longer sent: it is withdrawn if nothing was done, else looked up.
//! 8. An update waits until no copy of an earlier update can be carried out, and until what such a copy built has been
//!    checked: the copy would undo the newer update, or its build be mistaken for the newer one's.
//!
//! 9. A process that is not sure of its time ([`Present::sure`]) never concludes from it that something was long ago:
//!    it looks up a create in doubt, and looks again if it finds nothing; a token window that it opens does not count.
//!    Updates wait: a lookup that returns the state before the update could not be distinguished from one that returns
//!    its result.
//!
//! Why this holds: if requests are delivered promptly or lost, at most one create is ever carried out. Only a copy that
//! arrives after the cloud has forgotten the token can make a second cache, and rule 6 removes it.
//!
//! The input and output types are in the module `types`.
//!
//! Called by `app`, and by the simulation, which runs this very code. No strings, no allocation.

use chrono::Duration;

use super::OperationKind;
use crate::domain::clock::{Instant, Present};

mod types;

pub use types::{CallOutcome, Effect, HoldReason, LookupResult, OperationInput};

/// An attempt must be sent within this time of its signing; one that was paused for longer is not sent.
const ON_ITS_WAY_WITHIN: Duration = Duration::seconds(10);
/// The shortest wait for an update while the result of an earlier update has yet to be checked.
const SETTLES_SOON: Duration = Duration::seconds(10);
/// How long to wait after a lookup that failed, or before sending an update while the time is not sure.
const LOOK_AGAIN_AFTER: Duration = Duration::seconds(30);

/// The timing settings of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationTimings {
    /// How long the cloud surely remembers a ClientToken (undocumented; an assumption).
    pub token_window: Duration,
    /// How long a signed request may still be accepted: 15 minutes (Alibaba's RPC endpoints).
    pub acceptance: Duration,
    /// How long a new cache may be missing from the lists.
    pub list_lag: Duration,
    /// How long lookups must find nothing before an attempt in doubt counts as never carried out: longer than the cloud
    /// hides a cache that it has (undocumented; an assumption).
    pub absence: Duration,
}

impl OperationTimings {
    /// The longest that an operation or its follow-up check is postponed at once.
    pub fn longest_wait(&self) -> Duration {
        self.absence.max(self.acceptance + self.list_lag) + LOOK_AGAIN_AFTER
    }
}

impl Default for OperationTimings {
    fn default() -> Self {
        Self {
            token_window: Duration::minutes(5),
            acceptance: Duration::minutes(15),
            list_lag: Duration::minutes(1),
            absence: Duration::minutes(15),
        }
    }
}

/// What the decision is based on: the progress of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is intended.
    pub kind: OperationKind,
    /// When the attempt that opened the current token window was signed. None before the first attempt, or if the
    /// process that signed it was not sure of its time.
    pub window_opened_at: Option<Instant>,
    /// The latest time that any attempt was, or may have been, signed with.
    pub last_signed_at: Option<Instant>,
    /// How many attempts were signed in all.
    pub attempts: i32,
    /// Whether an attempt's outcome is unknown. In storage, an attempt in flight counts: a crash now leaves doubt.
    pub in_doubt: bool,
    /// Why nothing more is sent, if the operation is held.
    pub held: Option<HoldReason>,
    /// Since when lookups that cannot be too early have found nothing. None while lookups may be too early, or once one
    /// has found it.
    pub unseen_since: Option<Instant>,
}

impl Progress {
    /// The progress before the first attempt.
    pub fn new(kind: OperationKind) -> Self {
        Self {
            kind,
            window_opened_at: None,
            last_signed_at: None,
            attempts: 0,
            in_doubt: false,
            held: None,
            unseen_since: None,
        }
    }

    /// The progress with one more attempt, signed at `now`. The window opens with the first attempt, and again after
    /// all doubt was lifted. `in_doubt` still speaks of the earlier attempts; the stored row says `in_doubt` meanwhile.
    pub fn signed(self, now: Present) -> Self {
        let window_opened_at = if self.in_doubt { self.window_opened_at } else { Some(now.at) };
        let window_opened_at = window_opened_at.filter(|_| now.sure);
        // Take the maximum even if this process's clock is behind: an earlier attempt is accepted for as long as its
        // own timestamp allows.
        let last_signed_at = self.last_signed_at.max(Some(now.at));
        Self { window_opened_at, last_signed_at, attempts: self.attempts + 1, ..self }
    }

    /// Whether an attempt that was decided on a while ago may still be signed: nothing is in doubt, repeating it does
    /// no harm, or the cloud surely remembers the token.
    pub fn may_sign(&self, now: Present, rule: &OperationTimings) -> bool {
        !self.in_doubt || self.kind == OperationKind::Delete || self.is_window_open(now, rule)
    }

    /// Whether the cloud surely remembers the token. False if an attempt was signed later than now: the clock was set
    /// back since.
    fn is_window_open(&self, now: Present, rule: &OperationTimings) -> bool {
        let within = |opened: Instant| opened <= now.at && now.at < opened + rule.token_window;
        now.sure && self.window_opened_at.is_some_and(within) && self.last_signed_at.is_none_or(|last| last <= now.at)
    }

    /// When no attempt can be accepted any more and the lists contain whatever was done.
    fn settled_at(&self, rule: &OperationTimings) -> Option<Instant> {
        self.last_signed_at.map(|last| last + rule.acceptance + rule.list_lag)
    }

    /// How long a finished update is checked if the cloud does not list its cache, or reports it in an unlikely state:
    /// the cache may be hidden, and what a copy has built must be seen before the next update can be distinguished from
    /// it.
    pub fn looked_after_until(&self, rule: &OperationTimings) -> Option<Instant> {
        self.settled_at(rule).map(|settled| settled + rule.absence)
    }

    fn due(&self, unwanted: bool, overtaken_until: Option<Instant>, now: Present, rule: &OperationTimings) -> Effect {
        match self.kind {
            OperationKind::Update if !now.sure => Effect::Wait(now.at + LOOK_AGAIN_AFTER),
            _ if self.held.is_some() => Effect::LookUp,
            _ if self.in_doubt => self.due_in_doubt(unwanted, now, rule),
            OperationKind::Create if unwanted => Effect::Withdraw,
            // Wait even after that time, until somebody has checked what the copy left behind.
            _ => overtaken_until.map_or(Effect::Sign, |until| Effect::Wait(until.max(now.at + SETTLES_SOON))),
        }
    }

    fn due_in_doubt(&self, unwanted: bool, now: Present, rule: &OperationTimings) -> Effect {
        match self.kind {
            OperationKind::Delete => Effect::Sign,
            OperationKind::Create if unwanted => Effect::LookUp,
            _ if self.is_window_open(now, rule) => Effect::Sign,
            OperationKind::Create => Effect::LookUp,
            OperationKind::Update => {
                // Before that, a lookup may return the state before the update.
                let shown_at = self.window_opened_at.or(self.last_signed_at).map(|at| at + rule.list_lag);
                shown_at.filter(|at| now.at < *at).map_or(Effect::LookUp, Effect::Wait)
            }
        }
    }

    fn answered(mut self, answer: CallOutcome, now: Instant, rule: &OperationTimings) -> (Self, Effect) {
        let again = Effect::Wait(now + backoff(self.attempts));
        let hold = Effect::Wait(self.first_look(now, rule));
        let effect = match answer {
            CallOutcome::Done => {
                // A copy of a delete has nothing left to delete: ids are never used again.
                let copies = self.in_doubt && self.kind != OperationKind::Delete;
                Effect::Succeed { unsettled_until: if copies { self.settled_at(rule) } else { None } }
            }
            CallOutcome::Refused if !self.in_doubt => Effect::Refuse,
            CallOutcome::Refused => {
                self.held = Some(HoldReason::Refusal);
                hold
            }
            CallOutcome::Mismatch => {
                self.in_doubt = true;
                self.held = Some(HoldReason::Mismatch);
                hold
            }
            // A later attempt that did nothing does not lift the doubt about an earlier one.
            CallOutcome::Busy | CallOutcome::NotDone => again,
            CallOutcome::Unknown => {
                self.in_doubt = true;
                again
            }
        };
        (self, effect)
    }

    fn looked(mut self, sight: LookupResult, unwanted: bool, now: Present, rule: &OperationTimings) -> (Self, Effect) {
        let found = matches!(sight, LookupResult::Found { .. });
        let sight = if now.sure || found { sight } else { LookupResult::Failed };
        let Present { at: now, sure } = now;
        // After a lookup, it is not sent again within the old window, whatever happens to the clock.
        self.window_opened_at = None;
        let unsettled_until = self.settled_at(rule).filter(|settled| !sure || now < *settled);
        let effect = match (sight, unsettled_until) {
            (LookupResult::Failed, _) => Effect::Wait(now + LOOK_AGAIN_AFTER),
            (LookupResult::Found { twice }, _) => {
                Effect::Succeed { unsettled_until: unsettled_until.or(twice.then_some(now)) }
            }
            (LookupResult::Nothing | LookupResult::Absent, Some(settled)) => {
                Effect::Wait(settled.min(self.next_look(now, rule)))
            }
            (LookupResult::Nothing, None) => self.was_not_done(now),
            // If the cache turns up after all, it is removed like any other that nobody wants.
            (LookupResult::Absent, None) if unwanted && self.kind == OperationKind::Create => {
                self.in_doubt = false;
                if self.held.is_some() { Effect::Refuse } else { Effect::Withdraw }
            }
            (LookupResult::Absent, None) => self.absent(now, rule),
        };
        (self, effect)
    }

    /// When to look up a held operation. A create at once: what was made by an attempt whose commit was lost in a
    /// failover is most likely listed by now. An update later: a lookup now would mistake the state before it for its
    /// result.
    fn first_look(&self, now: Instant, rule: &OperationTimings) -> Instant {
        if self.kind == OperationKind::Create { now } else { now + rule.list_lag }
    }

    /// When to look again while it is too early to tell: wait as long as it has been since the last attempt.
    fn next_look(&self, now: Instant, rule: &OperationTimings) -> Instant {
        let passed = self.last_signed_at.map_or(Duration::zero(), |last| now - last);
        now + passed.max(rule.list_lag)
    }

    /// Handles a lookup that cannot be too early and found nothing.
    fn absent(&mut self, now: Instant, rule: &OperationTimings) -> Effect {
        // If the clock was set back since, it counts as not looked up before.
        let since = self.unseen_since.filter(|since| *since <= now).unwrap_or(now);
        self.unseen_since = Some(since);
        let believed_at = since + rule.absence;
        if now < believed_at {
            return Effect::Wait(believed_at.min(now + rule.absence / 2));
        }
        self.was_not_done(now)
    }

    fn was_not_done(&mut self, now: Instant) -> Effect {
        (self.in_doubt, self.unseen_since) = (false, None);
        if self.held.is_some() { Effect::Refuse } else { Effect::Wait(now) }
    }
}

/// Applies the rule: returns the new progress of the operation, and what to do.
pub fn decide(progress: Progress, input: OperationInput, now: Present, rule: &OperationTimings) -> (Progress, Effect) {
    match input {
        OperationInput::Due { unwanted, overtaken_until } => {
            (progress, progress.due(unwanted, overtaken_until, now, rule))
        }
        OperationInput::Answered(answer) => progress.answered(answer, now.at, rule),
        OperationInput::Looked { sight, unwanted } => progress.looked(sight, unwanted, now, rule),
    }
}

/// Whether an attempt signed at `signed_at` has waited too long to be sent: its worker was paused, another one may have
/// taken over, and a late copy can do harm. It counts as not sent.
pub fn is_stale(signed_at: Instant, now: Instant) -> bool {
    now - signed_at > ON_ITS_WAY_WITHIN
}

/// The wait before a retry: 1 s, doubling, at most 32 s.
fn backoff(attempts: i32) -> Duration {
    Duration::seconds(1_i64 << attempts.clamp(1, 6).saturating_sub(1))
}

#[cfg(test)]
mod tests;
