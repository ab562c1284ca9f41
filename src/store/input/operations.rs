//! Operations and creates to record.

use std::sync::Arc;

use uuid::Uuid;

use super::{NewKey, Waiter};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Uptime;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::operation::{Operation, Progress};

/// An operation to record.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// The operation itself.
    pub operation: Operation,
    /// Its registry logins, encrypted.
    pub credentials: Option<Vec<u8>>,
    /// The token of the lease under which it starts.
    pub lease_token: Uuid,
    /// The length of the lease in seconds, by the database's clock.
    pub lease_seconds: f64,
    /// A moment before the lease starts, by the machine's uptime.
    pub taken: Uptime,
    /// The audit entry of the request.
    pub audit: AuditEntry,
    /// The caller's idempotency key, if any.
    pub key: Option<NewKey>,
    /// For a create: the cloud account, if it has a row that must not be deleted.
    pub account: Option<String>,
    /// The first attempt, if it is recorded in the same transaction: the operation is then in doubt from the start.
    pub noted: Option<Progress>,
    /// For a create: the caller that must get the ids in this answer or never, so that they are owed from the start.
    pub waiter: Option<Arc<Waiter>>,
}

/// A whole create to record.
#[derive(Debug, Clone)]
pub struct NewCreate {
    /// The operation as it begins.
    pub new: NewOperation,
    /// The image cache as it starts.
    pub cache: ImageCache,
    /// Its first transition.
    pub first: Transition,
}
