//! What every call of a door carries beside its own input.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::caller::Origin;
use crate::domain::clock::Instant;

/// One request: where it came from, when, and whether its audit entry is written already.
#[derive(Clone)]
pub struct Call {
    /// Where it came from.
    pub origin: Origin,
    /// When it arrived, by the gateway's clock.
    pub arrived_at: Instant,
    audited: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    left: CancellationToken,
}

impl Call {
    /// A request that arrived just now.
    pub fn new(origin: Origin, arrived_at: Instant) -> Self {
        let (audited, asked, left) = (Arc::default(), Arc::default(), CancellationToken::new());
        Self { origin, arrived_at, audited, asked, left }
    }

    /// Notes parameters, as they were sent; what of them the audit keeps is decided when an entry is written.
    pub fn asks(&self, parameters: impl IntoIterator<Item = (String, String)>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(parameters);
    }

    /// The parameters that were noted.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What was asked may hold secrets.
        f.debug_struct("Call")
            .field("origin", &self.origin)
            .field("arrived_at", &self.arrived_at)
            .finish_non_exhaustive()
    }
}
