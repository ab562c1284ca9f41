//! What is written of one step of an image cache, and of the end of an operation.

use uuid::Uuid;

use super::{NewEvent, OwedAnswer};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::failure::CloudError;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::operation::{OperationKind, OperationState};

/// A step to write.
#[derive(Debug, Clone)]
pub struct CacheWrite {
    /// The row as it shall be; its `version` is the one that it must still have.
    pub next: ImageCache,
    /// The transition, where the status moved.
    pub transition: Option<Transition>,
    /// The event, where there is one to tell.
    pub event: Option<NewEvent>,
    /// What is kept of it; a mere look that found a new progress is not worth an entry.
    pub audit: Option<AuditEntry>,
}

impl CacheWrite {
    /// To be called once its transaction is committed: hands its deliveries over, and wakes who must look for them.
    pub(in crate::store) fn committed(&self) {
        if let Some(event) = &self.event {
            event.dispatch.committed();
        }
    }
}

/// How an operation ended.
#[derive(Debug)]
pub struct Settlement {
    /// Which.
    pub operation: OperationId,
    /// Of which kind.
    pub kind: OperationKind,
    /// Whoever settles it must hold it.
    pub lease_token: Uuid,
    /// Succeeded or refused.
    pub state: OperationState,
    /// Why the cloud refused.
    pub error: Option<CloudError>,
    /// The cloud's RequestId of the deciding call.
    pub provider_request_id: Option<String>,
    /// When.
    pub at: Instant,
    /// What a request with the same idempotency key is told; none where no key stands for it.
    pub answer: Option<serde_json::Value>,
    /// What it means for the image cache.
    pub write: CacheWrite,
    /// When the tracker shall look; none if there is nothing to follow.
    pub look_at: Option<Instant>,
    /// Until when a copy of an earlier attempt may still be carried out.
    pub unsettled_until: Option<Instant>,
    /// What is owed to the create's caller from now on.
    pub owed: OwedAnswer,
}
