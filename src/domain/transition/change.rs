//! One change of one row: every change is made here, because of a request's outcome or an observation of the cloud, and
//! nowhere else.
//!
//! The decisions are made in [`core`], from a handful of plain values; this module reduces a row and an observation to
//! them, and writes the result into the row.
//!
//! What must stay true: a snapshot counts as evidence of a new build only if the old build cannot have made it (a Flash
//! cache's standard snapshot comes long after its Ready, unseen); a row's times never go back, even if the process that
//! writes it has a clock behind that of the one before.

use chrono::Duration;

use super::core::{self, CacheState, TransitionInput};
use super::reason::{DELETED_ELSEWHERE, RETENTION_ENDED, SHOWN_AGAIN};
use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::failure::CloudError;
use crate::domain::image_cache::drift::{Drift, Reconciled};
use crate::domain::image_cache::observation::{Observation, ProviderEvent};
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::image_cache::status::Status;
use crate::domain::image_cache::{BuildEvidence, Failure, ImageCache};
use crate::domain::operation::OperationKind;

/// One change of one cache: the new row, and what is published about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row after the step. `version` is still the old one: `store` compares and raises it.
    pub next: ImageCache,
    /// The status before and after, if it changed.
    pub moved: Option<(Status, Status)>,
    /// The reason of the transition: `accepted`, `refused`, `requested`, `observed`, `vanished`, `adopted`, or one of
    /// [`super::reason`]'s.
    pub reason: &'static str,
    /// The event to publish, if any.
    pub event: Option<EventType>,
}

/// Reduces the row to what the decisions need.
fn core_of(cache: &ImageCache) -> CacheState {
    CacheState {
        status: cache.status,
        generation: cache.generation,
        known: cache.eci_cache_id.is_some(),
        ready: cache.ready_at.is_some(),
        misses: cache.misses,
        // A miss is written, and whatever is written later delays the next one.
        missed_at: (cache.misses > 0).then_some(cache.updated_at),
        build_seen: cache.evidence.build_seen,
        failed_before: cache.evidence.failed_before,
        accepted_at: cache.evidence.accepted_at,
        expires_at: cache.expires_at,
    }
}

/// Applies `input`, which did not come from an observation, to `before`, and writes the result into `next`, which
/// already holds everything else that is new.
fn step(before: &ImageCache, next: ImageCache, input: TransitionInput, reason: &'static str, now: Instant) -> Change {
    look(before, next, input, reason, now, Duration::zero())
}

/// The same for input from an observation, which may be up to `lag` old.
fn look(
    before: &ImageCache,
    mut next: ImageCache,
    input: TransitionInput,
    reason: &'static str,
    now: Instant,
    lag: Duration,
) -> Change {
    let core = CacheState { expires_at: next.expires_at, ..core_of(before) };
    let outcome = core::step(core, input, now, lag);
    next.status = outcome.next.status;
    next.generation = outcome.next.generation;
    next.misses = outcome.next.misses;
    next.evidence.build_seen = outcome.next.build_seen;
    next.evidence.failed_before = outcome.next.failed_before;
    next.evidence.accepted_at = outcome.next.accepted_at;
    next.ready_at = next.ready_at.or(Some(now)).filter(|_| outcome.next.ready);
    next.sequence += i64::from(outcome.moved.is_some());
    next.updated_at = later(before, now);
    if outcome.moved.is_some_and(|(_, to)| to == Status::Ready) {
        next.failure = None;
    }
    Change { next, moved: outcome.moved, reason, event: outcome.event }
}

/// Now, but no earlier than the last change of the row.
fn later(before: &ImageCache, now: Instant) -> Instant {
    now.max(before.updated_at)
}

/// The cloud accepted the create: it has an id now.
pub fn created(before: &ImageCache, eci_cache_id: &str, container_group_id: Option<&str>, now: Instant) -> Change {
    let mut next = before.clone();
    next.eci_cache_id = Some(eci_cache_id.to_owned());
    next.container_group_id = container_group_id.map(str::to_owned);
    // The build begins now; the create may have waited for a long time.
    let now = later(before, now);
    next.evidence.accepted_at = Some(now);
    step(before, next, TransitionInput::Created, "accepted", now)
}

/// The cloud accepted an update: a new generation is building.
pub fn updating(before: &ImageCache, spec: ImageCacheSpec, now: Instant) -> Change {
    let mut next = before.clone();
    next.spec = spec;
    next.failure = None;
    next.reconciled.drift.clear();
    next.progress_percent = None;
    next.evidence = BuildEvidence {
        snapshot_before: before.snapshot_id.clone(),
        flash_snapshot_before: before.flash_snapshot_id.clone(),
        ..BuildEvidence::default()
    };
    step(before, next, TransitionInput::Updated, "accepted", later(before, now))
}

/// The cloud accepted the delete, or never had the cache.
pub fn deleting(before: &ImageCache, now: Instant) -> Change {
    step(before, before.clone(), TransitionInput::Deleted, "accepted", now)
}

/// The cloud refused an operation for good. A refused update or delete leaves the status as it is.
pub fn refused(before: &ImageCache, kind: OperationKind, error: &CloudError, now: Instant) -> Change {
    let mut next = before.clone();
    if kind != OperationKind::Create {
        return step(before, next, TransitionInput::ChangeRefused, "refused", now);
    }
    next.failure = Some(Failure {
        code: error.code.clone(),
        message: error.message.clone(),
        retryable: false,
        provider_request_id: error.request_id.clone(),
    });
    step(before, next, TransitionInput::CreateRefused, "refused", now)
}

/// The create was withdrawn because a delete came before it was sent to the cloud: that delete moves the row.
pub fn withdrawn(before: &ImageCache, now: Instant) -> Change {
    step(before, before.clone(), TransitionInput::Withdrawn, "withdrawn", now)
}

/// Applies one observation: `seen` is the cache as the cloud reports it; `None` means that a clean lookup *by its id*
/// did not find it. That a list does not contain it proves nothing, and must not be passed here. An observation may be
/// up to `lag` old. `None` if there is nothing to write.
pub fn observe(before: &ImageCache, seen: Option<&Observation>, now: Instant, lag: Duration) -> Option<Change> {
    if before.status.is_final() {
        return None;
    }
    let change = match seen {
        Some(seen) => found(before, seen, |shown, rebuilt| TransitionInput::Seen { shown, rebuilt }, now, lag),
        None => worded(look(before, before.clone(), TransitionInput::Missed, "vanished", now, lag)),
    };
    if_new(before, change)
}

fn if_new(before: &ImageCache, change: Change) -> Option<Change> {
    let unchanged = ImageCache { updated_at: before.updated_at, ..change.next.clone() } == *before;
    (!unchanged).then_some(change)
}

/// Gives a disappearance that the tracker saw the reason that the reconciler would give it.
fn worded(change: Change) -> Change {
    let reason = match change.moved {
        Some((_, Status::Expired)) => RETENTION_ENDED,
        Some((_, Status::Lost)) => DELETED_ELSEWHERE,
        _ => change.reason,
    };
    Change { reason, ..change }
}

/// The same as [`observe`], for a cache at rest that a comparison with the cloud found.
pub fn observe_at_rest(before: &ImageCache, seen: &Observation, now: Instant, lag: Duration) -> Option<Change> {
    if before.status.is_final() {
        return None;
    }
    let mut change = found(before, seen, |shown, rebuilt| TransitionInput::SeenAtRest { shown, rebuilt }, now, lag);
    if change.moved.is_some_and(|(_, to)| to == Status::Updating) {
        // Somebody else started the build, over the snapshots that are there.
        change.next.evidence.snapshot_before.clone_from(&before.snapshot_id);
        change.next.evidence.flash_snapshot_before.clone_from(&before.flash_snapshot_id);
    }
    if_new(before, change)
}

/// A clean lookup by its id did not find a cache at rest. When it counts as gone, it gets the status `end` for this
/// `reason`; a failed cache stays failed.
pub fn miss_at_rest(before: &ImageCache, (end, reason): (Status, &'static str), now: Instant) -> Change {
    let mut change = step(before, before.clone(), TransitionInput::MissedAtRest { end }, "vanished", now);
    let gone = change.moved.is_some() || change.event.is_some();
    if gone {
        change.reason = reason;
    }
    if gone && change.moved.is_none() {
        change.next.reconciled.gone_at = Some(now);
    }
    change
}

/// The differences from what was asked for are not those that the row lists.
pub fn drifted(before: &ImageCache, drift: Vec<Drift>, now: Instant) -> Change {
    let (input, reason) = if drift.is_empty() {
        (TransitionInput::DriftResolved, "drift_resolved")
    } else {
        (TransitionInput::Drifted, "drifted")
    };
    let mut next = before.clone();
    next.reconciled.drift = drift;
    step(before, next, input, reason, now)
}

/// It was in the cloud before the gateway knew of it, and belongs to the team from now on.
pub fn adopted(cache: &ImageCache, now: Instant) -> Change {
    step(cache, cache.clone(), TransitionInput::Adopted, "adopted", now)
}

/// Publishes that its retention ends soon, at `end`.
pub fn expiring(before: &ImageCache, end: Instant, now: Instant) -> Change {
    let mut next = before.clone();
    next.reconciled.expiry_told = Some(end);
    step(before, next, TransitionInput::Expiring, "retention_ends", now)
}

/// The cloud lists a cache that has ended here, or that has not failed after all: it becomes active again under its id.
pub fn revive(before: &ImageCache, seen: &Observation, now: Instant, lag: Duration) -> Change {
    let mut change = found(before, seen, |shown, rebuilt| TransitionInput::ShownAgain { shown, rebuilt }, now, lag);
    if change.moved.is_some_and(|(from, _)| from == Status::Failed) {
        change.next.failure = None;
    }
    change.next.reconciled = Reconciled { expiry_told: before.reconciled.expiry_told, ..Reconciled::default() };
    Change { reason: SHOWN_AGAIN, ..change }
}

/// Applies the observation `seen`; `input` says which kind it is.
fn found(
    before: &ImageCache,
    seen: &Observation,
    input: impl Fn(Status, bool) -> TransitionInput,
    now: Instant,
    lag: Duration,
) -> Change {
    let mut next = before.clone();
    next.provider_status = Some(seen.status.clone());
    next.progress_percent = seen.progress_percent;
    next.container_group_id = seen.container_group_id.clone().or(next.container_group_id);
    next.snapshot_id = seen.snapshot_id.clone().or(next.snapshot_id);
    next.flash_snapshot_id.clone_from(&seen.flash_snapshot_id);
    next.expires_at = seen.expires_at;
    next.last_matched_at = seen.last_matched_at.or(next.last_matched_at);
    next.provider = Some(seen.raw.clone());
    let input = input(Status::from_provider(&seen.status), is_rebuilt(&before.evidence, seen));
    let mut change = look(before, next, input, "observed", now, lag);
    if matches!(change.moved, Some((_, Status::Failed | Status::UpdateFailed))) {
        change.next.failure = Some(failure_of(&seen.events));
    }
    change
}

/// Whether there is a snapshot that only the build after the update can have made.
fn is_rebuilt(evidence: &BuildEvidence, seen: &Observation) -> bool {
    let new = |id: &Option<String>, before: &Option<String>| id.is_some() && id != before;
    // If the old build had, or may have had, its standard snapshot still to come, a new one proves nothing.
    let comparable = evidence.snapshot_before.is_some() && evidence.flash_snapshot_before.is_none();
    (comparable && new(&seen.snapshot_id, &evidence.snapshot_before))
        || new(&seen.flash_snapshot_id, &evidence.flash_snapshot_before)
}

/// Whether what the cloud reports proves that an update was carried out whose answer never reached us.
pub fn was_updated(before: &ImageCache, seen: &Observation) -> bool {
    let evidence = BuildEvidence {
        snapshot_before: before.snapshot_id.clone(),
        flash_snapshot_before: before.flash_snapshot_id.clone(),
        ..BuildEvidence::default()
    };
    core::was_updated(before.status, Status::from_provider(&seen.status), is_rebuilt(&evidence, seen))
}

/// The failure that the newest warning describes; without a warning it says so.
pub(in crate::domain) fn failure_of(events: &[ProviderEvent]) -> Failure {
    let warning = events.iter().filter(|event| event.kind == "Warning").max_by_key(|event| event.last_at);
    let (code, message) = warning.map_or_else(
        || {
            (
                "BuildFailed".to_owned(),
                "The cloud reports a failed build, but no event that gives the \
             reason."
                    .to_owned(),
            )
        },
        |event| (event.reason.clone(), event.message.clone()),
    );
    Failure { code, message, retryable: false, provider_request_id: None }
}

#[cfg(test)]
mod tests;
