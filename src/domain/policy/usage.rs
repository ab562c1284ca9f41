//! What a team has, as quotas count it: the image caches that the cloud may be building or keeping, and the builds of
//! this month. Failed caches, and those that are being removed, do not count.

use super::money::Money;
use super::price::Prices;
use super::shape::Shape;
use crate::domain::region::Region;

/// What a team has, counted by `store`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Shapes, and how many caches have each. A cache that is being updated counts with the larger of its old and new
    /// shapes.
    pub shapes: Vec<(Shape, i64)>,
    /// Builds started since the month began (UTC), by region.
    pub builds: Vec<(Region, i64)>,
}

/// The usage of a team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of image caches.
    pub image_caches: i64,
    /// The total size of these image caches in GiB.
    pub total_gib: i64,
    /// What these caches cost per month, plus the builds of this month.
    pub month: Money,
}

impl Holdings {
    /// The usage at these prices.
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
    /// The usage with a new cache, or with a cache whose shape was `before`; `build` is the cost of its build.
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
