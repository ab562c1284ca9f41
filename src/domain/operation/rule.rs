//! "Never twice": what to do next about one intent, and what an answer or a look means for it.
//!
//! A create costs money, so an unknown outcome is resolved, never guessed:
//!
//! 1. Nothing was signed yet, or every attempt proved that nothing happened: send.
//! 2. An attempt is in doubt, and the first of them is younger than the window in which the cloud surely
//!    remembers a ClientToken: send again with the same token.
//! 3. In doubt and older: look for it (a create by its tag, an update by the cache's id). Found: it was done. Not
//!    found: look again and again, ever more seldom, until the last signed attempt can no longer be accepted (its
//!    timestamp, plus the 15 minutes the cloud allows, plus the lag of its lists). A cache that is shown without a
//!    trace of the update: nothing happened and nothing will, so send. What is not shown at all may be hidden: the
//!    cloud's answer of one moment is not a fact. Only once three looks, spread over [`OperationTimings::absence`],
//!    have shown nothing, it counts as never made, and is sent. A delete is sent again instead: repeating it does no
//!    harm.
//! 4. A refusal ends the operation only if no earlier attempt is in doubt. Else it is held, nothing more is
//!    sent, and step 3's looks decide: found, it was done after all; not found, it ends with the kept refusal.
//! 5. `IdempotentParameterMismatch` means that the cloud knows our token with other parameters: something
//!    was done in our name. It is held like a refusal, whatever went before. Never another token.
//! 6. A success leaves a trace where an earlier attempt is in doubt: its copy may arrive after the cloud has
//!    forgotten the token. `unsettled_until` says when that is over; what was made twice is removed then, and what a
//!    copy of an update has built is looked at, for as long as [`OperationTimings::absence`] where the cache is not
//!    shown.
//! 7. A create that a delete waits for is not sent any more: withdrawn if nothing was done, else looked for.
//! 8. An update waits until no copy of an earlier update can be carried out, and until what such a copy built
//!    was looked at: it would undo the newer one, or be taken for its build.
//!
//! 9. A process that is not sure of its time ([`Present::sure`]) does not tell by it that something was long ago: a
//!    create in doubt it looks for, and what it does not find it looks for again; a window that it opens is none.
//!    Updates wait: a look that shows what was before them could not be told from one that shows what they did.
//!
//! Physics: with prompt or lost requests at most one create is ever carried out. Only a copy that arrives
//! later than the cloud's memory of the token can make a second cache; rule 6 removes it.
//!
//! The words for what is learned and for what is to be done stand in [`words`].
//!
//! Who calls it: `app`, and the simulation, which runs this very code. No strings, no allocation.

use chrono::Duration;

use super::OperationKind;
use crate::domain::clock::{Instant, Present};

mod types;

pub use types::{CallOutcome, Effect, HoldReason, LookupResult, OperationInput};

/// An attempt must be on its way this long after its signing; one that was paused for longer is not sent.
const ON_ITS_WAY_WITHIN: Duration = Duration::seconds(10);
/// What has to be looked after first is looked at within that.
const SETTLES_SOON: Duration = Duration::seconds(10);
/// After a look that failed.
const LOOK_AGAIN_AFTER: Duration = Duration::seconds(30);

/// The settings of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationTimings {
    /// How long the cloud surely remembers a ClientToken (undocumented; an assumption).
    pub token_window: Duration,
    /// How long a signed request may still be accepted: 15 minutes (Alibaba's RPC endpoints).
    pub acceptance: Duration,
    /// How long a new cache may be missing from the lists.
    pub list_lag: Duration,
    /// For how long looks must not show what an attempt in doubt may have made until it counts as never made: longer
    /// than the cloud hides a cache that it has (undocumented; an assumption).
    pub absence: Duration,
}

impl OperationTimings {
    /// The longest that an operation or its aftercare is put off at once.
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

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is intended.
    pub kind: OperationKind,
    /// When the attempt that opened the present token window was signed; none before the first, and where the process
    /// that signed it was not sure of its time.
    pub window_opened_at: Option<Instant>,
    /// The latest time that an attempt was signed with, or may have been.
    pub last_signed_at: Option<Instant>,
    /// How many attempts were signed in all.
    pub attempts: i32,
    /// Whether an attempt's outcome is unknown. As kept, an attempt that is out counts: a crash now leaves doubt.
    pub in_doubt: bool,
    /// Why nothing more is sent, where that is so.
    pub held: Option<HoldReason>,
    /// Since when looks have not shown it, none of which could be too early; none while one may be, or has shown it.
    pub unseen_since: Option<Instant>,
}

impl Progress {
    /// Before the first attempt.
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

    /// With one more attempt, signed at `now`. The window opens with the first attempt, and again once all doubt
    /// was lifted. The doubt is still the earlier ones': what is kept meanwhile says `in_doubt`.
    pub fn signed(self, now: Present) -> Self {
        let window_opened_at = if self.in_doubt { self.window_opened_at } else { Some(now.at) };
        let window_opened_at = window_opened_at.filter(|_| now.sure);
        // Also where this one's clock is behind: an earlier attempt is accepted for as long as its own time says.
        let last_signed_at = self.last_signed_at.max(Some(now.at));
        Self { window_opened_at, last_signed_at, attempts: self.attempts + 1, ..self }
    }

    /// Whether an attempt may still be signed that was decided upon a while ago: nothing is in doubt, a repetition does
    /// no harm, or the cloud surely remembers the token.
    pub fn may_sign(&self, now: Present, rule: &OperationTimings) -> bool {
        !self.in_doubt || self.kind == OperationKind::Delete || self.is_window_open(now, rule)
    }

    /// Whether the cloud surely remembers the token. Not if an attempt was signed later than now: the clock was put
    /// back since.
    fn is_window_open(&self, now: Present, rule: &OperationTimings) -> bool {
        let within = |opened: Instant| opened <= now.at && now.at < opened + rule.token_window;
        now.sure && self.window_opened_at.is_some_and(within) && self.last_signed_at.is_none_or(|last| last <= now.at)
    }

    /// From when on no attempt can be accepted any more, and what was done stands in the lists.
    fn settled_at(&self, rule: &OperationTimings) -> Option<Instant> {
        self.last_signed_at.map(|last| last + rule.acceptance + rule.list_lag)
    }

    /// Until when an ended update is looked after where its cache is not shown, or as what it hardly is: it may be
    /// hidden, and what a copy has built must be seen before the next update is told from it.
    pub fn looked_after_until(&self, rule: &OperationTimings) -> Option<Instant> {
        self.settled_at(rule).map(|settled| settled + rule.absence)
    }

    fn due(&self, unwanted: bool, overtaken_until: Option<Instant>, now: Present, rule: &OperationTimings) -> Effect {
        match self.kind {
            OperationKind::Update if !now.sure => Effect::Wait(now.at + LOOK_AGAIN_AFTER),
            _ if self.held.is_some() => Effect::LookUp,
            _ if self.in_doubt => self.due_in_doubt(unwanted, now, rule),
            OperationKind::Create if unwanted => Effect::Withdraw,
            // Also after that time: until somebody has looked what the copy left behind.
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
                // Before that a look may show what was before the update.
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
                // A delete's copy finds nothing more to delete: ids are never used again.
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
            // An earlier attempt's doubt is not lifted by a later one that did nothing.
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
        // Once it was looked for, it is not sent again by the old window, whatever happens to the clock.
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
            // If it comes to light after all, it is removed like any other that nobody wants.
            (LookupResult::Absent, None) if unwanted && self.kind == OperationKind::Create => {
                self.in_doubt = false;
                if self.held.is_some() { Effect::Refuse } else { Effect::Withdraw }
            }
            (LookupResult::Absent, None) => self.absent(now, rule),
        };
        (self, effect)
    }

    /// When to look for what is held. A create at once: what an attempt made whose commit a failover lost is most
    /// likely shown by now. A look at an update would take what was before it for what it did.
    fn first_look(&self, now: Instant, rule: &OperationTimings) -> Instant {
        if self.kind == OperationKind::Create { now } else { now + rule.list_lag }
    }

    /// When to look again while it is too early to tell: after as long as it has been since the last attempt.
    fn next_look(&self, now: Instant, rule: &OperationTimings) -> Instant {
        let passed = self.last_signed_at.map_or(Duration::zero(), |last| now - last);
        now + passed.max(rule.list_lag)
    }

    /// A look that cannot be too early did not show it.
    fn absent(&mut self, now: Instant, rule: &OperationTimings) -> Effect {
        // By a clock that was put back since, it has not been looked for before.
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

/// The rule: what is known of the operation afterwards, and what to do.
pub fn decide(progress: Progress, input: OperationInput, now: Present, rule: &OperationTimings) -> (Progress, Effect) {
    match input {
        OperationInput::Due { unwanted, overtaken_until } => {
            (progress, progress.due(unwanted, overtaken_until, now, rule))
        }
        OperationInput::Answered(answer) => progress.answered(answer, now.at, rule),
        OperationInput::Looked { sight, unwanted } => progress.looked(sight, unwanted, now, rule),
    }
}

/// Whether an attempt that was signed then has waited too long to be sent: its worker was paused, another one may
/// have taken over, and a copy that arrives late can do harm. Nothing was done by it.
pub fn is_stale(signed_at: Instant, now: Instant) -> bool {
    now - signed_at > ON_ITS_WAY_WITHIN
}

/// 1 s, doubling, at most 32 s.
fn backoff(attempts: i32) -> Duration {
    Duration::seconds(1_i64 << attempts.clamp(1, 6).saturating_sub(1))
}

#[cfg(test)]
mod tests;
