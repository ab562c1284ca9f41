//! What was taken over, as callers see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::{PolicyRefusalView, StatusView};

/// The image caches that were adopted, or would be in a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AdoptionResult)]
pub struct AdoptionView {
    /// Whether this was a dry run, in which nothing is changed.
    pub dry_run: bool,
    /// The image caches that were adopted, or would be in a dry run. At most 100.
    pub adopted: Vec<AdoptedCacheView>,
    /// The image caches that match but were skipped. At most 100 are listed.
    pub skipped: Vec<SkippedCacheView>,
    /// Whether more image caches match than one request adopts. If so, repeat the request.
    pub has_more: bool,
}

/// An image cache that was adopted, or would be in a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AdoptedImageCache)]
pub struct AdoptedCacheView {
    /// The id of the resulting image cache, `ic_…`. Absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache_id: Option<String>,
    /// The cloud's id of the image cache, `imc-…`.
    pub eci_cache_id: String,
    /// The name of the image cache.
    pub name: String,
    /// The images in the image cache.
    pub images: Vec<String>,
    /// The status of the image cache.
    pub status: StatusView,
}

/// An image cache that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SkippedImageCache)]
pub struct SkippedCacheView {
    /// The cloud's id of the image cache, `imc-…`.
    pub eci_cache_id: String,
    /// Why the image cache was skipped: `already_managed` (a team of this gateway has it), `create_in_progress` (a
    /// create with that name has not ended: try again later), `policy_refused` (the team's policy does not allow it),
    /// `not_found`, `revived` (a team of this gateway had it, it was considered gone, and it is now active there
    /// again) or `being_removed` (a refused create left it behind and it is being removed: try again after 20
    /// minutes). New values may be added.
    pub reason: String,
    /// For `policy_refused`: everything that the policy refuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub refusals: Vec<PolicyRefusalView>,
}
