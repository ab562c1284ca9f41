//! What every service of `app` uses: the database, the time, random numbers, settings, and the tasks of this process.
//!
//! What must stay true: nothing here belongs to one subject. What only one service needs belongs to that service.

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

/// What every service uses; cheap to clone.
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
    /// Whether this gateway serves requests and works.
    begun: watch::Sender<bool>,
}

/// The parts that a base is built from.
pub(super) struct BaseParts {
    pub(super) store: Store,
    pub(super) sealer: Sealer,
    pub(super) fingerprint: Fingerprint,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) settings: GatewaySettings,
    /// The hub that wakes those who wait for events.
    pub(super) hub: Arc<EventHub>,
    /// Receives the deliveries that a commit dispatches.
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

    /// The source of the time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// How long the machine has been up; used for leases and for ages in memory.
    pub(super) fn uptime(&self) -> Uptime {
        self.clock().uptime()
    }

    pub(super) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The signals that wake workers and waiting requests.
    pub fn signals(&self) -> &Signals {
        &self.0.signals
    }

    /// A new request id.
    pub fn new_request_id(&self) -> String {
        format!("req_{}", self.uuid().simple())
    }

    /// Answers every waiting request with what is known now. Called when this process is about to stop, so that another
    /// one takes the next request.
    pub fn stop_waiting(&self) {
        self.0.leaving.cancel();
    }

    /// Whether this process is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.leaving.is_cancelled()
    }

    /// Cancelled once this process is about to stop.
    pub(super) fn leaving(&self) -> &CancellationToken {
        &self.0.leaving
    }

    /// Waits until every call in progress has ended, for a clean shutdown.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Runs work that continues after its caller has disconnected.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Whether this gateway serves requests and works.
    pub(super) fn beginning(&self) -> &watch::Sender<bool> {
        &self.0.begun
    }

    /// Wakes the deliverer of this process.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.0.outlet
    }

    /// Whether this process's deliverer accepts dispatched deliveries, and for which endpoints.
    pub(super) fn dispatcher(&self) -> &Dispatcher {
        &self.0.dispatcher
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn settings(&self) -> &GatewaySettings {
        &self.0.settings
    }

    /// What encrypts secrets before they are stored, with the current master key.
    pub(super) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Computes keyed hashes.
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

    /// Which tasks of this process are failing.
    pub(super) fn supervision(&self) -> &Supervision {
        &self.0.supervision
    }

    /// How far this process has checked rows for times in the future.
    pub(super) fn ahead(&self) -> &Ahead {
        &self.0.ahead
    }
}
