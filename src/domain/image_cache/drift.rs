//! What of an image cache was found to differ from what was asked for, as its row keeps it.
//!
//! Who finds it: `domain::reconcile`. What it does not do: compare.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::image_cache::spec::fields::ALL;

/// The field of a cache that was ready, and that the cloud shows as something else.
pub const STATUS: &str = "status";

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// As REST names it.
    pub field: String,
    /// What was asked for; empty where nothing is set.
    pub expected: Vec<String>,
    /// What the cloud shows; empty where nothing is set.
    pub seen: Vec<String>,
}

impl Drift {
    /// Whether it changes which instances the cache serves.
    pub fn is_of_content(&self) -> bool {
        self.field == STATUS || ALL.iter().any(|field| field.in_content && field.name == self.field)
    }
}

/// What comparing a row with the cloud has brought to light.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// What differs from what was asked for, changed past the gateway.
    pub drift: Vec<Drift>,
    /// The end of retention that consumers were warned of.
    pub expiry_told: Option<Instant>,
    /// When a failed cache was found to be no longer in the cloud. Its status stays `failed`.
    pub gone_at: Option<Instant>,
}

impl Reconciled {
    /// Whether what it holds is no longer what was asked for.
    pub fn content_drifted(&self) -> bool {
        self.drift.iter().any(Drift::is_of_content)
    }

    /// Whether the cloud shows it in a status in which no instance can use it.
    pub fn is_unusable(&self) -> bool {
        self.drift.iter().any(|drift| drift.field == STATUS)
    }
}
