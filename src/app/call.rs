//! What every call of a door carries beside its own input.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Origin, Provenance, Recognized};

/// One request: where it came from, when, and whether its audit entry is written already.
#[derive(Clone)]
pub struct Call {
    /// Where it came from.
    pub origin: Origin,
    /// When it arrived, by the gateway's clock.
    pub arrived_at: Instant,
    audited: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    provenance: Arc<OnceLock<Provenance>>,
    noted: Arc<Mutex<BTreeMap<String, String>>>,
    recognized: Arc<OnceLock<Recognized>>,
    left: CancellationToken,
}

impl Call {
    /// A request that arrived just now.
    pub fn new(origin: Origin, arrived_at: Instant) -> Self {
        let (audited, asked, noted, provenance) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let (recognized, left) = (Arc::default(), CancellationToken::new());
        Self { origin, arrived_at, audited, asked, provenance, noted, recognized, left }
    }

    /// Notes parameters, as they were sent; what of them the audit keeps is decided when an entry is written.
    pub fn asks(&self, parameters: impl IntoIterator<Item = (String, String)>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(parameters);
    }

    /// Notes what the gateway itself found out: it stands in the audit entry as it is, before a parameter of that name.
    pub fn notes(&self, found: impl IntoIterator<Item = (String, String)>) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// What the gateway itself found out.
    pub(super) fn noted(&self) -> BTreeMap<String, String> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parameters that were noted.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes by what the caller's token was accepted, for the audit.
    pub fn comes_by(&self, provenance: &Provenance) {
        // There is one caller of one call.
        let _first = self.provenance.set(provenance.clone());
    }

    /// By what the caller's token was accepted.
    pub(super) fn provenance(&self) -> Option<&Provenance> {
        self.provenance.get()
    }

    /// Notes whose the credential is, once that is beyond doubt: who is refused then is named in the audit.
    pub(super) fn recognize(&self, whose: Recognized) {
        // It does not become somebody else's.
        let _earlier = self.recognized.set(whose);
    }

    /// Whose the credential is, if it was recognized.
    pub fn recognized(&self) -> Option<&Recognized> {
        self.recognized.get()
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
