//! The gateway itself: what every method works with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Error;
use super::admission::Admission;
use super::audit::sealer::SealingWatch;
use super::cloud_accounts::budget::CallBuckets;
use super::cloud_accounts::clients::Accounts;
use super::events::event_hub::EventHub;
use super::events::stream::Streams;
use super::identity::authentication::Credentials;
use super::image_caches::renderer::Renderer;
use super::platform::policy::Disabled;
use super::settings::Settings;
use super::signals::Signals;
use super::upkeep::Ahead;
use super::upkeep::horizon::Horizon;
use super::upkeep::supervision::Supervision;
use super::webhooks::deliverer::Dispatcher;
use crate::auth::own::OwnTokens;
use crate::auth::verify::Verifier;
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::fingerprint::Fingerprint;
use crate::crypto::seal::Sealer;
use crate::domain::clock::{Clock, Instant, Uptime};
use crate::domain::entropy::Entropy;
use crate::domain::ids::{self, AuditId, CacheId};
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::poll::bucket::Buckets;
use crate::eci::Client;
use crate::store::{self, Dispatched, Outlet, Store};
use crate::webhook::sender::Sender;

/// What a gateway is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The cloud, with the account of the settings; the others are reached in the same way.
    pub cloud: Client,
    /// Who calls.
    pub verifier: Verifier,
    /// Issues tokens of our own, and reads them.
    pub own_tokens: OwnTokens,
    /// Encrypts what is secret.
    pub sealer: Sealer,
    /// Signs, stamps and recognizes what is of the audit.
    pub audit: AuditKeys,
    /// Makes keyed hashes.
    pub fingerprint: Fingerprint,
    /// Sends webhooks, where the operator lets them go.
    pub sender: Sender,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<Entropy>,
    /// What the operator set.
    pub settings: Settings,
}

/// The gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    signals: Signals,
    event_hub: Arc<EventHub>,
    streams: Streams,
    credentials: Credentials,
    tasks: TaskTracker,
    leaving: CancellationToken,
    buckets: Mutex<Buckets>,
    accounts: Mutex<Accounts>,
    call_buckets: tokio::sync::Mutex<CallBuckets>,
    outlet: Arc<Outlet>,
    inbox: tokio::sync::Mutex<mpsc::UnboundedReceiver<Dispatched>>,
    dispatcher: Dispatcher,
    disabled: Disabled,
    admission: Arc<Admission>,
    renderer: Renderer,
    supervision: Supervision,
    horizon: Horizon,
    sealing: SealingWatch,
    ahead: Ahead,
    /// Whether it serves and works.
    begun: watch::Sender<bool>,
}

impl Gateway {
    /// A gateway of these parts.
    pub fn new(parts: Parts) -> Self {
        let (to, inbox) = mpsc::unbounded_channel();
        let event_hub = Arc::<EventHub>::default();
        let admission = Arc::new(Admission::new(&parts.settings.limits));
        Self(Arc::new(Inner {
            parts,
            signals: Signals::new(Arc::clone(&event_hub)),
            event_hub,
            streams: Streams::default(),
            credentials: Credentials::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            buckets: Mutex::default(),
            accounts: Mutex::default(),
            call_buckets: tokio::sync::Mutex::default(),
            outlet: Arc::new(Outlet { to, look: Notify::new() }),
            inbox: tokio::sync::Mutex::new(inbox),
            dispatcher: Dispatcher::default(),
            disabled: Disabled::default(),
            admission,
            renderer: Renderer::default(),
            supervision: Supervision::default(),
            horizon: Horizon::default(),
            sealing: SealingWatch::default(),
            ahead: Ahead::default(),
            begun: watch::Sender::new(true),
        }))
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.parts.clock
    }

    /// How long the machine has been up: what leases and ages in memory go by.
    pub(super) fn uptime(&self) -> Uptime {
        self.clock().uptime()
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

    /// Closes the database after the work in hand.
    pub async fn close(&self) {
        self.store().close().await;
    }

    /// Brings the database to the form that this binary needs; only `dev` does this by itself.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(self.store().migrate().await?)
    }

    /// Whether it serves and works.
    pub(super) fn beginning(&self) -> &watch::Sender<bool> {
        &self.0.begun
    }

    /// Where deliveries come out that a commit hands over.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.0.outlet
    }

    /// The other end of it: whoever holds it is the deliverer of this process.
    pub(super) fn inbox(&self) -> &tokio::sync::Mutex<mpsc::UnboundedReceiver<Dispatched>> {
        &self.0.inbox
    }

    /// Whether, and for whom, this process's deliverer takes what is handed over.
    pub(super) fn dispatcher(&self) -> &Dispatcher {
        &self.0.dispatcher
    }

    /// What came of the last sealing of this process.
    pub(super) fn sealing_watch(&self) -> &SealingWatch {
        &self.0.sealing
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    pub(super) fn now(&self) -> Instant {
        self.0.parts.clock.now()
    }

    pub(super) fn entropy(&self) -> &Entropy {
        &self.0.parts.entropy
    }

    pub(super) fn uuid(&self) -> Uuid {
        ids::uuid_v7(self.now(), self.entropy())
    }

    pub(super) fn audit_id(&self) -> AuditId {
        AuditId::new(self.now(), self.entropy())
    }

    /// Who waits for what.
    pub(super) fn event_hub(&self) -> &EventHub {
        &self.0.event_hub
    }

    /// What is known of credentials.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// The bucket that a new cache is tagged with; none where its team's tags leave no room.
    pub(super) fn bucket_of(&self, id: CacheId, spec: &ImageCacheSpec) -> Option<String> {
        let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // The random half of the first member's id names a bucket. It tells nothing of the team.
        buckets.place(spec, self.now(), id.uuid().as_u64_pair().1)
    }

    /// The teams whose requests are refused, as last read.
    pub(super) fn disabled(&self) -> &Disabled {
        &self.0.disabled
    }

    /// Who is worked for, and who waits for that.
    pub(super) fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// What is remembered of renderings.
    pub(super) fn renderer(&self) -> &Renderer {
        &self.0.renderer
    }

    /// How the tasks of this process fare.
    pub(super) fn supervision(&self) -> &Supervision {
        &self.0.supervision
    }

    /// What was seen of the oldest transaction.
    pub(super) fn horizon(&self) -> &Horizon {
        &self.0.horizon
    }

    /// Whether rows may have times that lie ahead.
    pub(super) fn ahead(&self) -> &Ahead {
        &self.0.ahead
    }

    /// The calls that this process has drawn for changes, by account.
    pub(super) fn call_buckets(&self) -> &tokio::sync::Mutex<CallBuckets> {
        &self.0.call_buckets
    }

    /// What is known of the cloud accounts that were added.
    pub(super) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that goes on when its caller has left.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }
}

impl Error {
    /// The database cannot be asked.
    pub(super) fn database_away() -> Self {
        let detail = "the database cannot be used at the moment";
        Self::Unavailable { code: "database_unavailable", detail, retry_after_seconds: 2 }
    }

    /// Nobody is served before database and keys were looked at.
    pub fn not_begun() -> Self {
        Self::database_away()
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if matches!(error, store::Error::Unreadable { .. }) {
            return Self::Unreadable(Box::new(error));
        }
        if !error.is_away() {
            return Self::Internal(Box::new(error));
        }
        // Told once, by the door: workers and requests log the code. The cause is for those who look closer.
        tracing::debug!(error = &error as &dyn std::error::Error, "the database is unavailable");
        Self::database_away()
    }
}
