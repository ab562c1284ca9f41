//! The settings that commands require.

use std::sync::Arc;

use secrecy::SecretString;

use super::reader::SettingsReader;
use super::{
    AuditConfig, AuthConfig, AuthKeys, ClaimsConfig, CloudConfig, Config, DatabaseConfig, KeysConfig, LimitsConfig,
    Loaded, PaceConfig, PolicyConfig, RetentionConfig, ServerConfig, SettingError, WebhookConfig, WorkConfig,
};
use crate::auth::jwks::JwksSettings;
use crate::crypto::master::MasterKey;
use crate::domain::cloud_account::endpoint::Allowed;
use crate::domain::database::address::DatabaseAddress;
use crate::domain::identity::issuer::Issuer;

/// The settings of `serve` and `worker`, complete.
#[derive(Debug)]
pub struct ServeConfig {
    /// The database with the runtime role.
    pub database_url: DatabaseAddress,
    /// The pool of connections to the database.
    pub database: DatabaseConfig,
    /// The addresses to listen on, and the URLs under which clients reach the gateway.
    pub server: ServerConfig,
    /// The cloud: credentials, endpoints, regions.
    pub cloud: ServeCloud,
    /// How often the cloud is called, and its assumed limits.
    pub pace: PaceConfig,
    /// Authentication of callers.
    pub auth: ServeAuth,
    /// The `iss` of the tokens that the gateway itself issues; by default `public_url`, otherwise its name.
    pub own_issuer: String,
    /// The keys for encryption at rest.
    pub keys: ServeKeys,
    /// The keys that seal the audit.
    pub audit: ServeAudit,
    /// The addresses that webhooks may be sent to.
    pub webhook: WebhookConfig,
    /// The limits of requests and of the process.
    pub limits: LimitsConfig,
    /// The intervals of the workers.
    pub work: WorkConfig,
    /// What teams may do if no policy says so.
    pub policy: PolicyConfig,
    /// How long data is retained.
    pub retention: RetentionConfig,
}

/// The settings of `rotate-keys`.
#[derive(Debug)]
pub struct RotationConfig {
    /// The database with the runtime role.
    pub database_url: DatabaseAddress,
    /// The pool of connections to the database.
    pub database: DatabaseConfig,
    /// The keys for encryption at rest: the current and the previous one.
    pub keys: ServeKeys,
    /// The key that stamps the audit entry.
    pub audit: ServeAudit,
}

/// [`super::KeysConfig`] with the required key.
#[derive(Debug, Clone)]
pub struct ServeKeys {
    /// The current master key.
    pub master: Arc<MasterKey>,
    /// Its id.
    pub master_id: String,
    /// The id of the previous key, and the key.
    pub previous: Option<(String, Arc<MasterKey>)>,
}

/// [`super::CloudConfig`] with the required credentials.
#[derive(Debug)]
pub struct ServeCloud {
    /// The id of the access key.
    pub access_key_id: String,
    /// The secret of the access key.
    pub access_key_secret: SecretString,
    /// The allowed endpoints of added cloud accounts.
    pub account_endpoints: Allowed,
    /// The other settings: endpoint, regions, timeouts.
    pub settings: CloudConfig,
}

/// [`super::AuditConfig`] with the required key.
#[derive(Debug)]
pub struct ServeAudit {
    /// The name of the log.
    pub origin: String,
    /// The seed of the signing key.
    pub key: Arc<MasterKey>,
    /// The seed of the previous signing key.
    pub previous_key: Option<Arc<MasterKey>>,
}

/// How callers are authenticated, with everything that [`super::AuthConfig`] may leave out.
#[derive(Debug)]
pub struct ServeAuth {
    /// The issuer that the settings describe, if they describe one.
    pub default: Option<DefaultIssuer>,
    /// The issuers in the operator's file.
    pub issuers: Vec<Issuer>,
    /// How the keys of all issuers are fetched.
    pub reach: JwksSettings,
}

/// The issuer that the settings describe.
#[derive(Debug)]
pub struct DefaultIssuer {
    /// The `iss` of tokens.
    pub issuer: String,
    /// The `aud` of tokens.
    pub audience: String,
    /// The keys that verify their signatures.
    pub keys: AuthKeys,
    /// Which claims contain what.
    pub claims: ClaimsConfig,
}

impl Loaded {
    /// The settings for authentication, or all errors.
    pub fn for_auth(self) -> Result<ServeAuth, Vec<SettingError>> {
        let Self { config, mut reader, .. } = self;
        let auth = config.auth.needed(&mut reader);
        reader.finish(auth)
    }

    /// The settings of `rotate-keys`, or all errors.
    pub fn for_rotation(self) -> Result<RotationConfig, Vec<SettingError>> {
        let Self { config, mut reader, .. } = self;
        let url = reader.need("database_url", config.database.url.clone());
        let (keys, audit) = (config.keys.needed(&mut reader), config.audit.needed(&mut reader));
        let found =
            || Some(RotationConfig { database_url: url?, database: config.database, keys: keys?, audit: audit? });
        reader.finish(found())
    }

    /// The settings of `worker` and of everything that does its work, or all errors.
    pub fn for_worker(self) -> Result<ServeConfig, Vec<SettingError>> {
        let Self { config, mut reader, .. } = self;
        let found = config.needed(&mut reader);
        reader.finish(found)
    }

    /// The settings of `serve`, which also listens for the API, or all errors.
    pub fn for_serve(mut self) -> Result<ServeConfig, Vec<SettingError>> {
        let ServerConfig { listen, metrics_listen, .. } = &self.config.server;
        if metrics_listen.is_some_and(|metrics| metrics.port() != 0 && metrics == *listen) {
            let told =
                "is the same as ECG_LISTEN: set a different port, or leave it unset, and the API serves /metrics too";
            self.reader.refuse("metrics_listen", told);
        }
        self.for_worker()
    }
}

impl Config {
    fn needed(self, r: &mut SettingsReader) -> Option<ServeConfig> {
        let url = r.need("database_url", self.database.url.clone());
        let cloud = self.cloud.needed(r);
        let own_issuer = self.auth.own_issuer.clone().or_else(|| self.server.public_url.clone());
        let own_issuer = own_issuer.unwrap_or_else(|| "eci-cache-gateway".to_owned());
        self.auth.check_own(&own_issuer, r);
        let (auth, keys, audit) = (self.auth.needed(r), self.keys.needed(r), self.audit.needed(r));
        Some(ServeConfig {
            database_url: url?,
            database: self.database,
            server: self.server,
            cloud: cloud?,
            pace: self.pace,
            auth: auth?,
            own_issuer,
            keys: keys?,
            audit: audit?,
            webhook: self.webhook,
            limits: self.limits,
            work: self.work,
            policy: self.policy,
            retention: self.retention,
        })
    }
}

impl CloudConfig {
    fn needed(self, r: &mut SettingsReader) -> Option<ServeCloud> {
        let id = r.need("cloud.access_key_id", self.access_key_id.clone());
        let secret = r.need("cloud.access_key_secret", self.access_key_secret.clone());
        let account_endpoints = Allowed { suffixes: self.endpoint_suffixes.clone(), loopback: false };
        Some(ServeCloud { access_key_id: id?, access_key_secret: secret?, account_endpoints, settings: self })
    }
}

impl KeysConfig {
    fn needed(self, r: &mut SettingsReader) -> Option<ServeKeys> {
        let master = r.need("keys.master", self.master)?;
        let previous = self.master_previous_id.zip(self.master_previous);
        Some(ServeKeys { master, master_id: self.master_id, previous })
    }

    /// Checks that the keys have different ids.
    pub(super) fn check(&self, r: &mut SettingsReader) {
        let told = match (&self.master_previous_id, r.has("keys.master_previous")) {
            (Some(id), true) if *id == self.master_id => {
                "must be different from keys.master_id: each key has its own id"
            }
            (None, true) if !r.has("keys.master_previous_id") => {
                "must be set together with keys.master_previous: the id of that key"
            }
            (Some(_), false) => "must be set only with keys.master_previous",
            _ => return,
        };
        r.refuse("keys.master_previous_id", told);
    }
}

impl AuditConfig {
    /// Requires the key.
    fn needed(self, r: &mut SettingsReader) -> Option<ServeAudit> {
        let key = r.need("keys.audit", self.key)?;
        Some(ServeAudit { origin: self.origin, key, previous_key: self.previous_key })
    }
}

impl AuthConfig {
    /// The settings need not describe an issuer if there are issuers in the file.
    fn needed(self, r: &mut SettingsReader) -> Option<ServeAuth> {
        let described = self.describes_one(r);
        let Self { issuer, audience, keys, reach, claims, issuers, .. } = self;
        if !described {
            return Some(ServeAuth { default: None, issuers, reach });
        }
        let issuer = r.need_one("auth.issuer", "must be set: the iss of the tokens to accept", issuer);
        let audience = r.need_one("auth.audience", "must be set: the aud of the tokens to accept", audience);
        let told = "or ECG_AUTH_DISCOVERY, ECG_AUTH_JWKS_FILE or ECG_AUTH_HS256_SECRET must be set: they provide the \
                    keys that verify tokens";
        let keys = if Self::refuses_keys(r) { None } else { r.need_one("auth.jwks_url", told, keys) };
        let default = Some(DefaultIssuer { issuer: issuer?, audience: audience?, keys: keys?, claims });
        Some(ServeAuth { default, issuers, reach })
    }

    /// No issuer may have our own `iss`: it would be unclear who issued a token.
    fn check_own(&self, own: &str, r: &mut SettingsReader) {
        let mut others = self.issuer.iter().chain(self.issuers.iter().map(|one| &one.issuer));
        if others.any(|other| other == own) {
            let told = "must be different from the iss of every issuer (set it if ECG_PUBLIC_URL is one of them)";
            r.refuse("auth.own_issuer", told);
        }
    }
}
