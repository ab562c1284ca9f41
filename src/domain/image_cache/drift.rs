//! The differences between an image cache and what was asked for, as its row stores them.
//!
//! `domain::reconcile` finds them; nothing is compared here.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::image_cache::spec::fields::ALL;

/// The field for a cache that was ready, and that the cloud reports in another status.
pub const STATUS: &str = "status";

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The name of the field in REST.
    pub field: String,
    /// What was asked for; empty if nothing is set.
    pub expected: Vec<String>,
    /// What the cloud reports; empty if nothing is set.
    pub seen: Vec<String>,
}

impl Drift {
    /// Whether it changes which instances the cache serves.
    pub fn is_of_content(&self) -> bool {
        self.field == STATUS || ALL.iter().any(|field| field.in_content && field.name == self.field)
    }
}

/// What the comparison of a row with the cloud has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The differences from what was asked for, changed outside the gateway.
    pub drift: Vec<Drift>,
    /// The end of retention for which a warning event was published.
    pub expiry_told: Option<Instant>,
    /// When a failed cache was found to be no longer in the cloud. Its status stays `failed`.
    pub gone_at: Option<Instant>,
}

impl Reconciled {
    /// Whether its content is no longer what was asked for.
    pub fn content_drifted(&self) -> bool {
        self.drift.iter().any(Drift::is_of_content)
    }

    /// Whether the cloud reports a status in which no instance can use it.
    pub fn is_unusable(&self) -> bool {
        self.drift.iter().any(|drift| drift.field == STATUS)
    }
}
