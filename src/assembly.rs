//! Floor 3½: the only place that builds a gateway and its parts from the settings.
//!
//! `serve`, `worker`, `dev` and every subcommand that needs a gateway call it, and so do tests and benchmarks
//! (`testbed/`), which replace single parts. A new part is built here, so that all of them have it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::app::{Gateway, GatewaySettings, Parts};
use crate::auth::jwks::{JwksSettings, KeySource};
use crate::auth::own::OwnTokens;
use crate::auth::verify::{self, Verifier};
use crate::config::{
    AuthKeys, CloudConfig, DatabaseConfig, DefaultIssuer, ServeAudit, ServeAuth, ServeCloud, ServeConfig, ServeKeys,
    ServerConfig, WebhookConfig,
};
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::fingerprint::Fingerprint;
use crate::crypto::master::MasterKey;
use crate::crypto::seal::Sealer;
use crate::domain::clock::{Clock, SteadyClock, SystemClock};
use crate::domain::database::address::DatabaseAddress;
use crate::domain::entropy::Entropy;
use crate::eci;
use crate::http::links::Links;
use crate::store::{PoolSizes, Stamp, Store};
use crate::webhook::own_services::OwnService;
use crate::webhook::sender::{Sender, SenderSettings};

mod own;

/// A setting is well-formed, but what it refers to (a file, a key) does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusableSetting;

impl std::fmt::Display for UnusableSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a setting cannot be used")
    }
}

impl std::error::Error for UnusableSetting {}

/// Builds a gateway; fails with [`UnusableSetting`]. Must be called within a runtime. `ours` are our own listeners, to
/// which no webhook is sent.
pub fn gateway(config: &ServeConfig, ours: &[SocketAddr]) -> anyhow::Result<Gateway> {
    let made = ground(config).and_then(|ground| parts(config, ground, Overrides::default(), ours));
    Ok(Gateway::new(made.context(UnusableSetting)?))
}

/// The infrastructure of a gateway, which tests replace.
#[derive(Debug)]
pub struct Infrastructure {
    /// The database.
    pub store: Store,
    /// The clock that everything shares, which a test moves by hand.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<Entropy>,
}

/// Parts to use instead of those that the settings describe. `None`: as the settings describe.
#[derive(Debug, Default)]
pub struct Overrides {
    /// The client of the cloud.
    pub cloud: Option<eci::Client>,
    /// The verifier of bearer tokens.
    pub verifier: Option<Verifier>,
    /// What sends webhooks.
    pub sender: Option<Sender>,
    /// The settings of the gateway.
    pub settings: Option<GatewaySettings>,
}

/// The infrastructure of a deployment.
fn ground(config: &ServeConfig) -> anyhow::Result<Infrastructure> {
    let audit = audit_keys(&config.audit)?;
    Ok(Infrastructure {
        store: store(&config.database_url, &config.database, stamp(&audit)),
        clock: Arc::new(SteadyClock::set_by(Arc::new(SystemClock))),
        entropy: Arc::new(Entropy::from_os()),
    })
}

/// Builds a gateway with these settings on this infrastructure. Tests and benchmarks pass the parts that they replace.
pub fn parts(
    config: &ServeConfig,
    ground: Infrastructure,
    given: Overrides,
    ours: &[SocketAddr],
) -> anyhow::Result<Parts> {
    let Infrastructure { store, clock, entropy } = ground;
    let now = || Arc::clone(&clock);
    let own = || own::services(config, ours);
    Ok(Parts {
        store,
        audit: audit_keys(&config.audit)?,
        cloud: given.cloud.map_or_else(|| cloud(&config.cloud, now(), Arc::clone(&entropy)), Ok)?,
        verifier: given.verifier.map_or_else(|| verifier(&config.auth, now()), Ok)?,
        own_tokens: own_tokens(config),
        fingerprint: fingerprint(&config.keys),
        sealer: sealer(&config.keys)?,
        sender: given.sender.map_or_else(|| sender(&config.webhook, own(), now()), Ok)?,
        settings: given.settings.unwrap_or_else(|| GatewaySettings::from(config)),
        clock,
        entropy,
    })
}

/// The URLs under which clients reach the API.
pub fn links(config: &ServeConfig) -> Links {
    let ServerConfig { public_url, trusted_proxies, .. } = &config.server;
    Links::new(public_url.as_deref(), trusted_proxies.clone())
}

/// Encrypts data at rest: with the current key; the previous key only decrypts.
pub fn sealer(keys: &ServeKeys) -> anyhow::Result<Sealer> {
    let before = keys.previous.iter().map(|(id, key)| (id.clone(), key.as_ref()));
    let ring = std::iter::once((keys.master_id.clone(), keys.master.as_ref())).chain(before);
    Ok(Sealer::new(ring, &keys.master_id)?)
}

fn fingerprint(keys: &ServeKeys) -> Fingerprint {
    Fingerprint::new(&keys.master).with_former(former(keys))
}

fn former(keys: &ServeKeys) -> Option<&MasterKey> {
    keys.previous.as_ref().map(|(_, key)| key.as_ref())
}

/// Issues the gateway's own tokens with the current master key; tokens of the previous one are accepted too.
fn own_tokens(config: &ServeConfig) -> OwnTokens {
    let current = config.keys.master.token_seed();
    let previous = former(&config.keys).map(MasterKey::token_seed);
    let (own, default) = (&config.own_issuer, config.auth.default.as_ref());
    let audience = default.map_or(own, |default| &default.audience);
    OwnTokens::new(own, audience, &current, previous.as_ref())
}

/// The audit's keys.
pub fn audit_keys(config: &ServeAudit) -> anyhow::Result<AuditKeys> {
    AuditKeys::new(&config.origin, &config.key, config.previous_key.as_deref()).context("ECG_AUDIT_ORIGIN")
}

/// What every audit entry is stamped with.
pub fn stamp(keys: &AuditKeys) -> Stamp {
    let key = keys.stamp().clone();
    Stamp::new(move |bytes| key.stamp(bytes))
}

/// The store for the database at this address.
pub fn store(url: &DatabaseAddress, database: &DatabaseConfig, stamp: Stamp) -> Store {
    let workers = (database.pool_size * 2 / 5).max(1);
    let sizes = PoolSizes { requests: (database.pool_size - workers).max(1), workers, acquire: database.acquire };
    Store::at(url, sizes, stamp)
}

fn cloud(config: &ServeCloud, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> anyhow::Result<eci::Client> {
    let CloudConfig { endpoint, timeout, keep_idle, .. } = &config.settings;
    let settings = eci::ClientSettings {
        endpoint: endpoint.clone(),
        egress: config.settings.egress(),
        connect_timeout: (*timeout).min(Duration::from_secs(5)),
        timeout: *timeout,
        keep_idle: *keep_idle,
        max_answer_bytes: 4 << 20,
    };
    let credentials = eci::Credentials {
        access_key_id: config.access_key_id.clone(),
        access_key_secret: config.access_key_secret.clone(),
        security_token: None,
    };
    let keys = match assumed(&config.settings) {
        Some(role) => eci::CredentialSource::Assumed(credentials, role),
        None => eci::CredentialSource::Own(credentials),
    };
    eci::Client::new(settings, keys, clock, entropy).context("the cloud's client")
}

/// The role that the key assumes, or `None` if calls are signed with the key itself.
fn assumed(config: &CloudConfig) -> Option<eci::Role> {
    Some(eci::Role {
        arn: config.role_arn.clone()?,
        session: config.role_session.clone(),
        lasts: config.role_lasts,
        external_id: config.role_external_id.clone(),
        endpoint: config.sts_endpoint.clone(),
    })
}

/// Verifies the tokens of all issuers in the settings.
pub fn verifier(config: &ServeAuth, clock: Arc<dyn Clock>) -> anyhow::Result<Verifier> {
    let mut verifier = Verifier::empty(config.reach.clone(), Arc::clone(&clock));
    if let Some(default) = &config.default {
        let source = key_source(default, &config.reach, clock)?;
        verifier = verifier.with_default(token_settings(default)?, source);
    }
    verifier.with_issuers(&config.issuers).map_err(|errors| {
        let told = errors.iter().map(|error| format!("/issuers{} {}", error.field, error.detail));
        anyhow::anyhow!("ECG_AUTH_ISSUERS_FILE: {}", told.collect::<Vec<_>>().join("; "))
    })
}

fn key_source(config: &DefaultIssuer, reach: &JwksSettings, clock: Arc<dyn Clock>) -> anyhow::Result<KeySource> {
    Ok(match &config.keys {
        AuthKeys::JwksUrl(url) => KeySource::url(url.as_str(), reach, clock).context("ECG_AUTH_JWKS_URL")?,
        AuthKeys::Discovery => {
            let discovered = KeySource::discovered(&config.issuer, reach, clock);
            discovered.context("ECG_AUTH_ISSUER, whose keys are to be discovered")?
        }
        AuthKeys::JwksFile(document) => KeySource::document(document).context("ECG_AUTH_JWKS_FILE")?,
        AuthKeys::Hs256(secret) => KeySource::secret(secret).context("ECG_AUTH_HS256_SECRET")?,
    })
}

fn token_settings(config: &DefaultIssuer) -> anyhow::Result<verify::IssuerSettings> {
    let mut settings = verify::IssuerSettings::new(config.issuer.clone(), config.audience.clone());
    if let Some(team) = &config.claims.team {
        settings.team_claims = vec![team.clone()];
    }
    settings.scope_claim.clone_from(&config.claims.scope);
    settings.scope_prefix.clone_from(&config.claims.scope_prefix);
    settings.max_lifetime = chrono::Duration::from_std(config.claims.max_lifetime)?;
    settings.leeway = chrono::Duration::from_std(config.claims.leeway)?;
    Ok(settings)
}

fn sender(config: &WebhookConfig, own: Vec<OwnService>, clock: Arc<dyn Clock>) -> anyhow::Result<Sender> {
    let policy = config.policy();
    own::tell_of_metadata(&policy);
    let (egress, keep_idle) = (config.egress(), config.keep_idle);
    let settings = SenderSettings { egress, own, keep_idle, ..SenderSettings::default() };
    Sender::new(policy, settings, clock).context("what sends webhooks")
}
