//! What to write for one change of an image cache, and for the end of an operation.

use uuid::Uuid;

use super::{NewEvent, OwedAnswer};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::failure::CloudError;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::operation::{OperationKind, OperationState};

/// A change of an image cache to write.
#[derive(Debug, Clone)]
pub struct CacheWrite {
    /// The new row; its `version` is the one that the stored row must still have.
    pub next: ImageCache,
    /// The transition, if the status changed.
    pub transition: Option<Transition>,
    /// The event, if there is one.
    pub event: Option<NewEvent>,
    /// The audit entry, if there is one; a poll that only found new progress gets none.
    pub audit: Option<AuditEntry>,
}

impl CacheWrite {
    /// To be called once the transaction is committed: dispatches the deliveries, and wakes whoever must look for them.
    pub(in crate::store) fn committed(&self) {
        if let Some(event) = &self.event {
            event.dispatch.committed();
        }
    }
}

/// How an operation ended.
#[derive(Debug)]
pub struct Settlement {
    /// The operation's id.
    pub operation: OperationId,
    /// The kind of operation.
    pub kind: OperationKind,
    /// The lease token: whoever settles the operation must hold it.
    pub lease_token: Uuid,
    /// The final state: succeeded or refused.
    pub state: OperationState,
    /// The cloud's error, if it refused.
    pub error: Option<CloudError>,
    /// The cloud's RequestId of the deciding call.
    pub provider_request_id: Option<String>,
    /// When the operation ended.
    pub at: Instant,
    /// The answer to a request with the same idempotency key; `None` if the operation has no key.
    pub answer: Option<serde_json::Value>,
    /// What it changes in the image cache.
    pub write: CacheWrite,
    /// When the tracker should poll; `None` if there is nothing to follow.
    pub look_at: Option<Instant>,
    /// The time until which a copy of an earlier attempt may still be carried out.
    pub unsettled_until: Option<Instant>,
    /// What the create's caller is owed from now on.
    pub owed: OwedAnswer,
}
