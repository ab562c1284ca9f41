//! What `serve` and `worker` cannot do without.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::spelling::missing;
use super::{
    AuditConfig, AuthConfig, AuthKeys, ClaimsConfig, CloudConfig, Config, DatabaseConfig, JwksConfig, KeysConfig,
    LimitsConfig, PaceConfig, PolicyConfig, ReconcileConfig, RetentionConfig, RoleConfig, SettingError, WebhookConfig,
};
use crate::domain::cloud_endpoint::Allowed;
use crate::domain::issuer::Issuer;
use crate::domain::operation::Rule;
use crate::domain::region::Region;
use crate::egress::Proxy;

/// The settings of `serve` and `worker`: nothing is missing.
#[derive(Debug)]
pub struct ServeConfig {
    /// The database, as the runtime role.
    pub database_url: SecretString,
    /// The pool.
    pub database: DatabaseConfig,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where metrics are served apart, if they are.
    pub metrics_listen: Option<SocketAddr>,
    /// Where clients reach the API, if answers are to link there.
    pub public_url: Option<String>,
    /// The proxies whose word counts.
    pub trusted_proxies: Vec<String>,
    /// Whether cursors are written as versions before encrypted ones read them.
    pub clear_cursors: bool,
    /// The cloud's side.
    pub cloud: ServeCloud,
    /// Who may call.
    pub auth: ServeAuth,
    /// The `iss` of the tokens that the gateway itself issues: where nothing is set, `public_url`, or else its name.
    pub own_issuer: String,
    /// What encrypts at rest.
    pub keys: ServeKeys,
    /// What seals the audit.
    pub audit: ServeAudit,
    /// Where webhooks may go.
    pub webhook: WebhookConfig,
    /// What one request and one process may take.
    pub limits: LimitsConfig,
    /// How long work may be in one process's hands without a word.
    pub lease: Duration,
    /// Comparing the cloud with the record.
    pub reconcile: ReconcileConfig,
    /// What teams may do, where no policy says it.
    pub policy: PolicyConfig,
    /// What is kept for how long.
    pub retention: RetentionConfig,
}

/// [`super::KeysConfig`] with its key.
#[derive(Debug, Clone)]
pub struct ServeKeys {
    /// The master key, whose form has been checked.
    pub master: SecretString,
    /// Its id.
    pub master_id: String,
    /// The key before, and its id.
    pub previous: Option<(String, SecretString)>,
}

/// [`super::CloudConfig`] with its credentials.
#[derive(Debug)]
pub struct ServeCloud {
    /// The address of the API; `{region}` stands for the region.
    pub endpoint: String,
    /// Where the calls of added accounts may go.
    pub account_endpoints: Allowed,
    /// The id of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: SecretString,
    /// The name of the account that this key opens.
    pub account: String,
    /// The role that it assumes, if it is not to sign by itself.
    pub role: Option<RoleConfig>,
    /// The address of STS.
    pub sts_endpoint: String,
    /// The only regions that may be used; none: all.
    pub regions: Option<Vec<Region>>,
    /// The proxy that it is reached through, if any.
    pub proxy: Option<Proxy>,
    /// Certificates (PEM) to trust there besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How often it is called.
    pub pace: PaceConfig,
    /// How an unknown outcome is resolved.
    pub rule: Rule,
}

/// [`super::AuditConfig`] with its key.
#[derive(Debug)]
pub struct ServeAudit {
    /// Which log.
    pub origin: String,
    /// The seed of the signing key, whose form has been checked.
    pub key: SecretString,
    /// The one before.
    pub previous_key: Option<SecretString>,
}

/// [`super::AuthConfig`] with everything in it.
#[derive(Debug)]
pub struct ServeAuth {
    /// The issuer that the settings describe, if they do.
    pub default: Option<DefaultIssuer>,
    /// Those of the operator's file.
    pub issuers: Vec<Issuer>,
    /// How keys are fetched, of every issuer.
    pub jwks: JwksConfig,
}

/// The issuer that the settings describe.
#[derive(Debug)]
pub struct DefaultIssuer {
    /// The `iss` of a token.
    pub issuer: String,
    /// The `aud` of a token.
    pub audience: String,
    /// What its signature is checked with.
    pub keys: AuthKeys,
    /// What it says where.
    pub claims: ClaimsConfig,
}

/// Collects what is missing while handing out what is there.
#[derive(Default)]
pub(super) struct Missing(Vec<SettingError>);

impl Missing {
    pub(super) fn into_errors(self) -> Vec<SettingError> {
        self.0
    }

    pub(super) fn need<T>(&mut self, key: &str, why: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.0.push(missing(key, why));
        }
        value
    }

    pub(super) fn keys(&mut self, keys: KeysConfig) -> Option<ServeKeys> {
        let KeysConfig { master, master_id, previous } = keys;
        let master = self.need("keys.master", "must be set: 32 bytes (openssl rand -base64 32)", master)?;
        Some(ServeKeys { master, master_id, previous })
    }

    /// The settings may leave the issuer out that they describe, if there are others in the file.
    fn auth(&mut self, auth: AuthConfig) -> Option<ServeAuth> {
        let described = auth.describes_one();
        let AuthConfig { issuer, audience, keys, jwks, claims, issuers } = auth;
        if !described {
            return Some(ServeAuth { default: None, issuers, jwks });
        }
        let issuer = self.need("auth.issuer", "must be set: the iss of the tokens to accept", issuer);
        let audience = self.need("auth.audience", "must be set: the aud of the tokens to accept", audience);
        let why = "or ECG_AUTH_DISCOVERY, ECG_AUTH_JWKS_FILE or ECG_AUTH_HS256_SECRET must be set: what tokens are \
                   checked with";
        let keys = self.need("auth.jwks_url", why, keys);
        let default = Some(DefaultIssuer { issuer: issuer?, audience: audience?, keys: keys?, claims });
        Some(ServeAuth { default, issuers, jwks })
    }

    pub(super) fn audit(&mut self, audit: AuditConfig) -> Option<ServeAudit> {
        let why = "must be set: 32 bytes that sign the audit (openssl rand -base64 32)";
        let key = self.need("keys.audit", why, audit.key)?;
        Some(ServeAudit { origin: audit.origin, key, previous_key: audit.previous_key })
    }
}

impl Config {
    /// The settings of who may call, or everything that is missing for them.
    pub fn for_auth(self) -> Result<ServeAuth, Vec<SettingError>> {
        let mut m = Missing::default();
        m.auth(self.auth).ok_or(m.0)
    }

    /// The settings of `serve` and `worker`, or everything that is missing for them.
    pub fn for_serve(self) -> Result<ServeConfig, Vec<SettingError>> {
        let mut m = Missing::default();
        let database_url = m.need("database_url", "must be set: the database as the runtime role", self.database_url);
        let id = m.need("cloud.access_key_id", "must be set: the cloud's access key", self.cloud.access_key_id);
        let secret =
            m.need("cloud.access_key_secret", "must be set: the access key's secret", self.cloud.access_key_secret);
        let auth = m.auth(self.auth);
        let keys_at_rest = m.keys(self.keys);
        let audit = m.audit(self.audit);
        let all = (database_url, id, secret, auth, keys_at_rest, audit);
        let (Some(database_url), Some(id), Some(secret), Some(auth), Some(keys_at_rest), Some(audit)) = all else {
            return Err(m.0);
        };
        let CloudConfig {
            endpoint,
            endpoint_suffixes,
            account,
            role,
            sts_endpoint,
            regions,
            proxy,
            ca_file,
            timeout,
            pace,
            rule,
            ..
        } = self.cloud;
        let (access_key_id, access_key_secret) = (id, secret);
        let own_issuer = self.own_issuer.or_else(|| self.public_url.clone());
        let own_issuer = own_issuer.unwrap_or_else(|| "eci-cache-gateway".to_owned());
        check_own(&own_issuer, &auth)?;
        Ok(ServeConfig {
            database_url,
            database: self.database,
            listen: self.listen,
            metrics_listen: self.metrics_listen,
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxies,
            clear_cursors: self.clear_cursors,
            cloud: ServeCloud {
                endpoint,
                account_endpoints: Allowed { suffixes: endpoint_suffixes, loopback: false },
                access_key_id,
                access_key_secret,
                account,
                role,
                sts_endpoint,
                regions,
                proxy,
                ca_file,
                timeout,
                pace,
                rule,
            },
            auth,
            own_issuer,
            keys: keys_at_rest,
            audit,
            webhook: self.webhook,
            limits: self.limits,
            lease: self.lease,
            reconcile: self.reconcile,
            policy: self.policy,
            retention: self.retention,
        })
    }
}

/// No issuer may have our own `iss`: whose token is it?
fn check_own(own: &str, auth: &ServeAuth) -> Result<(), Vec<SettingError>> {
    let mut others = auth.default.iter().map(|one| &one.issuer).chain(auth.issuers.iter().map(|one| &one.issuer));
    if others.all(|other| other != own) {
        return Ok(());
    }
    let message = "must be another iss than those of the issuers (set it where ECG_PUBLIC_URL is one of theirs)";
    Err(vec![SettingError { setting: "ECG_AUTH_OWN_ISSUER".to_owned(), message: message.to_owned() }])
}
