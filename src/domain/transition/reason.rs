//! Why an image cache changed: the reasons that its transitions and events give.

/// Its retention had ended.
pub const RETENTION_ENDED: &str = "retention_ended";
/// The cloud made room at the quota.
pub const EVICTED: &str = "evicted_at_quota";
/// The cloud dropped it because it had failed.
pub const DROPPED: &str = "dropped_after_failure";
/// None of these: somebody removed it outside the gateway.
pub const DELETED_ELSEWHERE: &str = "deleted_elsewhere";
/// It had ended and is active again, because the cloud lists it.
pub const SHOWN_AGAIN: &str = "shown_again";
