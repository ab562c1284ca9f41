//! Pieces of transactions: what more than one of them writes, holds or claims, each in the transaction of whoever calls
//! it.

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
pub(super) mod tracker_wake;
