//! `idempotency_keys`: one row for each key that stands for an operation.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::store::columns::table;
use crate::store::input::NewKey;

/// What is written of `idempotency_keys`.
pub(in crate::store) struct IdempotencyKeys;

/// What a row is written from.
pub(in crate::store) struct KeyToWrite<'a> {
    /// Whose key it is: keys of two teams are never the same.
    pub(in crate::store) team: &'a TeamId,
    /// As its caller gave it, and the fingerprint of what was asked with it.
    pub(in crate::store) key: &'a NewKey,
    /// What it stands for.
    pub(in crate::store) operation: OperationId,
    /// From when on.
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
