//! How one image cache moves: every change of a row is made here, by a request's outcome or by a look at
//! the cloud, and nowhere else.
//!
//! What must stay true: a status moves only along [`Status::may_become`]; Ready is the cloud's Status Ready,
//! whatever Progress says; after an update, Ready counts only with evidence that the new build is meant.

use chrono::Duration;

use super::clock::Instant;
use super::event::EventType;
use super::failure::CloudError;
use super::image_cache::{Evidence, Failure, ImageCache};
use super::observation::{ProviderEvent, Seen};
use super::operation::OperationKind;
use super::reconcile;
use super::spec::ImageCacheSpec;
use super::status::Status;

/// How many looks in a row must miss a cache before it counts as gone.
pub const MISSES_UNTIL_GONE: i32 = 2;
/// How long an update may show the old build's Ready before we believe that nothing had to be built.
pub const STALE_READY_LIMIT: Duration = Duration::minutes(10);

/// One step of one cache: the row as it shall be, and what is to be told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row after the step. `version` is still the old one: `store` compares and raises it.
    pub next: ImageCache,
    /// Before and after, where the status moved.
    pub moved: Option<(Status, Status)>,
    /// Why, in a word, for the transition: `accepted`, `refused`, `requested`, `observed`, `vanished`, `adopted`, or one of
    /// [`reconcile`]'s.
    pub reason: &'static str,
    /// What consumers hear.
    pub event: Option<EventType>,
}

fn step(before: &ImageCache, mut next: ImageCache, to: Status, reason: &'static str, now: Instant) -> Change {
    let moved = before.status.may_become(to).then_some((before.status, to));
    next.status = moved.map_or(before.status, |(_, to)| to);
    next.sequence += i64::from(moved.is_some());
    next.updated_at = now;
    if to == Status::Ready && moved.is_some() {
        next.ready_at = Some(now);
        next.failure = None;
    }
    let event = moved.and_then(|(_, to)| EventType::of_arrival(to, next.generation));
    Change { next, moved, reason, event }
}

/// The cloud accepted the create: it has an id now.
pub fn created(before: &ImageCache, eci_cache_id: &str, container_group_id: Option<&str>, now: Instant) -> Change {
    let mut next = before.clone();
    next.eci_cache_id = Some(eci_cache_id.to_owned());
    next.container_group_id = container_group_id.map(str::to_owned);
    let mut change = step(before, next, Status::Preparing, "accepted", now);
    change.event = Some(EventType::Created);
    change
}

/// The cloud accepted an update: a new generation is building.
pub fn updating(before: &ImageCache, spec: ImageCacheSpec, now: Instant) -> Change {
    let mut next = before.clone();
    next.spec = spec;
    next.generation += 1;
    next.ready_at = None;
    next.failure = None;
    next.reconciled.drift.clear();
    next.progress_percent = None;
    next.evidence = Evidence {
        snapshot_before: before.snapshot_id.clone(),
        flash_snapshot_before: before.flash_snapshot_id.clone(),
        build_seen: false,
        failed_before: before.status == Status::UpdateFailed,
        accepted_at: Some(now),
    };
    let mut change = step(before, next, Status::Updating, "accepted", now);
    change.event = Some(EventType::Updating);
    change
}

/// The cloud accepted the delete, or never had the cache.
pub fn deleting(before: &ImageCache, now: Instant) -> Change {
    let to = if before.eci_cache_id.is_some() { Status::Deleting } else { Status::Deleted };
    let mut next = before.clone();
    next.misses = 0;
    step(before, next, to, "accepted", now)
}

/// The cloud refused an operation for good. A refused update or delete leaves the status as it is.
pub fn refused(before: &ImageCache, kind: OperationKind, error: &CloudError, now: Instant) -> Change {
    let mut next = before.clone();
    let failure = Failure {
        code: error.code.clone(),
        message: error.message.clone(),
        retryable: false,
        provider_request_id: error.request_id.clone(),
    };
    match kind {
        OperationKind::Create => {
            next.failure = Some(failure);
            step(before, next, Status::Failed, "refused", now)
        }
        OperationKind::Update | OperationKind::Delete => {
            next.updated_at = now;
            Change { next, moved: None, reason: "refused", event: None }
        }
    }
}

/// What one look means: `seen` is the cache as the cloud shows it, or nothing if it is not listed.
/// `None` if there is nothing to write.
pub fn observe(before: &ImageCache, seen: Option<&Seen>, now: Instant) -> Option<Change> {
    if before.status.is_final() {
        return None;
    }
    match seen {
        Some(seen) => found(before, seen, now),
        None => Some(reconcile::worded(missed(before, now))),
    }
}

fn found(before: &ImageCache, seen: &Seen, now: Instant) -> Option<Change> {
    let mut next = before.clone();
    next.misses = 0;
    next.provider_status = Some(seen.status.clone());
    next.progress_percent = seen.progress_percent;
    next.container_group_id = seen.container_group_id.clone().or(next.container_group_id);
    next.snapshot_id = seen.snapshot_id.clone().or(next.snapshot_id);
    next.flash_snapshot_id.clone_from(&seen.flash_snapshot_id);
    next.expires_at = seen.expires_at;
    next.last_matched_at = seen.last_matched_at.or(next.last_matched_at);
    next.provider = Some(seen.raw.clone());
    let shown = Status::from_provider(&seen.status);
    next.evidence.build_seen |= before.status == Status::Updating && shown == Status::Updating;
    let to = believable(before, &next, shown, now);
    if matches!(to, Status::Failed | Status::UpdateFailed) && before.status.may_become(to) {
        next.failure = Some(failure_of(&seen.events));
    }
    let change = step(before, next, to, "observed", now);
    let unchanged = ImageCache { updated_at: before.updated_at, ..change.next.clone() } == *before;
    (!unchanged).then_some(change)
}

/// The status to take, given what the cloud shows: a stale answer right after an update moves nothing.
fn believable(before: &ImageCache, next: &ImageCache, shown: Status, now: Instant) -> Status {
    if before.status == Status::Deleting {
        return Status::Deleting;
    }
    if before.status != Status::Updating {
        return shown;
    }
    let evidence = &next.evidence;
    let rebuilt = next.snapshot_id != evidence.snapshot_before
        || next.flash_snapshot_id.as_ref().is_some_and(|id| Some(id) != evidence.flash_snapshot_before.as_ref());
    let waited = evidence.accepted_at.is_some_and(|accepted| now - accepted >= STALE_READY_LIMIT);
    let meant = match shown {
        Status::Ready => evidence.build_seen || rebuilt || waited,
        Status::UpdateFailed => evidence.build_seen || !evidence.failed_before || waited,
        _ => true,
    };
    if meant { shown } else { Status::Updating }
}

fn missed(before: &ImageCache, now: Instant) -> Change {
    let mut next = before.clone();
    next.misses += 1;
    let gone = next.misses >= MISSES_UNTIL_GONE;
    let to = match before.status {
        Status::Deleting if gone => Status::Deleted,
        _ if gone && before.expires_at.is_some_and(|end| end <= now) => Status::Expired,
        status if gone && status != Status::Pending => Status::Lost,
        status => status,
    };
    step(before, next, to, "vanished", now)
}

/// The newest warning tells why; without one we say so.
pub(super) fn failure_of(events: &[ProviderEvent]) -> Failure {
    let warning = events.iter().filter(|event| event.kind == "Warning").max_by_key(|event| event.last_at);
    let (code, message) = warning.map_or_else(
        || ("BuildFailed".to_owned(), "The cloud reports a failed build and no event that says why.".to_owned()),
        |event| (event.reason.clone(), event.message.clone()),
    );
    Failure { code, message, retryable: false, provider_request_id: None }
}

#[cfg(test)]
mod tests;
