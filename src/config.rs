//! Settings: typed values from the environment (`ECG_*`) and an optional TOML file.
//!
//! The setting `cloud.access_key_id` is `ECG_CLOUD_ACCESS_KEY_ID` in the environment and `access_key_id` under
//! `[cloud]` in the file; the environment takes precedence. Each secret can also be read from a file of its own, named
//! by the same setting with the suffix `_FILE` (`_file`). Lists are comma-separated in the environment, and arrays in
//! the file. An empty variable or secret file counts as absent.
//!
//! What must stay true: all errors are reported at once, each with the name of the setting and what is allowed; neither
//! a message nor `Debug` contains a secret; no other module reads the environment.
//!
//! The table of all settings is [`settings`]: one entry defines a setting's field, parser, default and row in the
//! reference. [`Loaded`] holds what was found; each command asks it for what it needs.
//!
//! Called by `cli`, which reads the settings and passes parts of them on. It does not act on them.

mod auth;
mod entry;
mod environment;
mod issuers;
mod kinds;
mod loaded;
mod names;
mod parse;
mod reader;
mod section;
mod serve;
mod setting;
mod settings;
mod source;
#[cfg(test)]
mod tests;

pub use auth::{AuthConfig, AuthKeys, ClaimsConfig};
#[cfg(feature = "dev")]
pub use environment::DevEnvironment;
pub use environment::Environment;
pub use loaded::Loaded;
pub use names::probably_meant;
pub use serve::{DefaultIssuer, RotationConfig, ServeAudit, ServeAuth, ServeCloud, ServeConfig, ServeKeys};
pub use setting::{Section, Setting, SettingKind};
pub use settings::{
    AuditConfig, CloudConfig, DatabaseConfig, KeysConfig, LimitsConfig, LogConfig, LogFormat, PaceConfig, PolicyConfig,
    RetentionConfig, ServerConfig, TokensConfig, WebhookConfig, WorkConfig, table,
};

/// An invalid or missing setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct SettingError {
    /// The setting as it was written: the name of a variable, or a key and its file.
    pub setting: String,
    /// What is allowed, or what to do.
    pub message: String,
}

/// Every setting, each checked by itself. [`Loaded`] checks what a command needs.
#[derive(Debug)]
pub struct Config {
    /// The database and the connection pool.
    pub database: DatabaseConfig,
    /// The addresses to listen on, and the URLs under which clients reach the gateway.
    pub server: ServerConfig,
    /// The log's filter and format.
    pub log: LogConfig,
    /// The cloud: credentials, endpoints, regions.
    pub cloud: CloudConfig,
    /// How often the cloud is called, and its assumed limits.
    pub pace: PaceConfig,
    /// Authentication of callers.
    pub auth: AuthConfig,
    /// The keys for encryption at rest.
    pub keys: KeysConfig,
    /// The keys that seal the audit.
    pub audit: AuditConfig,
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

impl Config {
    fn read(r: &mut reader::SettingsReader) -> Self {
        let tokens = TokensConfig::read(r);
        let keys = KeysConfig::read(r);
        keys.check(r);
        Self {
            database: DatabaseConfig::read(r),
            server: ServerConfig::read(r),
            log: LogConfig::read(r),
            cloud: CloudConfig::read(r),
            pace: PaceConfig::read(r),
            auth: AuthConfig::of(tokens, r),
            keys,
            audit: AuditConfig::read(r),
            webhook: WebhookConfig::read(r),
            limits: LimitsConfig::read(r),
            work: WorkConfig::read(r),
            policy: PolicyConfig::read(r),
            retention: RetentionConfig::read(r),
        }
    }
}
