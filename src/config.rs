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
//! The table of all settings is [`settings`]: one entry each makes its field, its reader, its default and its row in
//! the reference. [`Loaded`] is what was found; each command asks it for what it needs.
//!
//! Who calls it: `cli`, which reads them, and the floors above, which are handed parts of them. What it does not do:
//! act on them.

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
pub use serve::{DefaultIssuer, RotationConfig, ServeAudit, ServeAuth, ServeCloud, ServeConfig, ServeKeys};
pub use setting::{Section, Setting, SettingKind};
pub use settings::{
    AuditConfig, CloudConfig, DatabaseConfig, KeysConfig, LimitsConfig, LogConfig, LogFormat, PaceConfig, PolicyConfig,
    RetentionConfig, ServerConfig, TokensConfig, WebhookConfig, WorkConfig, table,
};

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct SettingError {
    /// The setting, as it was written: a variable's name, or a key and its file.
    pub setting: String,
    /// What is allowed, or what to do.
    pub message: String,
}

/// Every setting, checked one by one. What a command needs is checked by [`Loaded`].
#[derive(Debug)]
pub struct Config {
    /// The database, and the pool of connections to it.
    pub database: DatabaseConfig,
    /// Where the gateway listens, and how clients reach it.
    pub server: ServerConfig,
    /// What is logged.
    pub log: LogConfig,
    /// The cloud's side.
    pub cloud: CloudConfig,
    /// How often the cloud is called, and what is assumed of it.
    pub pace: PaceConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// Encryption at rest.
    pub keys: KeysConfig,
    /// What seals the audit.
    pub audit: AuditConfig,
    /// Where webhooks may go.
    pub webhook: WebhookConfig,
    /// What one request and one process may take.
    pub limits: LimitsConfig,
    /// What the workers do when.
    pub work: WorkConfig,
    /// What teams may do, where no policy says it.
    pub policy: PolicyConfig,
    /// What is kept for how long.
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
