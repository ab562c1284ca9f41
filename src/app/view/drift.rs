//! What of an image cache was changed past the gateway, as callers see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::image_cache::drift::Drift;

/// One field of an image cache that was changed past the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Drift)]
pub struct DriftView {
    /// Which: `status` (it was ready, and the cloud shows it as something else), `name`, `images`, `size_gib`,
    /// `expires_at`, `tags`, `resource_group_id` or `elimination_strategy`.
    pub field: String,
    /// What was asked for; empty where nothing is set.
    pub expected: Vec<String>,
    /// What the cloud shows; empty where nothing is set.
    pub seen: Vec<String>,
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self { field: drift.field, expected: drift.expected, seen: drift.seen }
    }
}
