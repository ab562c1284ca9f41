//! `retention.*`: what is kept for how long.

use std::time::Duration;

use super::reader::Reader;

/// What may be set: the longest retry schedule is over within a week.
const DAYS: std::ops::RangeInclusive<u64> = 7..=3_650;

/// `retention.*`: what is kept for how long. The audit has its own rules, and is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// `retention.events_days`: events, and what is left of their deliveries.
    pub events: Duration,
    /// `retention.deliveries_days`: deliveries that are over.
    pub deliveries: Duration,
    /// `retention.image_caches_days`: image caches that have ended, their transitions and operations.
    pub image_caches: Duration,
    /// `retention.credentials_days`: keys that were revoked, endpoints that were deleted.
    pub credentials: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            // An endpoint that fails is switched off after five days: a month is time to notice and replay.
            events: days(30),
            deliveries: days(30),
            // A quarter, for whoever looks back at what was built; the audit has it for longer.
            image_caches: days(90),
            credentials: days(90),
        }
    }
}

impl RetentionConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let usual = Self::default();
        let mut read = |key, default: Duration| days(r.number(key, DAYS, default.as_secs() / 86_400));
        Self {
            events: read("retention.events_days", usual.events),
            deliveries: read("retention.deliveries_days", usual.deliveries),
            image_caches: read("retention.image_caches_days", usual.image_caches),
            credentials: read("retention.credentials_days", usual.credentials),
        }
    }
}

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}
