//! The decisions about the status of one image cache, from the few facts that they need: no strings, no allocation.
//!
//! [`super::change`] reduces a row and an observation to these facts, and writes the result back into the row. The
//! simulation runs this code unchanged.
//!
//! What must stay true: a status moves only along [`Status::may_become`]; Ready is the cloud's Status Ready; after an
//! update, Ready counts only with evidence that it is the new build's; a cache is gone only when two clean lookups by
//! its id, one after the other (and `lag` apart, unless its end was to be expected), did not find it; a cache that has
//! ended becomes active again if the cloud lists it again.
//!
//! `lag` is, in every function, how long a lookup may return the state before a change that the cloud has accepted
//! (`cloud.list_lag_seconds`). It is unbounded while the clock cannot tell how long ago something was
//! ([`crate::domain::clock::Present::lag`]).

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::image_cache::status::Status;

/// How many lookups by id in a row must miss a cache before it counts as gone.
pub const MISSES_UNTIL_GONE: i32 = 2;
/// How long an update may report the old build's Ready before we believe that nothing had to be built.
pub const STALE_READY_LIMIT: Duration = Duration::minutes(10);

/// What the decisions are based on: the relevant facts of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the row, and none follows from another")]
pub struct CacheState {
    /// The current status.
    pub status: Status,
    /// The number of the current build.
    pub generation: i32,
    /// The cloud has given it an id.
    pub known: bool,
    /// The current generation has been Ready.
    pub ready: bool,
    /// How many lookups by id in a row missed it.
    pub misses: i32,
    /// When the last of them was.
    pub missed_at: Option<Instant>,
    /// The cloud has reported the current update's build.
    pub build_seen: bool,
    /// The update before this one had failed.
    pub failed_before: bool,
    /// When the cloud accepted the current generation.
    pub accepted_at: Option<Instant>,
    /// When the cloud will drop it.
    pub expires_at: Option<Instant>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionInput {
    /// The cloud accepted the create.
    Created,
    /// The cloud accepted an update.
    Updated,
    /// The cloud accepted the delete, or never had the cache.
    Deleted,
    /// The cloud refused the create.
    CreateRefused,
    /// The cloud refused an update or a delete: nothing changes.
    ChangeRefused,
    /// The create was withdrawn: the delete that overtook it changes the status.
    Withdrawn,
    /// A lookup found it.
    Seen {
        /// The status that the cloud reports.
        shown: Status,
        /// It has a snapshot that only the current update's build can have made.
        rebuilt: bool,
    },
    /// A clean lookup by its id did not find it.
    Missed,
    /// A comparison with the cloud found it while no operation was running: a build that runs now is not one that we
    /// asked for.
    SeenAtRest {
        /// The status that the cloud reports.
        shown: Status,
        /// As for [`Self::Seen`].
        rebuilt: bool,
    },
    /// A clean lookup by its id did not find it while no operation was running; the caller says which status follows.
    MissedAtRest {
        /// The status that it gets when it counts as gone; a failed cache stays failed.
        end: Status,
    },
    /// Another difference from what was asked for was found.
    Drifted,
    /// It matches what was asked for again.
    DriftResolved,
    /// Its retention ends soon.
    Expiring,
    /// It was adopted in the state in which the cloud holds it.
    Adopted,
    /// The cloud lists it, although it has ended here.
    ShownAgain {
        /// The status that the cloud reports.
        shown: Status,
        /// As for [`Self::Seen`].
        rebuilt: bool,
    },
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionOutcome {
    /// The state afterwards.
    pub next: CacheState,
    /// The status before and after, if it changed.
    pub moved: Option<(Status, Status)>,
    /// The event to publish, if any.
    pub event: Option<EventType>,
}

/// Applies `input` to the cache. Only [`TransitionInput::ShownAgain`] leads out of a final status.
pub fn step(before: CacheState, input: TransitionInput, now: Instant, lag: Duration) -> TransitionOutcome {
    match input {
        TransitionInput::Created => {
            let next = CacheState { known: true, accepted_at: Some(now), ..before };
            TransitionOutcome { event: Some(EventType::Created), ..go(before, next, Status::Preparing) }
        }
        TransitionInput::Updated => TransitionOutcome { event: Some(EventType::Updating), ..updated(before, now) },
        TransitionInput::Deleted => {
            let to = if before.known { Status::Deleting } else { Status::Deleted };
            go(before, CacheState { misses: 0, missed_at: None, ..before }, to)
        }
        TransitionInput::CreateRefused => go(before, before, Status::Failed),
        TransitionInput::ChangeRefused | TransitionInput::Withdrawn => stay(before, None),
        TransitionInput::Seen { .. }
        | TransitionInput::Missed
        | TransitionInput::SeenAtRest { .. }
        | TransitionInput::MissedAtRest { .. }
            if before.status.is_final() =>
        {
            stay(before, None)
        }
        TransitionInput::Seen { shown, rebuilt } => seen(before, shown, rebuilt, now, lag),
        TransitionInput::Missed => missed(before, now, lag),
        TransitionInput::SeenAtRest { shown, rebuilt } => begun_elsewhere(seen(before, shown, rebuilt, now, lag)),
        TransitionInput::MissedAtRest { end } => missed_at_rest(before, end, now),
        TransitionInput::Drifted => stay(before, Some(EventType::Drifted)),
        TransitionInput::DriftResolved => stay(before, Some(EventType::DriftResolved)),
        TransitionInput::Expiring => stay(before, Some(EventType::Expiring)),
        TransitionInput::Adopted => stay(before, Some(EventType::Adopted)),
        TransitionInput::ShownAgain { shown, rebuilt } => shown_again(before, shown, rebuilt, now, lag),
    }
}

fn go(before: CacheState, mut next: CacheState, to: Status) -> TransitionOutcome {
    let moved = before.status.may_become(to).then_some((before.status, to));
    if moved.is_some() {
        next.status = to;
        next.ready |= to == Status::Ready;
    }
    let event = moved.and_then(|(_, to)| EventType::of_arrival(to, next.generation));
    TransitionOutcome { next, moved, event }
}

/// Leaves the state as it is.
fn stay(before: CacheState, event: Option<EventType>) -> TransitionOutcome {
    TransitionOutcome { next: before, moved: None, event }
}

fn updated(before: CacheState, now: Instant) -> TransitionOutcome {
    let next = CacheState {
        generation: before.generation + 1,
        ready: false,
        build_seen: false,
        failed_before: before.status == Status::UpdateFailed,
        accepted_at: Some(now),
        ..before
    };
    go(before, next, Status::Updating)
}

fn seen(before: CacheState, shown: Status, rebuilt: bool, now: Instant, lag: Duration) -> TransitionOutcome {
    // A later build is always an update, and it may end otherwise than a first build.
    let building = matches!(shown, Status::Preparing | Status::Creating);
    let anew = before.status == Status::Unknown && before.generation > 1 && building;
    let shown = if anew { Status::Updating } else { shown };
    let awaits_build = before.awaits_build();
    let build_seen = before.build_seen || (awaits_build && shown == Status::Updating);
    let next = CacheState { misses: 0, missed_at: None, build_seen, ..before };
    let to = match before.status {
        Status::Deleting => Status::Deleting,
        status if awaits_build && !next.is_meant(shown, rebuilt, now, lag) => status,
        _ => shown,
    };
    go(before, next, to)
}

/// A build that somebody else started: the cloud itself says that it runs, so the Ready that follows is the new
/// build's.
fn begun_elsewhere(seen: TransitionOutcome) -> TransitionOutcome {
    if seen.moved.is_none_or(|(_, to)| to != Status::Updating) {
        return seen;
    }
    TransitionOutcome {
        next: CacheState { build_seen: true, failed_before: false, accepted_at: None, ..seen.next },
        ..seen
    }
}

/// The cache becomes active again with the status that the cloud reports. If its deletion was requested, it returns to
/// Deleting: the cloud has not done it.
fn shown_again(before: CacheState, shown: Status, rebuilt: bool, now: Instant, lag: Duration) -> TransitionOutcome {
    let asked_to_go = before.status == Status::Deleted;
    let status = if asked_to_go { Status::Deleting } else { Status::Unknown };
    let outcome = seen(CacheState { status, ..before }, shown, rebuilt, now, lag);
    let to = outcome.next.status;
    // The first Ready of a build is published as such.
    let event = outcome.event.filter(|_| to == Status::Ready && !before.ready).or(Some(EventType::Revived));
    TransitionOutcome { next: outcome.next, moved: (to != before.status).then_some((before.status, to)), event }
}

impl CacheState {
    /// Whether an update was accepted and, as far as we know, no build of it has succeeded yet.
    fn awaits_build(&self) -> bool {
        let not_yet = [Status::Updating, Status::UpdateFailed, Status::Unknown].contains(&self.status);
        self.generation > 1 && !self.ready && not_yet
    }

    /// Whether the status that the cloud reports after an update must be the new build's. A lookup may lag and report
    /// the old one's, even after an earlier lookup has reported the new build.
    fn is_meant(&self, shown: Status, rebuilt: bool, now: Instant, lag: Duration) -> bool {
        let since = |limit| self.accepted_at.is_none_or(|accepted| now - accepted >= limit);
        let built = self.build_seen && since(lag);
        match shown {
            // It failed, and is Ready all the same: a late copy of the request was built. The old build's Ready was
            // only reported before the failed build began.
            Status::Ready if self.status == Status::UpdateFailed => rebuilt || since(lag),
            Status::Ready => rebuilt || built || since(STALE_READY_LIMIT.max(lag)),
            Status::UpdateFailed => built || !self.failed_before || since(STALE_READY_LIMIT.max(lag)),
            _ => true,
        }
    }
}

/// Whether what the cloud reports of a cache whose status is `status` proves that an update was carried out whose
/// answer never reached us.
pub fn was_updated(status: Status, shown: Status, rebuilt: bool) -> bool {
    let ended =
        matches!((status, shown), (Status::Ready, Status::UpdateFailed) | (Status::UpdateFailed, Status::Ready));
    rebuilt || ended || shown == Status::Updating
}

fn missed(before: CacheState, now: Instant, lag: Duration) -> TransitionOutcome {
    let expected = before.status == Status::Deleting || before.expires_at.is_some_and(|end| end <= now);
    let within = |at: Option<Instant>| at.is_some_and(|at| now - at < lag);
    // A lookup may return what was so before the create, even after an earlier one has shown the cache; and two that
    // are close together may both return the same old state.
    if !expected && (within(before.accepted_at) || within(before.missed_at)) {
        return go(before, before, before.status);
    }
    let next = CacheState { misses: before.misses + 1, missed_at: Some(now), ..before };
    let gone = next.misses >= MISSES_UNTIL_GONE;
    let to = match before.status {
        Status::Deleting if gone => Status::Deleted,
        _ if gone && before.expires_at.is_some_and(|end| end <= now) => Status::Expired,
        status if gone && status != Status::Pending => Status::Lost,
        status => status,
    };
    go(before, next, to)
}

fn missed_at_rest(before: CacheState, end: Status, now: Instant) -> TransitionOutcome {
    let next = CacheState { misses: before.misses + 1, missed_at: Some(now), ..before };
    if next.misses < MISSES_UNTIL_GONE {
        return stay(next, None);
    }
    let gone = go(before, next, end);
    // It keeps its status, as `failed` already says all that matters.
    let event = if end == Status::Failed { Some(EventType::Dropped) } else { gone.event };
    TransitionOutcome { event, ..gone }
}
