//! What every call of a door carries beside its own input.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::domain::caller::Origin;
use crate::domain::clock::Instant;

/// One request: where it came from, when, and whether its audit entry is written already.
#[derive(Debug, Clone)]
pub struct Call {
    /// Where it came from.
    pub origin: Origin,
    /// When it arrived, by the gateway's clock.
    pub arrived_at: Instant,
    audited: Arc<AtomicBool>,
    left: CancellationToken,
}

impl Call {
    /// A request that arrived just now.
    pub fn new(origin: Origin, arrived_at: Instant) -> Self {
        Self { origin, arrived_at, audited: Arc::new(AtomicBool::new(false)), left: CancellationToken::new() }
    }

    /// Notes that the entry was written together with the change that it records.
    pub fn set_audited(&self) {
        self.audited.store(true, Ordering::Release);
    }

    /// Fires once nobody waits for the answer any more: a change goes on all the same, a wait ends.
    pub fn left(&self) -> &CancellationToken {
        &self.left
    }

    /// Whether the entry is written: if not, the door's wrapper writes it before the answer leaves.
    pub fn is_audited(&self) -> bool {
        self.audited.load(Ordering::Acquire)
    }
}
