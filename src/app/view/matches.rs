//! What the automatic matching would take, as callers see it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::StatusView;
use crate::domain::matching::{Candidate, NearMiss};

/// What the automatic matching would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchResult)]
pub struct MatchView {
    /// The image cache that would be taken, `ic_…`; absent where none would.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub winner_id: Option<String>,
    /// Usable image caches of the region that hold at least one of the repositories, the best first; at most 100.
    pub candidates: Vec<MatchCandidateView>,
    /// For each image that the winner does not hold exactly: the image caches that nearly do, the nearest first; at
    /// most 5 for each image.
    pub near_misses: Vec<NearMissView>,
    /// What to paste into the pod.
    pub annotations: MatchAnnotationsView,
}

/// One image cache that the matching weighs, with its score per criterion, in the order in which they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchCandidate)]
pub struct MatchCandidateView {
    /// The image cache, `ic_…`.
    pub image_cache_id: String,
    /// The cloud's id, imc-….
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eci_cache_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it would be taken if it were the only one: it fits, and enough images match exactly.
    pub eligible: bool,
    /// Whether it fits the ephemeral storage.
    pub fits: bool,
    /// How many of the images it holds exactly: registry, repository, and tag or digest.
    pub exact_matches: i32,
    /// Of how many of the images it holds the repository; the exact ones among them.
    pub repository_matches: i32,
    /// The ephemeral storage less its size, in GiB: the closer to 0 the better; below 0 where it does not fit.
    pub size_difference_gib: i32,
    /// When it was made: the newer wins where all else is equal.
    pub created_at: DateTime<Utc>,
}

/// One image, and one image cache that nearly holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NearMiss)]
pub struct NearMissView {
    /// The image that is wanted, in full: `nginx` is `docker.io/library/nginx:latest`.
    pub image: String,
    /// The image cache, `ic_…`.
    pub image_cache_id: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Where it stands.
    pub status: StatusView,
    /// Its size in GiB.
    pub size_gib: i32,
    /// What it holds, in full.
    pub held_image: String,
    /// All that is in the way: `not_ready`, `too_large`, `other_tag`, `other_digest`, `other_registry_host` or
    /// `other_region`. New words may appear.
    pub reasons: Vec<String>,
    /// What would make it hit.
    pub advice: String,
}

/// Pod annotations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchAnnotations)]
pub struct MatchAnnotationsView {
    /// Pins the winner; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pin: Option<AnnotationsView>,
    /// Leaves the choice to the automatic matching, which also sees image caches of the cloud account that are not the
    /// team's.
    pub automatic: AnnotationsView,
}

/// The same annotations in both spellings; use one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Annotations)]
pub struct AnnotationsView {
    /// As they are written today.
    pub current: BTreeMap<String, String>,
    /// As older clusters know them.
    pub older: BTreeMap<String, String>,
}

impl AnnotationsView {
    /// Both spellings of one annotation.
    fn of(current: &str, older: &str, value: &str) -> Self {
        let one = |name: &str| BTreeMap::from([(format!("k8s.aliyun.com/{name}"), value.to_owned())]);
        Self { current: one(current), older: one(older) }
    }
}

impl MatchAnnotationsView {
    /// The annotations for the winner with this id of the cloud's.
    pub fn of(winner: Option<&str>) -> Self {
        Self {
            pin: winner.map(|id| AnnotationsView::of("eci-imc-id", "eci-image-snapshot-id", id)),
            automatic: AnnotationsView::of("eci-auto-imc", "eci-image-cache", "true"),
        }
    }
}

impl From<&Candidate<'_>> for MatchCandidateView {
    fn from(candidate: &Candidate<'_>) -> Self {
        let cache = candidate.cache;
        Self {
            image_cache_id: cache.id.to_string(),
            eci_cache_id: cache.eci_cache_id.clone(),
            name: cache.name.clone(),
            eligible: candidate.can_win(),
            fits: candidate.fits,
            exact_matches: count(candidate.degree.exact),
            repository_matches: count(candidate.degree.repository),
            size_difference_gib: candidate.size_difference_gib,
            created_at: cache.created_at,
        }
    }
}

impl From<&NearMiss<'_>> for NearMissView {
    fn from(miss: &NearMiss<'_>) -> Self {
        Self {
            image: miss.image.to_string(),
            image_cache_id: miss.cache.id.to_string(),
            name: miss.cache.name.clone(),
            region: miss.cache.region.to_string(),
            status: miss.cache.status.into(),
            size_gib: miss.cache.size_gib,
            held_image: miss.held.to_string(),
            reasons: miss.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            advice: miss.advice.clone(),
        }
    }
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
