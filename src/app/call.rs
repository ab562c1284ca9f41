//! What every call of a door carries beside its own input.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

impl Call {
    /// A request that arrived just now.
    pub fn new(origin: Origin, arrived_at: Instant) -> Self {
        Self { origin, arrived_at, audited: Arc::new(AtomicBool::new(false)) }
    }

    /// Notes that the entry was written together with the change that it records.
    pub fn set_audited(&self) {
        self.audited.store(true, Ordering::Release);
    }

    /// Whether the entry is written: if not, the door's wrapper writes it before the answer leaves.
    pub fn is_audited(&self) -> bool {
        self.audited.load(Ordering::Acquire)
    }
}
