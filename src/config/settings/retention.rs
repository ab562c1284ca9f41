//! How long data is retained. The audit is not subject to it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::kinds::days;
use crate::config::section::section;

section! {
    /// How long data is retained.
    RetentionConfig, "Retention";

    /// How long events and the rest of their deliveries are kept (docs/retention.md). A failing endpoint is disabled
    /// after five days: a month leaves time to notice and replay.
    events: Duration = days("retention.events_days", DAYS, 30);

    /// How long finished deliveries are kept.
    deliveries: Duration = days("retention.deliveries_days", DAYS, 30);

    /// How long image caches that have ended are kept, with their transitions and operations. The default is a
    /// quarter, to look back at what was built; the audit keeps it for longer.
    image_caches: Duration = days("retention.image_caches_days", DAYS, 90);

    /// How long revoked keys and deleted endpoints are kept.
    credentials: Duration = days("retention.credentials_days", DAYS, 90);
}

/// The allowed range: even the longest retry schedule ends within a week.
const DAYS: RangeInclusive<u64> = 7..=3_650;
