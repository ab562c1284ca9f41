//! Comparing the cloud with the rows: what a difference means, for caches at rest. (Those in motion are the tracker's.)
//!
//! What must stay true: a list is no proof of absence, so a cache counts as gone only after two looks by its id, apart
//! from each other, that found nothing; that one is no longer ready, or has not failed after all, is believed only when
//! a second look shows it, too; a row that changed while the cloud was read is not judged by what was read; a
//! cache that the cloud lets go of by its own rules is never called lost; where too much vanishes at once, nothing is
//! judged; what has ended here and is shown by the cloud goes on.
//!
//! The rooms: this page judges caches that vanished, those that came back and those that will expire; [`census`]
//! whether a list is believed; [`drift`] what was changed past the gateway; [`unmanaged`] caches that no row knows.
//!
//! Who calls it: `app::reconciling`, and [`super::image_cache::change`] for the words of a vanishing. What it does not do: look, or
//! write.

use chrono::Duration;

use super::clock::Instant;
use super::event::EventType;
use super::image_cache::change::{Change, MISSES_UNTIL_GONE, observe, revive};
use super::image_cache::observation::Seen;
use super::image_cache::spec::EliminationStrategy;
use super::image_cache::status::Status;
use super::image_cache::{Evidence, ImageCache};

pub mod adoption;
pub mod census;
pub mod drift;
pub mod unmanaged;

pub use census::Census;
pub use drift::Drift;

/// Why a cache is no longer there: its retention had ended.
pub const RETENTION_ENDED: &str = "retention_ended";
/// The cloud made room at the quota.
pub const EVICTED: &str = "evicted_at_quota";
/// The cloud drops what failed.
pub const DROPPED: &str = "dropped_after_failure";
/// Nothing of that: somebody removed it past the gateway.
pub const DELETED_ELSEWHERE: &str = "deleted_elsewhere";
/// Why a cache that had ended goes on: the cloud shows it.
pub const SHOWN_AGAIN: &str = "shown_again";
/// How long the cloud keeps a failed cache.
pub const FAILED_KEPT: Duration = Duration::days(1);
/// The quota counts as under pressure from that share of it on, in percent.
const PRESSURE_PERCENT: i64 = 95;

/// What comparing a row with the cloud has brought to light.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// What differs from what was asked for, changed past the gateway.
    pub drift: Vec<Drift>,
    /// The end of retention that consumers were warned of.
    pub expiry_told: Option<Instant>,
    /// When a failed cache was found to be no longer in the cloud. Its status stays `failed`.
    pub gone_at: Option<Instant>,
}

impl Reconciled {
    /// Whether what it holds is no longer what was asked for.
    pub fn content_drifted(&self) -> bool {
        self.drift.iter().any(Drift::is_of_content)
    }

    /// Whether the cloud shows it in a status in which no instance can use it.
    pub fn is_unusable(&self) -> bool {
        self.drift.iter().any(|drift| drift.field == drift::STATUS)
    }
}

/// The settings of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How far apart the two looks are that prove an absence, and how long a change may be missing from the lists.
    pub list_lag: Duration,
    /// How long before its retention ends consumers hear that a cache will expire.
    pub expiring_within: Duration,
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
pub fn missed(before: &ImageCache, now: Instant, fill: Fill, rule: &Rule) -> Option<Change> {
    if !is_at_rest(before) || now < before.updated_at + rule.list_lag {
        return None;
    }
    let mut next = before.clone();
    next.misses += 1;
    if next.misses < MISSES_UNTIL_GONE {
        return Some(step(before, next, before.status, "vanished", now));
    }
    let (to, reason) = fate(before, now, fill);
    if to == Status::Failed {
        next.reconciled.gone_at = Some(now);
        let change = step(before, next, to, reason, now);
        return Some(Change { event: Some(EventType::Dropped), ..change });
    }
    Some(step(before, next, to, reason, now))
}

/// Whether a list shows a cache at rest so that a look by its id must show it, too ([`confirmed`]).
pub fn is_unlikely(before: &ImageCache, seen: &Seen) -> bool {
    let noted = before.status == Status::Ready && before.reconciled.is_unusable();
    is_at_rest(before) && !noted && before.status.is_unlikely(Status::from_provider(&seen.status))
}

/// A look by its id showed a cache, read at `seen_at`, of which a list had shown what is unlikely: what is to be written,
/// if anything. One that has not failed after all goes on.
pub fn confirmed(before: &ImageCache, seen: &Seen, seen_at: Instant, now: Instant, rule: &Rule) -> Option<Change> {
    comes_back(before, seen, seen_at, now, rule).or_else(|| compare(before, seen, seen_at, now, rule))
}

/// The cloud showed a cache at rest, read at `seen_at`: what is to be written, if anything.
pub fn compare(before: &ImageCache, seen: &Seen, seen_at: Instant, now: Instant, rule: &Rule) -> Option<Change> {
    // What was read may be older than the row.
    if !is_at_rest(before) || seen_at < before.updated_at + rule.list_lag || recovers(before, seen) {
        return None;
    }
    let observed = observe(before, Some(seen), now, rule.list_lag);
    if let Some(change) = observed.as_ref().filter(|change| change.moved.is_some()) {
        return Some(begun_elsewhere(before, change.clone()));
    }
    let drift = if before.status == Status::Ready { drift::between(before, seen) } else { Vec::new() };
    if drift == before.reconciled.drift {
        return observed;
    }
    let mut next = observed.map_or_else(|| before.clone(), |change| change.next);
    let (reason, event) =
        if drift.is_empty() { ("drift_resolved", EventType::DriftResolved) } else { ("drifted", EventType::Drifted) };
    next.reconciled.drift = drift;
    let change = step(before, next, before.status, reason, now);
    Some(Change { event: Some(event), ..change })
}

/// Whether consumers are to hear, once for each end of retention, that a cache will expire.
pub fn expiring(before: &ImageCache, now: Instant, rule: &Rule) -> Option<Change> {
    let end = before.expires_at.filter(|end| *end > now && *end <= now + rule.expiring_within)?;
    if !matches!(before.status, Status::Ready | Status::UpdateFailed) || before.reconciled.expiry_told == Some(end) {
        return None;
    }
    let mut next = before.clone();
    next.reconciled.expiry_told = Some(end);
    let change = step(before, next, before.status, "retention_ends", now);
    Some(Change { event: Some(EventType::Expiring), ..change })
}

/// Whether the tracker leaves it alone, because nothing moves unless somebody asks for it.
pub fn is_at_rest(cache: &ImageCache) -> bool {
    cache.status.is_at_rest() && cache.eci_cache_id.is_some() && cache.reconciled.gone_at.is_none()
}

/// Whether nobody follows it any more.
pub fn has_ended(cache: &ImageCache) -> bool {
    cache.status.is_final() || cache.reconciled.gone_at.is_some()
}

/// Whether it failed here, and the cloud shows it as one that has not.
pub fn recovers(before: &ImageCache, seen: &Seen) -> bool {
    before.status == Status::Failed && before.status.is_unlikely(Status::from_provider(&seen.status))
}

/// The cloud showed a cache that has ended or failed here, read at `seen_at`: it goes on. `None` where it has not, or so
/// lately that the cloud may still show what was before.
pub fn comes_back(before: &ImageCache, seen: &Seen, seen_at: Instant, now: Instant, rule: &Rule) -> Option<Change> {
    let late = seen_at < before.updated_at + rule.list_lag;
    if late { None } else { revive(before, seen, now, rule.list_lag) }
}

/// The reason of a vanishing that the tracker saw, in the same words.
pub fn worded(change: Change) -> Change {
    let reason = match change.moved {
        Some((_, Status::Expired)) => RETENTION_ENDED,
        Some((_, Status::Lost)) => DELETED_ELSEWHERE,
        _ => change.reason,
    };
    Change { reason, ..change }
}

fn step(before: &ImageCache, mut next: ImageCache, to: Status, reason: &'static str, now: Instant) -> Change {
    let moved = before.status.may_become(to).then_some((before.status, to));
    next.status = moved.map_or(before.status, |(_, to)| to);
    next.sequence += i64::from(moved.is_some());
    next.updated_at = now;
    let event = moved.and_then(|(_, to)| EventType::of_arrival(to, next.generation));
    Change { next, moved, reason, event }
}

/// A build that somebody else began: the cloud itself says that it runs, so the Ready that follows is meant.
fn begun_elsewhere(before: &ImageCache, mut change: Change) -> Change {
    if change.next.status == Status::Updating {
        change.next.evidence = Evidence {
            snapshot_before: before.snapshot_id.clone(),
            flash_snapshot_before: before.flash_snapshot_id.clone(),
            build_seen: true,
            ..Evidence::default()
        };
    }
    change
}

#[cfg(test)]
mod tests;
