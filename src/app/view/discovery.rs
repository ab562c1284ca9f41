//! What a client has to know before it can ask.

use serde::Serialize;
use utoipa::ToSchema;

/// A region of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Region)]
pub struct RegionView {
    /// The region id (`RegionId`).
    #[schema(example = "cn-hangzhou")]
    pub id: String,
    /// Whether the team may create image caches there.
    pub allowed: bool,
}

/// The regions that are known to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RegionList)]
pub struct RegionListView {
    /// The regions that the operator offers or the team's policy names, by id.
    pub items: Vec<RegionView>,
    /// Whether the team may also use regions that are not listed, because neither the operator nor the policy limits
    /// them.
    pub others_allowed: bool,
}
