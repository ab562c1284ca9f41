//! What every room of `app` works with: the database, the time, randomness, settings, and the tasks of this process.
//!
//! What must stay true: it knows no subject. Whatever only one room needs is that room's own.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::GatewaySettings;
use super::event_hub::EventHub;
use crate::crypto::fingerprint::Fingerprint;
use crate::crypto::seal::Sealer;
use crate::domain::clock::{Clock, Instant, Uptime};
use crate::domain::entropy::Entropy;
use crate::domain::ids::{self, AuditId};
use crate::store::{Outlet, Store};
use dispatch::Dispatcher;
pub use signals::Signals;
use supervision::Supervision;
use time::Ahead;

pub(super) mod dispatch;
mod entries;
pub(super) mod lease;
mod signals;
pub mod supervision;
mod time;

/// What every room works with; cheap to clone.
#[derive(Debug, Clone)]
pub struct Base(Arc<BaseInner>);

#[derive(Debug)]
struct BaseInner {
    store: Store,
    sealer: Sealer,
    fingerprint: Fingerprint,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    settings: GatewaySettings,
    signals: Signals,
    supervision: Supervision,
    tasks: TaskTracker,
    leaving: CancellationToken,
    outlet: Arc<Outlet>,
    dispatcher: Dispatcher,
    ahead: Ahead,
    /// Whether it serves and works.
    begun: watch::Sender<bool>,
}

/// What a base is made of.
pub(super) struct BaseParts {
    pub(super) store: Store,
    pub(super) sealer: Sealer,
    pub(super) fingerprint: Fingerprint,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) settings: GatewaySettings,
    /// Who is woken by events.
    pub(super) hub: Arc<EventHub>,
    /// Where deliveries come out that a commit hands over.
    pub(super) outlet: Arc<Outlet>,
}

impl Base {
    pub(super) fn new(parts: BaseParts) -> Self {
        let BaseParts { store, sealer, fingerprint, clock, entropy, settings, hub, outlet } = parts;
        Self(Arc::new(BaseInner {
            store,
            sealer,
            fingerprint,
            clock,
            entropy,
            settings,
            signals: Signals::new(hub),
            supervision: Supervision::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            outlet,
            dispatcher: Dispatcher::default(),
            ahead: Ahead::default(),
            begun: watch::Sender::new(true),
        }))
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// How long the machine has been up: what leases and ages in memory go by.
    pub(super) fn uptime(&self) -> Uptime {
        self.clock().uptime()
    }

    pub(super) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Who can be woken.
    pub fn signals(&self) -> &Signals {
        &self.0.signals
    }

    /// A fresh request id.
    pub fn new_request_id(&self) -> String {
        format!("req_{}", self.uuid().simple())
    }

    /// Answers every waiting request with what is known now: this process is about to stop, and another one
    /// will take the next request.
    pub fn stop_waiting(&self) {
        self.0.leaving.cancel();
    }

    /// Whether this process is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.leaving.is_cancelled()
    }

    /// Fires once this process is about to stop.
    pub(super) fn leaving(&self) -> &CancellationToken {
        &self.0.leaving
    }

    /// Ends when every call that was begun has ended: for a clean shutdown.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Work that goes on when its caller has left.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Whether it serves and works.
    pub(super) fn beginning(&self) -> &watch::Sender<bool> {
        &self.0.begun
    }

    /// Wakes the deliverer of this process.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.0.outlet
    }

    /// Whether, and for whom, this process's deliverer takes what is handed over.
    pub(super) fn dispatcher(&self) -> &Dispatcher {
        &self.0.dispatcher
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn settings(&self) -> &GatewaySettings {
        &self.0.settings
    }

    /// Encrypts what is secret.
    pub(super) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Makes keyed hashes.
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.0.fingerprint
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    pub(super) fn uuid(&self) -> Uuid {
        ids::uuid_v7(self.now(), self.entropy())
    }

    pub(super) fn audit_id(&self) -> AuditId {
        AuditId::new(self.now(), self.entropy())
    }

    /// How the tasks of this process fare.
    pub(super) fn supervision(&self) -> &Supervision {
        &self.0.supervision
    }

    /// Whether rows may have times that lie ahead.
    pub(super) fn ahead(&self) -> &Ahead {
        &self.0.ahead
    }
}
