//! Compares the cloud with the rows: what a difference means for a cache at rest. (The tracker follows those in
//! motion.)
//!
//! What must stay true: a list is no proof of absence, so a cache counts as gone only after two lookups by its id, some
//! time apart, that found nothing; that a cache is no longer ready, or has not failed after all, is believed only if a
//! second lookup says so, too; a row that changed while the cloud was being read is not judged by what was read; a
//! cache that the cloud removes by its own rules is never called lost; if too many vanish at once, nothing is judged; a
//! cache that has ended here and is listed by the cloud becomes active again.
//!
//! The parts: this file judges caches that vanished, those that came back and those that will expire; [`census`]
//! whether a list is believed; [`verdict`] whether its contents are; [`drift`] what was changed outside the gateway;
//! [`unmanaged`] caches that have no row; [`pace`] how soon something is asked again.
//!
//! The resulting row is decided and written where every change of a row is: in [`super::transition`].
//!
//! Called by `app::reconciler`. It neither reads the cloud nor writes rows.

use chrono::Duration;

use super::clock::Instant;
use super::image_cache::ImageCache;
use super::image_cache::observation::Observation;
use super::image_cache::spec::EliminationStrategy;
use super::image_cache::status::Status;
use super::transition::change::{self, Change};
use super::transition::reason::{DELETED_ELSEWHERE, DROPPED, EVICTED, RETENTION_ENDED};

pub mod adoption;
pub mod census;
pub mod drift;
pub mod pace;
pub mod unmanaged;
pub mod verdict;

pub use census::Census;
use verdict::{Facts, Verdict};

/// How long the cloud keeps a failed cache.
pub const FAILED_KEPT: Duration = Duration::days(1);
/// The quota counts as under pressure from this share on, in percent.
const PRESSURE_PERCENT: i64 = 95;

/// The settings of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparisonTimings {
    /// How far apart the two lookups that prove an absence must be, and how long a change may be missing from the
    /// lists.
    pub list_lag: Duration,
    /// How long before the end of its retention an event announces that a cache will expire.
    pub expiring_within: Duration,
}

/// What a list means for a cache that it contains.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// It is as the row says, or not judged: nothing is written.
    Nothing,
    /// A lookup by its id must confirm it.
    LookById,
    /// This change is to be written.
    Change(Box<Change>),
}

/// How full the account's quota in the region is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill {
    /// Caches that the cloud lists: the larger number of this list and the one before.
    pub listed: i64,
    /// The quota; none if the cloud does not say.
    pub quota: Option<i64>,
}

impl Fill {
    /// Whether the cloud may have had to make room since the last pass.
    pub fn is_under_pressure(self) -> bool {
        self.quota.is_some_and(|quota| quota > 0 && self.listed * 100 >= quota * PRESSURE_PERCENT)
    }
}

/// How a cache vanished: the status that it gets, and the reason on its transition and event.
///
/// A failed cache keeps its status, whoever removed it: `failed` says all that matters.
pub fn fate(cache: &ImageCache, now: Instant, fill: Fill) -> (Status, &'static str) {
    let lru = cache.spec.elimination_strategy == Some(EliminationStrategy::Lru);
    let begun = cache.evidence.accepted_at.unwrap_or(cache.created_at);
    match cache.status {
        Status::Failed if now >= begun + FAILED_KEPT => (Status::Failed, DROPPED),
        Status::Failed => (Status::Failed, DELETED_ELSEWHERE),
        _ if cache.expires_at.is_some_and(|end| end <= now) => (Status::Expired, RETENTION_ENDED),
        _ if lru && fill.is_under_pressure() => (Status::Evicted, EVICTED),
        _ => (Status::Lost, DELETED_ELSEWHERE),
    }
}

/// A lookup by id did not find a cache at rest. Two of them, some time apart, end it; `None` while the second comes too
/// soon to count.
pub fn missed(before: &ImageCache, now: Instant, fill: Fill, rule: &ComparisonTimings) -> Option<Change> {
    let missed = read_at(before, now, rule).is_missed();
    missed.then(|| change::miss_at_rest(before, fate(before, now, fill), now))
}

/// Whether a list reports a cache at rest in a state that a lookup by its id must confirm ([`confirmed`]).
pub fn is_unlikely(before: &ImageCache, seen: &Observation) -> bool {
    facts(before, false).is_unlikely(Status::from_provider(&seen.status))
}

/// What a list, read at `seen_at`, means for a cache that it contains.
pub fn listed(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Listed {
    let change = match read_at(before, seen_at, rule).listed(Status::from_provider(&seen.status)) {
        Verdict::LookById => return Listed::LookById,
        Verdict::Compare => difference(before, seen, now, rule),
        Verdict::GoesOn | Verdict::Nothing => None,
    };
    change.map_or(Listed::Nothing, |change| Listed::Change(Box::new(change)))
}

/// A lookup by its id, at `seen_at`, confirmed the unlikely state that a list had reported: returns the change to
/// write, if any.
pub fn confirmed(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    match found(before, seen, seen_at, rule) {
        Verdict::GoesOn => Some(change::revive(before, seen, now, rule.list_lag)),
        Verdict::Compare => difference(before, seen, now, rule),
        Verdict::Nothing | Verdict::LookById => None,
    }
}

/// A lookup by its id, at `seen_at`, found a cache that has ended or failed here: it becomes active again. `None` if it
/// has not ended, or so recently that the cloud may still report its old state.
pub fn comes_back(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    let back = found(before, seen, seen_at, rule) == Verdict::GoesOn;
    back.then(|| change::revive(before, seen, now, rule.list_lag))
}

/// A lookup by its id, at `seen_at`, found a cache at rest: returns the change to write, if any.
pub fn compare(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    let at_rest = found(before, seen, seen_at, rule) == Verdict::Compare;
    at_rest.then(|| difference(before, seen, now, rule)).flatten()
}

fn found(before: &ImageCache, seen: &Observation, seen_at: Instant, rule: &ComparisonTimings) -> Verdict {
    read_at(before, seen_at, rule).found(Status::from_provider(&seen.status))
}

/// The change for a cache at rest that the cloud reports otherwise than the row says.
fn difference(before: &ImageCache, seen: &Observation, now: Instant, rule: &ComparisonTimings) -> Option<Change> {
    let observed = change::observe_at_rest(before, seen, now, rule.list_lag);
    if observed.as_ref().is_some_and(|change| change.moved.is_some()) {
        return observed;
    }
    let drift = if before.status == Status::Ready { drift::between(before, seen) } else { Vec::new() };
    if drift == before.reconciled.drift {
        return observed;
    }
    let shown = observed.map_or_else(|| before.clone(), |change| change.next);
    Some(change::drifted(&shown, drift, now))
}

/// The change that announces, once for each end of retention, that a cache will expire.
pub fn expiring(before: &ImageCache, now: Instant, rule: &ComparisonTimings) -> Option<Change> {
    let end = before.expires_at.filter(|end| *end > now && *end <= now + rule.expiring_within)?;
    if !matches!(before.status, Status::Ready | Status::UpdateFailed) || before.reconciled.expiry_told == Some(end) {
        return None;
    }
    Some(change::expiring(before, end, now))
}

/// Whether it has ended, so that nothing follows it any more.
pub fn has_ended(cache: &ImageCache) -> bool {
    facts(cache, false).has_ended()
}

/// The facts of the row, for judging what was read at `seen_at`.
fn read_at(cache: &ImageCache, seen_at: Instant, rule: &ComparisonTimings) -> Facts {
    facts(cache, seen_at >= cache.updated_at + rule.list_lag)
}

fn facts(cache: &ImageCache, fresh: bool) -> Facts {
    Facts {
        status: cache.status,
        known: cache.eci_cache_id.is_some(),
        gone: cache.reconciled.gone_at.is_some(),
        noted: cache.status == Status::Ready && cache.reconciled.is_unusable(),
        fresh,
    }
}

#[cfg(test)]
mod tests;
