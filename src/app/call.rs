//! What every call carries besides its own input.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Origin, Provenance, Recognized};

/// One request: where it came from, when, and whether its audit entry is already written.
#[derive(Clone)]
pub struct Call {
    /// The API, request id and address.
    pub origin: Origin,
    /// When it arrived, by the gateway's clock.
    pub arrived_at: Instant,
    audited: Arc<AtomicBool>,
    /// Whether the commit of the change, with its entry, is still to come.
    deferred: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    provenance: Arc<OnceLock<Provenance>>,
    noted: Arc<Mutex<BTreeMap<String, String>>>,
    recognized: Arc<OnceLock<Recognized>>,
    left: CancellationToken,
}

impl Call {
    /// A request that has just arrived.
    pub fn new(origin: Origin, arrived_at: Instant) -> Self {
        let (audited, asked, noted, provenance) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let (recognized, left, deferred) = (Arc::default(), CancellationToken::new(), Arc::default());
        Self { origin, arrived_at, audited, deferred, asked, provenance, noted, recognized, left }
    }

    /// One item of this request, which has parameters and an audit entry of its own.
    pub fn item(&self, parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        let item = Self { audited: Arc::default(), asked: Arc::default(), noted: Arc::default(), ..self.clone() };
        item.asks(parameters);
        item
    }

    /// Adds parameters as they were sent. What the audit keeps of them is decided when an entry is written.
    pub fn asks(&self, parameters: impl IntoIterator<Item = (String, String)>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(parameters);
    }

    /// Adds what the gateway itself found out. It goes into the audit entry unchanged, and takes precedence over a
    /// parameter of the same name.
    pub fn notes(&self, found: impl IntoIterator<Item = (String, String)>) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// What the gateway itself found out.
    pub(super) fn noted(&self) -> BTreeMap<String, String> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parameters that were added.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records why the caller's token was accepted, for the audit.
    pub fn comes_by(&self, provenance: &Provenance) {
        // A call has one caller.
        let _first = self.provenance.set(provenance.clone());
    }

    /// Why the caller's token was accepted.
    pub(super) fn provenance(&self) -> Option<&Provenance> {
        self.provenance.get()
    }

    /// Records the owner of the credential once that is certain, so that the audit names the owner even if the request
    /// is refused.
    pub(super) fn recognize(&self, whose: Recognized) {
        // The first owner stays.
        let _earlier = self.recognized.set(whose);
    }

    /// The owner of the credential, if it was recognized.
    pub fn recognized(&self) -> Option<&Recognized> {
        self.recognized.get()
    }

    /// Records that the entry was written together with the change that it describes.
    pub fn set_audited(&self) {
        self.audited.store(true, Ordering::Release);
    }

    /// What [`Call::set_audited`] says counts only after [`Call::set_committed`]: until then the change may be rolled
    /// back, and its entry with it.
    pub(super) fn defer_audited(&self) {
        self.deferred.store(true, Ordering::Release);
    }

    /// The change that was put off is committed.
    pub(super) fn set_committed(&self) {
        self.deferred.store(false, Ordering::Release);
    }

    /// Cancelled once nobody waits for the answer any more: a change continues anyway, a wait ends.
    pub fn left(&self) -> &CancellationToken {
        &self.left
    }

    /// Whether the entry is written. If not, the API's wrapper writes it before the answer is sent.
    pub fn is_audited(&self) -> bool {
        self.audited.load(Ordering::Acquire) && !self.deferred.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The parameters may contain secrets.
        f.debug_struct("Call")
            .field("origin", &self.origin)
            .field("arrived_at", &self.arrived_at)
            .finish_non_exhaustive()
    }
}
