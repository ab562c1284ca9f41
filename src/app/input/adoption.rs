//! Which caches that exist in the cloud a team adopts.

use crate::domain::reconcile::adoption::AdoptionFilter;
use crate::domain::region::Region;

/// Which unmanaged caches to adopt into the caller's team.
#[derive(Debug, Clone)]
pub struct AdoptionOrder {
    /// The cloud account that holds them; `None` means the account that the team creates in.
    pub account: Option<String>,
    /// The region that holds them.
    pub region: Region,
    /// One cache, or a filter.
    pub target: AdoptionTarget,
    /// Whether to report what would be done without doing it.
    pub dry_run: bool,
}

/// The caches to adopt: one by its id, or all that match a filter.
#[derive(Debug, Clone)]
pub enum AdoptionTarget {
    /// The cache with this cloud id, `imc-…`.
    Id(String),
    /// All caches that match the filter; an empty filter matches all.
    Filter(AdoptionFilter),
}
