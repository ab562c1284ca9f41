//! Why an image cache moved, in the words that stand in its transitions and events.

/// Its retention had ended.
pub const RETENTION_ENDED: &str = "retention_ended";
/// The cloud made room at the quota.
pub const EVICTED: &str = "evicted_at_quota";
/// The cloud drops what failed.
pub const DROPPED: &str = "dropped_after_failure";
/// Nothing of that: somebody removed it past the gateway.
pub const DELETED_ELSEWHERE: &str = "deleted_elsewhere";
/// It had ended, and goes on: the cloud shows it.
pub const SHOWN_AGAIN: &str = "shown_again";
