//! What a team has, as far as quotas count it: the image caches that the cloud may have at work or at rest, and the
//! builds of this month. Failed ones, and those that are being removed, do not count.

use super::Prices;
use super::money::Money;
use crate::domain::image_cache::content::DEFAULT_SIZE_GIB;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::region::Region;

/// What decides the cost of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Where.
    pub region: Region,
    /// Its size.
    pub size_gib: i32,
    /// Its standard snapshots.
    pub standard_copies: i32,
    /// Its local snapshots; 0 without Flash.
    pub flash_copies: i32,
}

/// What a team has, as `store` counts it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Shapes, and how many caches have each. Of one that is being updated the greater of old and new counts.
    pub shapes: Vec<(Shape, i64)>,
    /// Builds begun since the month began (UTC), by region.
    pub builds: Vec<(Region, i64)>,
}

/// What a team uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Image caches.
    pub image_caches: i64,
    /// GiB of them all together.
    pub total_gib: i64,
    /// What a month of them costs, and the builds of this month.
    pub month: Money,
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

impl Holdings {
    /// The sums, at these prices.
    pub fn usage(&self, prices: &Prices) -> Usage {
        let mut usage = Usage::default();
        for (shape, count) in &self.shapes {
            usage.image_caches += count;
            usage.total_gib += count * i64::from(shape.size_gib);
            usage.month = usage.month.plus(prices.month(shape).times(*count));
        }
        let builds = self.builds.iter().map(|(region, count)| prices.build(region).times(*count));
        usage.month = builds.fold(usage.month, Money::plus);
        usage
    }
}

impl Usage {
    /// With a new cache, or with one that was `before`; `build` is what its build costs.
    #[must_use]
    pub fn with(self, next: &Shape, before: Option<&Shape>, build: Money, prices: &Prices) -> Self {
        let old = before.map_or(Money::ZERO, |shape| prices.month(shape));
        Self {
            image_caches: self.image_caches + i64::from(before.is_none()),
            total_gib: self.total_gib + i64::from(next.size_gib) - before.map_or(0, |shape| i64::from(shape.size_gib)),
            month: self.month.less(old).plus(prices.month(next)).plus(build),
        }
    }
}
