//! From settings to a gateway: the one place that puts the parts together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;

use crate::app::{Gateway, Parts, Settings};
use crate::auth::jwks::{KeySource, Reach};
use crate::auth::own::OwnTokens;
use crate::auth::verify::{self, Verifier};
use crate::config::{
    AuthKeys, DatabaseConfig, DefaultIssuer, JwksConfig, RoleConfig, ServeAudit, ServeAuth, ServeCloud, ServeConfig,
    ServeKeys, WebhookConfig,
};
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::fingerprint::Fingerprint;
use crate::crypto::master::MasterKey;
use crate::crypto::seal::Sealer;
use crate::domain::clock::{Clock, SteadyClock, SystemClock};
use crate::domain::entropy::Entropy;
use crate::domain::poll::budget;
use crate::eci;
use crate::egress::{Egress, Proxy};
use crate::http::links::Links;
use crate::store::{PoolSizes, Stamp, Store};
use crate::webhook::address::Policy;
use crate::webhook::own::OwnService;
use crate::webhook::sender::{Sender, SenderSettings};

mod own;

/// A setting reads well, and what it names does not work: a file, a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable;

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a setting cannot be used")
    }
}

impl std::error::Error for Unusable {}

/// Puts a gateway together; fails as [`Unusable`]. Must be called within a runtime. `ours` are our own listeners: no
/// webhook goes there.
pub(super) fn gateway(config: &ServeConfig, ours: &[SocketAddr]) -> anyhow::Result<Gateway> {
    put_together(config, ours).context(Unusable)
}

fn put_together(config: &ServeConfig, ours: &[SocketAddr]) -> anyhow::Result<Gateway> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::set_by(Arc::new(SystemClock)));
    let entropy = Arc::new(Entropy::from_os());
    let audit = audit_keys(&config.audit)?;
    Ok(Gateway::new(Parts {
        store: store(&config.database_url, &config.database, stamp(&audit))?,
        audit,
        cloud: cloud(&config.cloud, Arc::clone(&clock), Arc::clone(&entropy))?,
        verifier: verifier(&config.auth, Arc::clone(&clock))?,
        own_tokens: own_tokens(config)?,
        fingerprint: fingerprint(&config.keys)?,
        sealer: sealer(&config.keys)?,
        sender: sender(&config.webhook, own::services(config, ours), Arc::clone(&clock))?,
        settings: Settings {
            account: config.cloud.account.clone(),
            sts_endpoint: config.cloud.sts_endpoint.clone(),
            regions: config.cloud.regions.clone().unwrap_or_default(),
            unknown_teams: config.policy.unknown_teams,
            policy_contact: config.policy.contact.clone(),
            prices: config.policy.prices.clone(),
            reconcile_every: config.reconcile.every,
            expiring_within: config.reconcile.expiring_within,
            reuse_margin: config.reconcile.reuse_margin,
            limits: config.limits.asked,
            answer_within: config.limits.answer,
            webhook_timeout: config.webhook.timeout,
            webhook_skip_challenge: config.webhook.allow_skip_challenge,
            clear_cursors: config.clear_cursors,
            account_endpoints: config.cloud.account_endpoints.clone(),
            endpoints_per_team: config.webhook.endpoints_per_team.into(),
            waiting_while_off: config.webhook.waiting_while_off.into(),
            keep_events: config.retention.events,
            keep_deliveries: config.retention.deliveries,
            keep_image_caches: config.retention.image_caches,
            keep_credentials: config.retention.credentials,
            look_usual: config.cloud.pace.look,
            calls: budget::Limits {
                calls_per_second: f64::from(config.cloud.pace.calls_per_second),
                reserve: f64::from(config.cloud.pace.changes_percent) / 100.0,
            },
            rule: config.cloud.rule,
            operation_lease: config.lease,
            group_lease: config.lease,
            ..Settings::default()
        },
        clock,
        entropy,
    }))
}

/// Where clients reach the API.
pub(super) fn links(config: &ServeConfig) -> anyhow::Result<Links> {
    let trusted = config.trusted_proxies.iter().map(|cidr| cidr.parse()).collect::<Result<_, _>>()?;
    Ok(Links::new(config.public_url.as_deref(), trusted))
}

/// What encrypts at rest: the current key, and the one before, which opens only.
pub(super) fn sealer(keys: &ServeKeys) -> anyhow::Result<Sealer> {
    let mut ring = vec![(keys.master_id.clone(), master_key(&keys.master)?)];
    if let Some((id, key)) = &keys.previous {
        ring.push((id.clone(), master_key(key)?));
    }
    Ok(Sealer::new(ring, &keys.master_id)?)
}

fn fingerprint(keys: &ServeKeys) -> anyhow::Result<Fingerprint> {
    let former = keys.previous.as_ref().map(|(_, key)| master_key(key)).transpose()?;
    Ok(Fingerprint::new(&master_key(&keys.master)?).with_former(former.as_ref()))
}

/// What issues the gateway's own tokens: with the master key that seals, and known by the one before, too.
fn own_tokens(config: &ServeConfig) -> anyhow::Result<OwnTokens> {
    let current = master_key(&config.keys.master)?.token_seed();
    let previous = config.keys.previous.as_ref().map(|(_, key)| master_key(key)).transpose()?;
    let previous = previous.map(|key| key.token_seed());
    let (own, default) = (&config.own_issuer, config.auth.default.as_ref());
    let audience = default.map_or(own, |default| &default.audience);
    Ok(OwnTokens::new(own, audience, &current, previous.as_ref()))
}

fn master_key(text: &SecretString) -> anyhow::Result<MasterKey> {
    MasterKey::parse(secrecy::ExposeSecret::expose_secret(text)).context("the master key")
}

/// The audit's keys.
pub(super) fn audit_keys(config: &ServeAudit) -> anyhow::Result<AuditKeys> {
    let read =
        |key: &SecretString| MasterKey::parse(secrecy::ExposeSecret::expose_secret(key)).context("the audit key");
    let previous = config.previous_key.as_ref().map(read).transpose()?;
    AuditKeys::new(&config.origin, &read(&config.key)?, previous.as_ref()).context("the audit's origin")
}

/// What goes on every audit entry.
pub(super) fn stamp(keys: &AuditKeys) -> Stamp {
    let key = keys.stamp().clone();
    Stamp::new(move |bytes| key.stamp(bytes))
}

/// The database of that address.
pub(super) fn store(url: &SecretString, database: &DatabaseConfig, stamp: Stamp) -> anyhow::Result<Store> {
    let workers = (database.pool_size * 2 / 5).max(1);
    let sizes = PoolSizes { requests: (database.pool_size - workers).max(1), workers, acquire: database.acquire };
    Ok(Store::at(url, sizes, stamp)?)
}

fn cloud(config: &ServeCloud, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> anyhow::Result<eci::Client> {
    let settings = eci::Settings {
        endpoint: config.endpoint.clone(),
        egress: egress(config.proxy.as_ref(), config.ca_file.as_deref())?,
        connect_timeout: config.timeout.min(Duration::from_secs(5)),
        timeout: config.timeout,
        keep_idle: eci::KEEP_IDLE,
        max_answer_bytes: 4 << 20,
    };
    let credentials = eci::Credentials {
        access_key_id: config.access_key_id.clone(),
        access_key_secret: config.access_key_secret.clone(),
        security_token: None,
    };
    let keys = match &config.role {
        Some(role) => eci::Keys::Assumed(credentials, assumed(role, &config.sts_endpoint)),
        None => eci::Keys::Own(credentials),
    };
    eci::Client::new(settings, keys, clock, entropy).context("the cloud's client")
}

fn assumed(role: &RoleConfig, endpoint: &str) -> eci::Role {
    let RoleConfig { arn, session, lasts, external_id } = role.clone();
    eci::Role { arn, session, lasts, external_id, endpoint: endpoint.to_owned() }
}

/// What reads tokens of every issuer of the settings.
pub(super) fn verifier(config: &ServeAuth, clock: Arc<dyn Clock>) -> anyhow::Result<Verifier> {
    let JwksConfig { proxy, ca_file, http_hosts } = &config.jwks;
    let reach = Reach { egress: egress(proxy.as_ref(), ca_file.as_deref())?, http_hosts: http_hosts.clone() };
    let mut verifier = Verifier::empty(reach.clone(), Arc::clone(&clock));
    if let Some(default) = &config.default {
        let source = key_source(default, &reach, clock)?;
        verifier = verifier.with_default(token_settings(default)?, source);
    }
    verifier.with_issuers(&config.issuers).map_err(|errors| {
        let told = errors.iter().map(|error| format!("/issuers{} {}", error.field, error.detail));
        anyhow::anyhow!("ECG_AUTH_ISSUERS_FILE: {}", told.collect::<Vec<_>>().join("; "))
    })
}

fn key_source(config: &DefaultIssuer, reach: &Reach, clock: Arc<dyn Clock>) -> anyhow::Result<KeySource> {
    Ok(match &config.keys {
        AuthKeys::JwksUrl(url) => KeySource::url(url.as_str(), reach, clock).context("the JWK set's address")?,
        AuthKeys::Discovery => {
            let discovered = KeySource::discovered(&config.issuer, reach, clock);
            discovered.context("ECG_AUTH_ISSUER, whose keys are to be discovered")?
        }
        AuthKeys::JwksFile(path) => {
            let read = || format!("the JWK set {}", path.display());
            KeySource::document(&std::fs::read(path).with_context(read)?).with_context(read)?
        }
        AuthKeys::Hs256(secret) => KeySource::secret(secret).context("the shared secret")?,
    })
}

fn token_settings(config: &DefaultIssuer) -> anyhow::Result<verify::Settings> {
    let mut settings = verify::Settings::new(config.issuer.clone(), config.audience.clone());
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
    let policy = Policy {
        allow_http: config.allow_http,
        allow_loopback: config.allow_loopback,
        allow_cidrs: config.allow_cidrs.iter().map(|cidr| cidr.parse()).collect::<Result<_, _>>()?,
        allow_host_suffixes: config.allow_host_suffixes.clone(),
        allow_ports: config.allow_ports.clone(),
        allow_public: config.allow_public,
        never: Vec::new(),
    };
    own::tell_of_metadata(&policy);
    let egress = egress(config.proxy.as_ref(), config.extra_ca_file.as_deref())?;
    Ok(Sender::new(policy, SenderSettings { egress, own, ..SenderSettings::default() }, clock)?)
}

/// How one client gets out.
fn egress(proxy: Option<&Proxy>, ca_file: Option<&Path>) -> anyhow::Result<Egress> {
    let read = |path: &Path| {
        let pem = std::fs::read(path).with_context(|| format!("the CA bundle {}", path.display()))?;
        let holds = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
        if holds { Ok(pem) } else { anyhow::bail!("the CA bundle {} holds no certificate in PEM form", path.display()) }
    };
    Ok(Egress { proxy: proxy.cloned(), extra_ca_pem: ca_file.map(read).transpose()? })
}
