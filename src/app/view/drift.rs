//! What of an image cache was changed past the gateway, as callers see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::image_cache::drift::Drift;

/// A field of an image cache that was changed outside the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Drift)]
pub struct DriftView {
    /// The field: `status` (the image cache was ready, and the cloud shows another status), `name`, `images`,
    /// `size_gib`, `expires_at`, `tags`, `resource_group_id` or `elimination_strategy`.
    pub field: String,
    /// The value that was requested. Empty if none is set.
    pub expected: Vec<String>,
    /// The value that the cloud shows. Empty if none is set.
    pub seen: Vec<String>,
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self { field: drift.field, expected: drift.expected, seen: drift.seen }
    }
}
