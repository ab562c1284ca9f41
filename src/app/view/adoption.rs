//! What was taken over, as callers see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::{PolicyRefusalView, StatusView};

/// What was taken over, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AdoptionResult)]
pub struct AdoptionView {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What was taken over; in a dry run, what would be. At most 100.
    pub adopted: Vec<AdoptedCacheView>,
    /// What fits and was left alone; at most 100 are shown.
    pub skipped: Vec<SkippedCacheView>,
    /// Whether more fits than one request takes over: repeat it.
    pub has_more: bool,
}

/// One image cache that was taken over, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AdoptedImageCache)]
pub struct AdoptedCacheView {
    /// The image cache that it became, `ic_…`; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache_id: Option<String>,
    /// The cloud's id, imc-….
    pub eci_cache_id: String,
    /// Its name.
    pub name: String,
    /// The images in it.
    pub images: Vec<String>,
    /// Where it stands.
    pub status: StatusView,
}

/// One image cache that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SkippedImageCache)]
pub struct SkippedCacheView {
    /// The cloud's id, imc-….
    pub eci_cache_id: String,
    /// Why: `already_managed` (by some team of this gateway), `create_in_progress` (a create of that name has not
    /// ended: try again later), `policy_refused` (the team may not have it), `not_found`, `revived` (some team of this
    /// gateway had it, it had counted as gone, and goes on there) or `being_removed` (a create that was refused left it
    /// behind, and its removal is under way: try again after 20 minutes). New words may appear.
    pub reason: String,
    /// For `policy_refused`: everything that the policy refuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub refusals: Vec<PolicyRefusalView>,
}
