//! The properties of an image cache that determine its cost.

use crate::domain::image_cache::spec::DEFAULT_SIZE_GIB;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::region::Region;

/// The properties that determine the cost of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The region, as quotas may hold for one.
    pub region: Region,
    /// The size in GiB.
    pub size_gib: i32,
    /// The number of standard snapshots.
    pub standard_copies: i32,
    /// The number of local snapshots; 0 without Flash.
    pub flash_copies: i32,
}

impl Shape {
    /// The shape of a cache of that spec.
    pub fn of(spec: &ImageCacheSpec) -> Self {
        let flash = spec.flash.unwrap_or(false) || spec.flash_copy_count.is_some();
        Self {
            region: spec.region.clone(),
            size_gib: spec.size_gib.unwrap_or(DEFAULT_SIZE_GIB),
            standard_copies: spec.standard_copy_count.unwrap_or(1),
            flash_copies: if flash { spec.flash_copy_count.unwrap_or(1) } else { 0 },
        }
    }
}
