//! Intents to record.

use std::sync::Arc;

use uuid::Uuid;

use super::{NewKey, Waiter};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Uptime;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::operation::{Operation, Progress};

/// An intent to record.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// The intent.
    pub operation: Operation,
    /// Registry logins, encrypted.
    pub credentials: Option<Vec<u8>>,
    /// Who holds it while it runs.
    pub lease_token: Uuid,
    /// For how long, in seconds by the database's clock.
    pub lease_seconds: f64,
    /// A moment before the lease begins, by the machine's uptime.
    pub taken: Uptime,
    /// What is kept of the request.
    pub audit: AuditEntry,
    /// The caller's key, if any.
    pub key: Option<NewKey>,
    /// Of a create: the cloud account, if it has a row that must stay.
    pub account: Option<String>,
    /// The first attempt, where it is noted in the same transaction: the operation is in doubt from its beginning on.
    pub noted: Option<Progress>,
    /// Of a create: who is told the ids now or never, so that they are owed from its beginning on.
    pub waiter: Option<Arc<Waiter>>,
}

/// A create to record, whole.
#[derive(Debug, Clone)]
pub struct NewCreate {
    /// The intent.
    pub new: NewOperation,
    /// The image cache as it begins.
    pub cache: ImageCache,
    /// Its first transition.
    pub first: Transition,
}
