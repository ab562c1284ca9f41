//! Settings: the environment (`ECG_*`) over an optional TOML file, as typed values.
//!
//! A setting `cloud.access_key_id` is `ECG_CLOUD_ACCESS_KEY_ID` in the environment and `access_key_id` under
//! `[cloud]` in the file; the environment wins. Each secret can also be read from a file of its own, named by
//! the same setting with `_FILE` (`_file`) behind it. Lists are comma-separated in the environment, arrays in
//! the file. An empty variable counts as absent, and so does the empty file of a secret.
//!
//! What must stay true: everything that is wrong is reported at once, each with the name of the setting and
//! what is allowed; no secret stands in a message or in `Debug`; nobody else reads the environment.
//!
//! Who calls it: `cli`, which hands the values to the lower floors. What it does not do: act on them.

mod auth;
mod credentials;
mod environment;
mod jwks;
mod keys;
mod limits;
mod policy;
mod reader;
mod retention;
mod rotation;
mod serve;
mod source;
mod spelling;
#[cfg(test)]
mod tests;
mod webhook;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::clock::LONGEST_LEASE;
use crate::domain::operation::Rule;
use crate::domain::region::Region;
use crate::egress::Proxy;

pub use auth::{AuthConfig, AuthKeys, ClaimsConfig};
pub use credentials::{KeysConfig, RoleConfig};
pub use environment::{DevEnvironment, Environment};
pub use jwks::JwksConfig;
pub use limits::LimitsConfig;
pub use policy::PolicyConfig;
pub use retention::RetentionConfig;
pub use rotation::RotationConfig;
pub use serve::{DefaultIssuer, ServeAudit, ServeAuth, ServeCloud, ServeConfig, ServeKeys};
pub use webhook::WebhookConfig;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct SettingError {
    /// The setting, as it was written: a variable's name, or a key and its file.
    pub setting: String,
    /// What is allowed, or what to do.
    pub message: String,
}

/// Every setting, checked one by one. What a command needs is checked by [`Config::for_serve`].
#[derive(Debug)]
pub struct Config {
    /// The database, as the runtime role.
    pub database_url: Option<SecretString>,
    /// The database as the role that owns the schema, for `migrate`.
    pub migrate_database_url: Option<SecretString>,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where metrics are served apart from the API, if they are.
    pub metrics_listen: Option<SocketAddr>,
    /// Where clients reach the API, if answers are to link there: without a slash at its end.
    pub public_url: Option<String>,
    /// The proxies that may say who their clients are and which prefix they took off; the form (`10.0.0.0/8`) is checked.
    pub trusted_proxies: Vec<String>,
    /// Whether cursors are written as versions before encrypted ones read them.
    pub clear_cursors: bool,
    /// Which log lines are written, in tracing's filter words.
    pub log: String,
    /// In which form.
    pub log_format: LogFormat,
    /// The cloud's side.
    pub cloud: CloudConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// `auth.own_issuer`: the `iss` of the tokens that the gateway itself issues.
    pub own_issuer: Option<String>,
    /// Encryption at rest.
    pub keys: KeysConfig,
    /// Where webhooks may go.
    pub webhook: WebhookConfig,
    /// What one request and one process may take.
    pub limits: LimitsConfig,
    /// The audit's Merkle tree.
    pub audit: AuditConfig,
    /// The pool of database connections.
    pub database: DatabaseConfig,
    /// How long work may be in one process's hands without a word, before another takes it over.
    pub lease: Duration,
    /// Comparing the cloud with the record.
    pub reconcile: ReconcileConfig,
    /// What teams may do, where no policy says it.
    pub policy: PolicyConfig,
    /// What is kept for how long.
    pub retention: RetentionConfig,
    /// Things to log at the start, such as variables that look like settings but are none.
    pub notes: Vec<String>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

/// `cloud.*`: Alibaba Cloud.
#[derive(Debug)]
pub struct CloudConfig {
    /// The address of the API; `{region}` stands for the region.
    pub endpoint: String,
    /// `cloud.endpoint_suffixes`: what the hosts of added accounts must end in; none: the cloud's own only.
    pub endpoint_suffixes: Option<Vec<String>>,
    /// The id of the access key.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub access_key_secret: Option<SecretString>,
    /// `cloud.account`: the name of the account that this key opens.
    pub account: String,
    /// The role that this key assumes, if it is not to sign by itself.
    pub role: Option<RoleConfig>,
    /// The address of STS.
    pub sts_endpoint: String,
    /// The only regions that may be used; none: all.
    pub regions: Option<Vec<Region>>,
    /// The proxy that the cloud is reached through, if any.
    pub proxy: Option<Proxy>,
    /// Certificates (PEM) to trust there besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How an unknown outcome is resolved.
    pub rule: Rule,
    /// How it is called.
    pub pace: PaceConfig,
}

/// How often the cloud is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceConfig {
    /// `cloud.calls_per_second`: calls a second of the account, where the cloud does not throttle.
    pub calls_per_second: u32,
    /// `cloud.changes_percent`: the share of them that is kept for creates, updates and deletes.
    pub changes_percent: u32,
    /// `cloud.look_milliseconds`: the usual time between two looks at a build.
    pub look: Duration,
}

/// `audit.*` and its keys: what seals the audit. Every gateway on one database has the same.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// Which log it is: stands in every checkpoint, and is the name of the key.
    pub origin: String,
    /// `keys.audit`: 32 bytes, the seed of the signing key; the form is checked.
    pub key: Option<SecretString>,
    /// `keys.audit_previous`: the one before, whose stamps and checkpoints are still known.
    pub previous_key: Option<SecretString>,
}

/// `database.*`: the pool, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// Connections of this process.
    pub pool_size: u32,
    /// How long a request waits for one of them.
    pub acquire: Duration,
    /// The role that `migrate` grants to: the one that serves.
    pub runtime_role: String,
}

/// `reconcile.*` and `ensure.*`: what is compared when, and what is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// How often the cloud's whole list is compared.
    pub every: Duration,
    /// How long before the end of its retention a cache is said to expire.
    pub expiring_within: Duration,
    /// How much longer a cache must last for `ensure` to reuse it.
    pub reuse_margin: Duration,
}

/// The form of log lines that the settings ask for, also where something else about them is wrong.
pub fn log_format(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> LogFormat {
    let mut reader = reader::Reader::new(source::Source::merge(file, env));
    reader.log_format("log_format").unwrap_or(LogFormat::Json)
}

impl Config {
    /// Reads the settings of `file`, if there is one, and of `env` over it.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<SettingError>> {
        let mut reader = reader::Reader::new(source::Source::merge(file, env));
        let mut config = Self::read(&mut reader);
        config.notes.extend(config.auth.note());
        reader.finish(config)
    }

    fn read(r: &mut reader::Reader) -> Self {
        let default_listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
        Self {
            database_url: r.database_url("database_url"),
            migrate_database_url: r.database_url("migrate_database_url"),
            listen: r.address("listen").unwrap_or(default_listen),
            metrics_listen: r.address("metrics_listen"),
            public_url: r.public_url("public_url"),
            trusted_proxies: r.cidrs("trusted_proxies"),
            clear_cursors: r.flag("clear_cursors"),
            log: r.log_filter("log").unwrap_or_else(|| "info,sqlx=warn".to_owned()),
            log_format: r.log_format("log_format").unwrap_or(LogFormat::Json),
            cloud: CloudConfig {
                endpoint: r
                    .endpoint("cloud.endpoint")
                    .unwrap_or_else(|| "https://eci.{region}.aliyuncs.com".to_owned()),
                endpoint_suffixes: r.some_host_suffixes("cloud.endpoint_suffixes"),
                access_key_id: r.word("cloud.access_key_id"),
                access_key_secret: r.secret("cloud.access_key_secret"),
                account: r.account("cloud.account").unwrap_or_else(|| "default".to_owned()),
                role: RoleConfig::read(r),
                sts_endpoint: r.endpoint("cloud.sts_endpoint").unwrap_or_else(|| "https://sts.aliyuncs.com".to_owned()),
                regions: r.regions("cloud.regions"),
                proxy: r.proxy("cloud.proxy"),
                ca_file: r.path("cloud.ca_file"),
                timeout: r.seconds("cloud.timeout_seconds", 1..=60, 10),
                pace: PaceConfig {
                    calls_per_second: r.number("cloud.calls_per_second", 1..=10_000, 50),
                    changes_percent: r.number("cloud.changes_percent", 0..=90, 30),
                    look: Duration::from_millis(r.number("cloud.look_milliseconds", 1_000..=60_000, 9_800)),
                },
                rule: Self::read_rule(r),
            },
            auth: AuthConfig::read(r),
            own_issuer: r.word("auth.own_issuer"),
            keys: KeysConfig::read(r),
            webhook: WebhookConfig::read(r),
            limits: LimitsConfig::read(r),
            audit: AuditConfig {
                origin: r.origin("audit.origin").unwrap_or_else(|| "eci-cache-gateway".to_owned()),
                key: r.master_key("keys.audit"),
                previous_key: r.master_key("keys.audit_previous"),
            },
            database: DatabaseConfig {
                pool_size: r.number("database.pool_size", 2..=500, 10),
                acquire: r.seconds("database.acquire_seconds", 1..=30, 5),
                runtime_role: r.role("database.runtime_role").unwrap_or_else(|| "eci_runtime".to_owned()),
            },
            lease: r.seconds("worker.lease_seconds", 6..=LONGEST_LEASE.as_secs(), 12),
            reconcile: ReconcileConfig {
                every: r.seconds("reconcile.every_seconds", 60..=86_400, 600),
                expiring_within: r.seconds("reconcile.expiring_within_seconds", 0..=2_592_000, 86_400),
                reuse_margin: r.seconds("ensure.margin_seconds", 0..=2_592_000, 3_600),
            },
            policy: PolicyConfig::read(r),
            retention: RetentionConfig::read(r),
            notes: r.notes(),
        }
    }

    fn read_rule(r: &mut reader::Reader) -> Rule {
        let mut seconds = |key, range, default| {
            chrono::Duration::from_std(r.seconds(key, range, default)).unwrap_or(chrono::Duration::MAX)
        };
        Rule {
            token_window: seconds("cloud.token_window_seconds", 10..=86_400, 300),
            acceptance: seconds("cloud.acceptance_seconds", 10..=3_600, 900),
            list_lag: seconds("cloud.list_lag_seconds", 1..=600, 60),
            absence: seconds("cloud.absence_seconds", 0..=86_400, 900),
        }
    }
}
