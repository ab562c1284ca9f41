//! The gateway: builds the services and gives access to them. Each service owns its state and names the services that
//! it needs.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::Error;
use super::admission::Admission;
use super::audit::Audit;
use super::base::{Base, BaseParts};
use super::cloud_accounts::CloudAccounts;
use super::event_hub::EventHub;
use super::events::Events;
use super::idempotency::Idempotency;
use super::identity::Identity;
use super::image_caches::ImageCaches;
use super::operations::Operations;
use super::platform::Platform;
use super::platform::policy::Policies;
use super::reconciler::Reconciler;
use super::settings::GatewaySettings;
use super::tracker::Tracker;
use super::transitions::Transitions;
use super::upkeep::Upkeep;
use super::vanishings::Vanishings;
use super::webhooks::Webhooks;
use super::webhooks::platform_events::PlatformEvents;
use crate::auth::own::OwnTokens;
use crate::auth::verify::Verifier;
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::fingerprint::Fingerprint;
use crate::crypto::seal::Sealer;
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::domain::problem::Code;
use crate::eci::Client;
use crate::store::{self, Outlet, Store};
use crate::webhook::sender::Sender;

/// The parts that a gateway is built from.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The cloud client for the account of the settings; the clients of other accounts are derived from it.
    pub cloud: Client,
    /// Verifies the tokens of identity providers.
    pub verifier: Verifier,
    /// Issues and reads the gateway's own tokens.
    pub own_tokens: OwnTokens,
    /// What encrypts secrets before they are stored, with the current master key.
    pub sealer: Sealer,
    /// The keys that sign, stamp and verify the audit log.
    pub audit: AuditKeys,
    /// Computes keyed hashes.
    pub fingerprint: Fingerprint,
    /// Sends webhooks, to the destinations that the operator allows.
    pub sender: Sender,
    /// The source of the time.
    pub clock: Arc<dyn Clock>,
    /// The source of random numbers.
    pub entropy: Arc<Entropy>,
    /// The settings that rooms of `app` read.
    pub settings: GatewaySettings,
}

/// The gateway; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Services>);

#[derive(Debug)]
struct Services {
    base: Base,
    admission: Admission,
    audit: Audit,
    cloud_accounts: CloudAccounts,
    events: Events,
    idempotency: Idempotency,
    identity: Identity,
    image_caches: ImageCaches,
    operations: Operations,
    platform: Platform,
    policies: Policies,
    reconciler: Reconciler,
    tracker: Tracker,
    upkeep: Upkeep,
    vanishings: Vanishings,
    webhooks: Webhooks,
}

impl Gateway {
    /// Builds a gateway. This is the one place where the services are put together, each after those that it needs.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, cloud, verifier, own_tokens, sealer, audit, fingerprint, sender, clock, entropy, settings } =
            parts;
        let (to, inbox) = mpsc::unbounded_channel();
        let (outlet, hub) = (Arc::new(Outlet { to, look: Notify::new() }), Arc::<EventHub>::default());
        let base_parts =
            BaseParts { store, sealer, fingerprint, clock, entropy, settings, hub: Arc::clone(&hub), outlet };
        let base = Base::new(base_parts);
        let admission = Admission::new(&base);
        let audit = Audit::new(&base, audit);
        let platform_events = PlatformEvents::new(&base);
        let transitions = Transitions::new(&base);
        let cloud_accounts = CloudAccounts::new(&base, &platform_events, cloud);
        let vanishings = Vanishings::new(&base, &cloud_accounts, &platform_events);
        let policies = Policies::new(&base, &cloud_accounts);
        let identity = Identity::new(&base, &policies, &platform_events, verifier, own_tokens);
        let events = Events::new(&base, &identity, hub);
        let webhooks = Webhooks::new(&base, &admission, sender, inbox);
        let operations = Operations::new(&base, &cloud_accounts, &vanishings, &transitions);
        let reconciler = Reconciler::new(&base, &cloud_accounts, &vanishings, &transitions);
        let image_caches = ImageCaches {
            base: base.clone(),
            operations: operations.clone(),
            cloud_accounts: cloud_accounts.clone(),
            policies: policies.clone(),
            events: events.clone(),
            transitions: transitions.clone(),
            reconciler: reconciler.clone(),
            renderer: Arc::default(),
        };
        let upkeep = Upkeep {
            base: base.clone(),
            audit: audit.clone(),
            cloud_accounts: cloud_accounts.clone(),
            identity: identity.clone(),
            image_caches: image_caches.clone(),
            operations: operations.clone(),
            vanishings: vanishings.clone(),
            webhooks: webhooks.clone(),
            horizon: Arc::default(),
            heartbeats: Arc::default(),
        };
        Self(Arc::new(Services {
            platform: Platform::new(&base, &cloud_accounts, &platform_events, &policies),
            tracker: Tracker::new(&base, &cloud_accounts, &vanishings, &transitions),
            admission,
            audit,
            cloud_accounts,
            events,
            idempotency: Idempotency::new(&base),
            identity,
            image_caches,
            operations,
            policies,
            reconciler,
            upkeep,
            vanishings,
            webhooks,
            base,
        }))
    }

    /// What every service uses: the time, wake-up signals, shutdown.
    pub fn base(&self) -> &Base {
        &self.0.base
    }

    /// Decides which requests may start.
    pub fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// The audit log: entries, exports, proofs, sealing.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Cloud accounts, their clients and budgets.
    pub fn cloud_accounts(&self) -> &CloudAccounts {
        &self.0.cloud_accounts
    }

    /// Reads of events.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Requests with an idempotency key.
    pub fn idempotency(&self) -> &Idempotency {
        &self.0.idempotency
    }

    /// Authentication, and the credentials behind it.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Image caches as callers see them.
    pub fn image_caches(&self) -> &ImageCaches {
        &self.0.image_caches
    }

    /// Carries out operations.
    pub fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// Teams, region profiles and the overview for the platform.
    pub fn platform(&self) -> &Platform {
        &self.0.platform
    }

    /// What each team may do.
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// Compares the cloud with the records.
    pub fn reconciler(&self) -> &Reconciler {
        &self.0.reconciler
    }

    /// Follows builds at the cloud.
    pub fn tracker(&self) -> &Tracker {
        &self.0.tracker
    }

    /// The janitor, readiness, and startup.
    pub fn upkeep(&self) -> &Upkeep {
        &self.0.upkeep
    }

    /// What the cloud no longer lists, and whether to believe it.
    pub fn vanishings(&self) -> &Vanishings {
        &self.0.vanishings
    }

    /// Webhook endpoints and deliveries.
    pub fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }

    /// Closes the database connections once the current work is done.
    pub async fn close(&self) {
        self.0.base.store().close().await;
    }

    /// Applies the migrations that this binary needs; only `dev` does so by itself.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(self.0.base.store().migrate().await?)
    }
}

impl Error {
    /// The error for a database that is unavailable.
    pub(super) fn database_away() -> Self {
        let detail = "the database is currently unavailable";
        Self::Unavailable { code: Code::DatabaseUnavailable, detail, retry_after_seconds: 2 }
    }

    /// The error for requests that arrive before the database and the keys were checked.
    pub fn not_begun() -> Self {
        Self::database_away()
    }
}

impl From<store::StoreError> for Error {
    fn from(error: store::StoreError) -> Self {
        if matches!(error, store::StoreError::Unreadable { .. }) {
            return Self::Unreadable(Box::new(error));
        }
        if !error.is_away() {
            return Self::Internal(Box::new(error));
        }
        // The API logs this once; workers and requests log the code. The cause is for whoever investigates.
        tracing::debug!(error = &error as &dyn std::error::Error, "the database is unavailable");
        Self::database_away()
    }
}
