//! Parts of transactions that more than one of them needs: writes, locks and claims, each within the caller's
//! transaction.

pub(super) mod audit_entries;
pub(super) mod changes;
pub(super) mod dispatch;
pub(super) mod events;
pub(super) mod holds;
pub(super) mod idempotency;
pub(super) mod makers;
pub(super) mod operations;
pub(super) mod owed_answers;
pub(super) mod platform_events;
pub(super) mod quota;
pub(super) mod revisit_wake;
pub(super) mod tracker_wake;
