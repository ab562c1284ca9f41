//! Adopts a cache that exists in the cloud and has no row here: builds its row.
//!
//! What must stay true: a cache that a create of ours is about to learn of is not taken from it; fields that Describe
//! does not return (vSwitches, registries, copies, …) stay unset, never guessed.
//!
//! Called by `app`. It does not decide which team gets it, or whether a row exists already.

use std::collections::BTreeMap;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::drift::Reconciled;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::values::Word as _;
use crate::domain::image_cache::spec::{EliminationStrategy, GATEWAY_TAGS, ImageCacheSpec, RETENTION_DAYS};
use crate::domain::image_cache::status::Status;
use crate::domain::image_cache::{BuildEvidence, ImageCache};
use crate::domain::image_ref::ImageRef;
use crate::domain::region::Region;
use crate::domain::transition::change::failure_of;

/// The most caches that one request can adopt.
pub const MAX_ADOPTIONS: usize = 100;

/// Selects caches of the cloud. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdoptionFilter {
    /// Only those with exactly this name.
    pub name: Option<String>,
    /// Only those with this tag: key, and value if one is given.
    pub tag: Option<(String, Option<String>)>,
    /// Only those that hold this image, in any spelling.
    pub image: Option<ImageRef>,
}

impl AdoptionFilter {
    /// Whether `seen` passes the filter.
    pub fn lets(&self, seen: &Observation) -> bool {
        let tagged = |(key, value): &(String, Option<String>)| {
            let carries = |(found, its): &(String, String)| found == key && value.as_ref().is_none_or(|v| v == its);
            seen.tags.iter().any(carries)
        };
        let holds = |image: &ImageRef| {
            let held = seen.images.iter().filter_map(|held| held.parse::<ImageRef>().ok());
            held.into_iter().any(|held| held.same_image(image))
        };
        self.name.as_ref().is_none_or(|name| *name == seen.name)
            && self.tag.as_ref().is_none_or(tagged)
            && self.image.as_ref().is_none_or(holds)
    }
}

/// Why a requested cache is not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It already has a row, of any team.
    AlreadyManaged,
    /// A create with its name has not ended yet: it may be that create's own.
    CreateInProgress,
    /// The team's policy does not allow it.
    PolicyRefused,
    /// The cloud does not list it.
    NotFound,
    /// A team had it, it had counted as gone, and it has become active again there.
    Revived,
    /// A create left it behind, and its removal may be in progress.
    BeingRemoved,
}

impl SkipReason {
    /// The word for it in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyManaged => "already_managed",
            Self::CreateInProgress => "create_in_progress",
            Self::PolicyRefused => "policy_refused",
            Self::NotFound => "not_found",
            Self::Revived => "revived",
            Self::BeingRemoved => "being_removed",
        }
    }
}

/// Who adopts it, and under which ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopter {
    /// The id of the new row.
    pub cache: CacheId,
    /// The id of the operation that records the adoption.
    pub operation: OperationId,
    /// The team that gets it.
    pub team: TeamId,
    /// The cloud account in which it was found.
    pub account: String,
    /// The region in which it was found.
    pub region: Region,
}

/// The row for a cache that the cloud lists.
pub fn adopted(seen: &Observation, adopter: &Adopter, now: Instant) -> ImageCache {
    let status = Status::from_provider(&seen.status);
    let failed = matches!(status, Status::Failed | Status::UpdateFailed);
    let evidence = BuildEvidence {
        snapshot_before: seen.snapshot_id.clone(),
        flash_snapshot_before: seen.flash_snapshot_id.clone(),
        // The cloud itself says that the new build is running, so what comes next is its result.
        build_seen: status == Status::Updating,
        ..BuildEvidence::default()
    };
    ImageCache {
        id: adopter.cache,
        team: adopter.team.clone(),
        account: adopter.account.clone(),
        spec: spec_of(seen, adopter.region.clone()),
        status,
        provider_status: Some(seen.status.clone()),
        generation: 1,
        version: 1,
        sequence: 1,
        operation: adopter.operation,
        eci_cache_id: Some(seen.eci_cache_id.clone()),
        container_group_id: seen.container_group_id.clone(),
        snapshot_id: seen.snapshot_id.clone(),
        flash_snapshot_id: seen.flash_snapshot_id.clone(),
        progress_percent: seen.progress_percent,
        failure: failed.then(|| failure_of(&seen.events)),
        created_at: seen.created_at.unwrap_or(now).min(now),
        updated_at: now,
        ready_at: (status == Status::Ready).then(|| ready_at(seen, now)),
        expires_at: seen.expires_at,
        evidence,
        last_matched_at: seen.last_matched_at,
        provider: Some(seen.raw.clone()),
        misses: 0,
        reconciled: Reconciled::default(),
        poll_bucket: None,
    }
}

/// The cloud does not say when it became usable: its newest event is the closest estimate.
fn ready_at(seen: &Observation, now: Instant) -> Instant {
    let newest = seen.events.iter().filter_map(|event| event.last_at).max();
    newest.or(seen.created_at).unwrap_or(now).min(now)
}

fn spec_of(seen: &Observation, region: Region) -> ImageCacheSpec {
    let name = if seen.name.is_empty() { seen.eci_cache_id.clone() } else { seen.name.clone() };
    ImageCacheSpec {
        size_gib: seen.size_gib,
        retention_days: retention_days(seen),
        flash: seen.flash_snapshot_id.is_some().then_some(true),
        tags: own_tags(seen),
        resource_group_id: seen.resource_group_id.clone(),
        elimination_strategy: seen.elimination_strategy.as_deref().and_then(EliminationStrategy::from_wire),
        // The cloud returns nothing else of what was asked for.
        ..ImageCacheSpec::bare(name, region, distinct(&seen.images))
    }
}

fn distinct(images: &[String]) -> Vec<String> {
    let first = |place: &usize| images.iter().position(|image| *image == images[*place]) == Some(*place);
    (0..images.len()).filter(first).map(|place| images[place].clone()).collect()
}

/// The tags without the cloud's own and the gateway's: nobody asked for those, and an update must not repeat them.
pub fn own_tags(seen: &Observation) -> BTreeMap<String, String> {
    let own = |key: &str| [GATEWAY_TAGS, "aliyun", "acs:"].iter().any(|prefix| key.starts_with(prefix));
    seen.tags.iter().filter(|(key, _)| !own(key)).cloned().collect()
}

/// The retention, only if it is a whole number of days: a later update of the retention leaves no trace to count from.
fn retention_days(seen: &Observation) -> Option<i32> {
    let life = seen.expires_at? - seen.created_at?;
    let even = chrono::Duration::days(life.num_days()) == life;
    i32::try_from(life.num_days()).ok().filter(|days| even && RETENTION_DAYS.contains(days))
}

#[cfg(test)]
mod tests;
