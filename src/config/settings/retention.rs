//! What is kept for how long. The audit has its own rules, and is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::kinds::days;
use crate::config::section::section;

section! {
    /// What is kept for how long.
    RetentionConfig, "Retention";

    /// How long events are kept, and what is left of their deliveries (docs/retention.md). An endpoint that fails is
    /// switched off after five days: a month is time to notice and replay.
    events: Duration = days("retention.events_days", DAYS, 30);

    /// How long deliveries are kept that are over.
    deliveries: Duration = days("retention.deliveries_days", DAYS, 30);

    /// How long image caches are kept that have ended, with their transitions and operations: a quarter, for whoever
    /// looks back at what was built; the audit has it for longer.
    image_caches: Duration = days("retention.image_caches_days", DAYS, 90);

    /// How long keys that were revoked and endpoints that were deleted are kept.
    credentials: Duration = days("retention.credentials_days", DAYS, 90);
}

/// What may be set: the longest retry schedule is over within a week.
const DAYS: RangeInclusive<u64> = 7..=3_650;
