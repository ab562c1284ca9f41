//! `idempotency_keys`: one row for each key that refers to an operation.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::columns::table;
use crate::store::input::NewKey;

/// The table `idempotency_keys`, which is only written here.
pub(in crate::store) struct IdempotencyKeys;

/// The values that a row is written from.
pub(in crate::store) struct KeyToWrite<'a> {
    /// The team that owns the key: keys of two teams are never the same.
    pub(in crate::store) team: &'a TeamId,
    /// The key as its caller sent it, and the fingerprint of the request.
    pub(in crate::store) key: &'a NewKey,
    /// The operation that the key refers to.
    pub(in crate::store) operation: OperationId,
    /// When the key was first used.
    pub(in crate::store) at: Instant,
}

table! {
    impl IdempotencyKeys of "idempotency_keys" written from |new: KeyToWrite<'a>| {
        team: String = new.team.as_str(),
        action: String = new.key.action,
        key: String = new.key.key.as_str(),
        fingerprint: Vec<u8> = new.key.fingerprint.as_slice(),
        operation: Uuid = new.operation.uuid(),
        created_at: DateTime<Utc> = new.at,
    }
}
