//! Comparing the cloud with the rows: what a difference means, for caches at rest. (Those in motion are the tracker's.)
//!
//! What must stay true: a list is no proof of absence, so a cache counts as gone only after two looks by its id, apart
//! from each other, that found nothing; that one is no longer ready, or has not failed after all, is believed only when
//! a second look shows it, too; a row that changed while the cloud was read is not judged by what was read; a
//! cache that the cloud lets go of by its own rules is never called lost; where too much vanishes at once, nothing is
//! judged; what has ended here and is shown by the cloud goes on.
//!
//! The rooms: this page judges caches that vanished, those that came back and those that will expire; [`census`]
//! whether a list is believed; [`verdict`] whether what it shows is; [`drift`] what was changed past the gateway; [`unmanaged`] caches that no row knows.
//!
//! What follows for the row is decided and written where every change of a row is: in [`super::transition`].
//!
//! Who calls it: `app::reconciler`. What it does not do: look, or write.

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
pub mod unmanaged;
pub mod verdict;

pub use census::Census;
use verdict::{Facts, Verdict};

/// How long the cloud keeps a failed cache.
pub const FAILED_KEPT: Duration = Duration::days(1);
/// The quota counts as under pressure from that share of it on, in percent.
const PRESSURE_PERCENT: i64 = 95;

/// The settings of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparisonTimings {
    /// How far apart the two looks are that prove an absence, and how long a change may be missing from the lists.
    pub list_lag: Duration,
    /// How long before its retention ends consumers hear that a cache will expire.
    pub expiring_within: Duration,
}

/// What a list means for a cache that it shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// Nothing that is not known.
    Nothing,
    /// A look by its id must show it, too.
    LookById,
    /// This is to be written.
    Change(Box<Change>),
}

/// How full the account's region is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill {
    /// Caches that the cloud lists: the more of this list and the one before.
    pub listed: i64,
    /// The most that it takes; none if the cloud does not say.
    pub quota: Option<i64>,
}

impl Fill {
    /// Whether the cloud may have had to make room since the last pass.
    pub fn is_under_pressure(self) -> bool {
        self.quota.is_some_and(|quota| quota > 0 && self.listed * 100 >= quota * PRESSURE_PERCENT)
    }
}

/// Which way a cache vanished: the status it comes to, and the reason on its transition and event.
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

/// A look by id did not find a cache at rest. Two of them, apart from each other, end it; `None` while the second comes
/// too soon to count.
pub fn missed(before: &ImageCache, now: Instant, fill: Fill, rule: &ComparisonTimings) -> Option<Change> {
    let missed = read_at(before, now, rule).is_missed();
    missed.then(|| change::miss_at_rest(before, fate(before, now, fill), now))
}

/// Whether a list shows a cache at rest so that a look by its id must show it, too ([`confirmed`]).
pub fn is_unlikely(before: &ImageCache, seen: &Observation) -> bool {
    facts(before, false).is_unlikely(Status::from_provider(&seen.status))
}

/// What a list, read at `seen_at`, means for a cache that it shows.
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

/// A look by its id, at `seen_at`, showed a cache of which a list had shown what is unlikely: what is to be written, if
/// anything.
pub fn confirmed(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    comes_back(before, seen, seen_at, now, rule).or_else(|| compare(before, seen, seen_at, now, rule))
}

/// A look by its id, at `seen_at`, showed a cache that has ended or failed here: it goes on. `None` where it has not,
/// or so lately that the cloud may still show what was before.
pub fn comes_back(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    let verdict = read_at(before, seen_at, rule).found(Status::from_provider(&seen.status));
    (verdict == Verdict::GoesOn).then(|| change::revive(before, seen, now, rule.list_lag))
}

/// A look by its id, at `seen_at`, showed a cache at rest: what is to be written, if anything.
pub fn compare(
    before: &ImageCache,
    seen: &Observation,
    seen_at: Instant,
    now: Instant,
    rule: &ComparisonTimings,
) -> Option<Change> {
    let verdict = read_at(before, seen_at, rule).found(Status::from_provider(&seen.status));
    (verdict == Verdict::Compare).then(|| difference(before, seen, now, rule)).flatten()
}

/// What the cloud shows of a cache at rest otherwise than the row says.
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

/// Whether consumers are to hear, once for each end of retention, that a cache will expire.
pub fn expiring(before: &ImageCache, now: Instant, rule: &ComparisonTimings) -> Option<Change> {
    let end = before.expires_at.filter(|end| *end > now && *end <= now + rule.expiring_within)?;
    if !matches!(before.status, Status::Ready | Status::UpdateFailed) || before.reconciled.expiry_told == Some(end) {
        return None;
    }
    Some(change::expiring(before, end, now))
}

/// Whether nobody follows it any more.
pub fn has_ended(cache: &ImageCache) -> bool {
    facts(cache, false).has_ended()
}

/// The row, as it is judged by what was read at `seen_at`.
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
