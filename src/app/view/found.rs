//! Caches of the cloud that no team has, as callers see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::FoundCache;

/// An image cache of a cloud account that the gateway does not know: adopt it, or remove it where it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FoundImageCache)]
pub struct FoundCacheView {
    /// The cloud's id, imc-….
    pub eci_cache_id: String,
    /// The cloud account.
    pub cloud_account: String,
    /// The region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// The images in it.
    pub images: Vec<String>,
    /// Its size in GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size_gib: Option<i32>,
    /// The cloud's own word for its status, when it was found.
    pub provider_status: String,
    /// When it was made, as the cloud says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When the gateway found it.
    pub found_at: DateTime<Utc>,
}

impl From<FoundCache> for FoundCacheView {
    fn from(found: FoundCache) -> Self {
        Self {
            eci_cache_id: found.eci_cache_id,
            cloud_account: found.account,
            region: found.region,
            name: found.name,
            images: found.images,
            size_gib: found.size_gib,
            provider_status: found.status,
            created_at: found.created_at,
            found_at: found.found_at,
        }
    }
}
