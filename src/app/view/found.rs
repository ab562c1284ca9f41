//! Caches of the cloud that no team has, as callers see them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::FoundCache;

/// An image cache in a cloud account that the gateway does not manage. Adopt it, or delete it with the tool that
/// created it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FoundImageCache)]
pub struct FoundCacheView {
    /// The cloud's id of the image cache, `imc-…`.
    pub eci_cache_id: String,
    /// The cloud account.
    pub cloud_account: String,
    /// The region.
    pub region: String,
    /// The name of the image cache.
    pub name: String,
    /// The images in the image cache.
    pub images: Vec<String>,
    /// The size of the image cache in GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size_gib: Option<i32>,
    /// The cloud's own name for the status when the image cache was found.
    pub provider_status: String,
    /// When the image cache was created, according to the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When the gateway found the image cache.
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
