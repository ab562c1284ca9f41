//! What the automatic matching would take, as callers see it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::StatusView;
use crate::domain::matching::{Candidate, NearMiss};

/// The result of the automatic matching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchResult)]
pub struct MatchView {
    /// The image cache that would be selected, `ic_…`. Absent if none would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub winner_id: Option<String>,
    /// Usable image caches of the region that contain at least one of the repositories, best first. At most 100.
    pub candidates: Vec<MatchCandidateView>,
    /// For each image that the selected image cache does not contain exactly: the image caches that nearly contain
    /// it, nearest first. At most 5 for each image.
    pub near_misses: Vec<NearMissView>,
    /// The annotations to paste into the pod.
    pub annotations: MatchAnnotationsView,
}

/// An image cache that the matching considers, with its score for each criterion, in the order in which the criteria
/// apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchCandidate)]
pub struct MatchCandidateView {
    /// The id of the image cache, `ic_…`.
    pub image_cache_id: String,
    /// The cloud's id of the image cache, `imc-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eci_cache_id: Option<String>,
    /// The name of the image cache.
    pub name: String,
    /// Whether it would be selected if it were the only candidate: it fits, and enough images match exactly.
    pub eligible: bool,
    /// Whether the image cache fits the ephemeral storage.
    pub fits: bool,
    /// The number of images that it contains exactly: same registry, same repository, and same tag or digest.
    pub exact_matches: i32,
    /// The number of images whose repository it contains, including the exact matches.
    pub repository_matches: i32,
    /// The ephemeral storage minus the size of the image cache, in GiB. The closer to 0, the better; negative if it
    /// does not fit.
    pub size_difference_gib: i32,
    /// When the image cache was created. If everything else is equal, the newer one is selected.
    pub created_at: DateTime<Utc>,
}

/// An image, and an image cache that nearly contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NearMiss)]
pub struct NearMissView {
    /// The requested image in its full form: `nginx` is `docker.io/library/nginx:latest`.
    pub image: String,
    /// The id of the image cache, `ic_…`.
    pub image_cache_id: String,
    /// The name of the image cache.
    pub name: String,
    /// The region of the image cache.
    pub region: String,
    /// The status of the image cache.
    pub status: StatusView,
    /// The size of the image cache in GiB.
    pub size_gib: i32,
    /// The image that the image cache contains, in its full form.
    pub held_image: String,
    /// Everything that prevents a match: `not_ready`, `too_large`, `other_tag`, `other_digest`, `other_registry_host`
    /// or `other_region`. New values may be added.
    pub reasons: Vec<String>,
    /// What would make it match.
    pub advice: String,
}

/// Pod annotations for a set of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MatchAnnotations)]
pub struct MatchAnnotationsView {
    /// The annotations that pin the selected image cache. Absent if none would be selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pin: Option<AnnotationsView>,
    /// The annotations that leave the choice to the automatic matching, which also considers image caches of the
    /// cloud account that do not belong to the team.
    pub automatic: AnnotationsView,
}

/// The same annotations in both spellings. Use one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Annotations)]
pub struct AnnotationsView {
    /// The annotations in the current spelling.
    pub current: BTreeMap<String, String>,
    /// The annotations in the spelling that older clusters understand.
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
