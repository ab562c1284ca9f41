//! What a test can change in its gateway.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::auth::jwks::{JwksSettings, KeySource};
use eci_cache_gateway::config::{ServeConfig, ServeKeys, WebhookConfig};
use eci_cache_gateway::crypto::master::MasterKey;
use eci_cache_gateway::domain::clock::{Clock, Instant, ManualClock};
use eci_cache_gateway::domain::identity::issuer::Issuer;
use eci_cache_gateway::domain::limits;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::limits::queue::Capacity;
use eci_cache_gateway::eci::{Credentials, Role};
use eci_cache_gateway::egress::Egress;
use eci_cache_gateway::http::links::Links;
use eci_cache_gateway::http::server::ConnectionLimits;
use eci_cache_gateway::sim::StandInKey;
use eci_cache_gateway::store::PoolSizes;
use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::lookup::Lookup;
use eci_cache_gateway::webhook::own_services::OwnService;
use eci_cache_gateway::webhook::sender::SenderSettings;
use eci_cache_gateway::{app, http};
use sqlx::postgres::PgConnectOptions;

use super::parts;
pub(crate) use super::settings::KEY;

/// The time at which every test begins.
pub(crate) const START: &str = "2026-03-01T08:00:00Z";

/// What a test can change in its gateway.
pub(crate) struct Setup {
    /// The addresses to which webhooks may be sent.
    pub(crate) policy: AddressPolicy,
    /// The resolver for host names of webhook endpoints, if not the system's.
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// The gateway's own services, to which no webhooks are sent.
    pub(crate) own: Vec<OwnService>,
    /// The limits of connections.
    pub(crate) limits: ConnectionLimits,
    /// The settings of the gateway.
    pub(crate) settings: app::GatewaySettings,
    /// The timeouts and sizes of a request.
    pub(crate) http: http::HttpSettings,
    /// The URLs under which clients reach it.
    pub(crate) links: Links,
    /// The URL of the cloud, if not the stand-in.
    pub(crate) cloud: Option<String>,
    /// The URL of the STS that identifies the account of a key, if not the stand-in.
    pub(crate) sts: Option<String>,
    /// How connections to the cloud are made.
    pub(crate) egress: Egress,
    /// The timeout of a call to the cloud.
    pub(crate) max_wait: Duration,
    /// The keys of the identity provider, as a JWKS document or its URL, if not the tests' own secret.
    pub(crate) jwks: Option<String>,
    /// Further issuers of tokens.
    pub(crate) issuers: Vec<Issuer>,
    /// The `iss` of the gateway's own tokens.
    pub(crate) own_issuer: &'static str,
    /// The initial time.
    pub(crate) start: Instant,
    /// The gateway's clock, if not the shared one.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    /// The master keys with their ids: the current and the previous one.
    pub(crate) master: (MasterBytes, Option<MasterBytes>),
    /// The access key for the cloud: its id and secret.
    pub(crate) key: CloudKey,
    /// The role that this key assumes, if any.
    pub(crate) role: Option<&'static str>,
    /// The numbers of database connections.
    pub(crate) sizes: PoolSizes,
    /// The database as its owner, if not one on the shared server.
    pub(crate) database: Option<PgConnectOptions>,
}

/// A URL where nothing listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";
/// A key of a cloud account: its id and secret.
pub(crate) type CloudKey = (&'static str, &'static str);
/// The key of the stand-in's second account.
pub(crate) const SECOND: CloudKey = ("second-key", "canary-second-secret-7a10");
/// The key that replaces it.
pub(crate) const SECOND_NEXT: CloudKey = ("second-key-next", "canary-second-secret-next-21ff");

/// The keys of the stand-in's other accounts.
pub(super) fn further() -> Vec<StandInKey> {
    let key = |(id, secret): CloudKey| StandInKey {
        access_key_id: id.into(),
        access_key_secret: secret.into(),
        account: "second".into(),
    };
    vec![key(SECOND), key(SECOND_NEXT)]
}

/// A master key and its id.
pub(crate) type MasterBytes = (&'static str, [u8; 32]);

impl Setup {
    /// The gateway's clock.
    pub(super) fn clock(&self, everyones: &Arc<ManualClock>) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(|| everyones.clone())
    }

    /// The access key as credentials for a client.
    pub(super) fn credentials(&self) -> Credentials {
        let (id, secret) = self.key;
        Credentials { access_key_id: id.into(), access_key_secret: secret.into(), security_token: None }
    }

    /// The settings of its gateway, except for the replaced parts.
    pub(super) fn config(&self, standin: &str) -> ServeConfig {
        let key = |(id, bytes): MasterBytes| (id.to_owned(), Arc::new(MasterKey::new(bytes)));
        let ((master_id, master), previous) = (key(self.master.0), self.master.1.map(key));
        let keys = ServeKeys { master, master_id, previous };
        ServeConfig { own_issuer: self.own_issuer.to_owned(), keys, ..parts::config(standin) }
    }

    /// The role with that name, assumed at the stand-in.
    pub(super) fn role(&self, name: &str, standin: &str) -> Role {
        Role {
            arn: format!("acs:ram::1:role/{name}"),
            session: "gateway".into(),
            lasts: Duration::from_hours(1),
            external_id: None,
            endpoint: self.cloud.clone().unwrap_or_else(|| standin.to_owned()),
        }
    }

    fn sts_endpoint(&self, standin: &str) -> String {
        self.sts.clone().unwrap_or_else(|| standin.to_owned())
    }

    /// The settings of the gateway; roles are assumed at the stand-in.
    pub(super) fn settings(&self, standin: &str) -> app::GatewaySettings {
        let sts_endpoint = self.sts_endpoint(standin);
        app::GatewaySettings { sts_endpoint, ..self.settings.clone() }
    }

    /// The identity provider's keys: a document, or fetched from its URL.
    pub(super) fn issuer_keys(&self, keys: &str, everyones: &Arc<ManualClock>) -> KeySource {
        if keys.starts_with("http") {
            KeySource::url(keys, &JwksSettings::default(), self.clock(everyones)).unwrap()
        } else {
            KeySource::document(keys.as_bytes()).unwrap()
        }
    }

    /// How webhooks are sent.
    pub(super) fn sending(&self) -> SenderSettings {
        let usual = SenderSettings::default();
        SenderSettings {
            own: self.own.clone(),
            lookup: self.lookup.clone().unwrap_or(usual.lookup),
            ..SenderSettings::default()
        }
    }
}

/// Limits so high that a slow machine refuses nothing.
fn roomy() -> limits::Limits {
    let mut limits = limits::Limits::default();
    let long = Duration::from_mins(1);
    limits.team.running = 100_000;
    // In most tests the clock does not advance, so tokens of the bucket are not refilled.
    limits.team.rate = Rate { per_second: 1_000_000, burst: 1_000_000 };
    limits.unauthenticated = limits.team.rate;
    limits.trials = limits.team.rate;
    limits.room = Capacity { running: 64, lists: 64, queue: 100_000, max_wait: long, target: long, lately: long };
    limits
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policy: AddressPolicy { allow_http: true, allow_loopback: true, ..AddressPolicy::default() },
            lookup: None,
            own: Vec::new(),
            limits: ConnectionLimits::default(),
            settings: app::GatewaySettings {
                webhook: WebhookConfig {
                    allow_skip_challenge: true,
                    endpoints_per_team: 1_000,
                    ..WebhookConfig::default()
                },
                limits: roomy(),
                // They use the database's clock, which differs greatly from the tests'.
                keep_attempts: Duration::from_hours(100 * 365 * 24),
                ..app::GatewaySettings::default()
            },
            http: http::HttpSettings::default(),
            links: Links::default(),
            cloud: None,
            sts: None,
            egress: Egress::default(),
            max_wait: Duration::from_secs(30),
            jwks: None,
            issuers: Vec::new(),
            own_issuer: "https://gateway.example",
            start: START.parse().unwrap(),
            clock: None,
            master: (("k1", [7; 32]), None),
            key: (KEY, super::gateway::CLOUD_SECRET),
            role: None,
            sizes: PoolSizes { requests: 6, workers: 4, acquire: Duration::from_mins(1) },
            database: None,
        }
    }
}

impl super::gateway::TestGateway {
    /// Waits until every event can be read. The feed is held up by the oldest transaction of the whole server, so this
    /// may wait for other tests.
    pub(crate) async fn feed_catches_up(&self) {
        let overtaken = "SELECT count(*) FROM events WHERE txid >= pg_snapshot_xmin(pg_current_snapshot())";
        while self.count(overtaken).await > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// The team's events.
    pub(crate) async fn events(&self) -> Vec<serde_json::Value> {
        self.feed_catches_up().await;
        self.items("/v1/events").await
    }

    /// The feed's cursor after all events. The feed is held up by the oldest transaction of the whole server, on which
    /// other tests run.
    pub(crate) async fn end_of_feed(&self) -> String {
        let events = self.count("SELECT count(*) FROM events").await;
        loop {
            let page = self.get("/v1/events").await.expect(200);
            if i64::try_from(page["items"].as_array().unwrap().len()) == Ok(events) {
                return page["next_cursor"].as_str().unwrap().to_owned();
            }
        }
    }
}
