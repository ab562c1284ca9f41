//! The only definition of every setting: key, type, unit, default, range and purpose. The parser, its messages, the
//! defaults of `dev` and the tests, the `settings` command and `docs/settings.md` are derived from this table.
//!
//! To add a setting, add an entry to the part for its subject below, and use it (`docs/recipes.md`).

mod auth;
mod cloud;
mod database;
mod keys;
mod limits;
mod log;
mod pace;
mod policy;
mod retention;
mod server;
mod webhook;
mod work;

use std::sync::LazyLock;

pub use auth::TokensConfig;
pub use cloud::CloudConfig;
pub use database::DatabaseConfig;
pub use keys::{AuditConfig, KeysConfig};
pub use limits::LimitsConfig;
pub use log::{LogConfig, LogFormat};
pub use pace::PaceConfig;
pub use policy::PolicyConfig;
pub use retention::RetentionConfig;
pub use server::ServerConfig;
pub use webhook::WebhookConfig;
pub use work::WorkConfig;

use super::setting::Section;

/// The whole table.
pub fn table() -> &'static [Section] {
    static TABLE: LazyLock<Vec<Section>> = LazyLock::new(|| {
        vec![
            DatabaseConfig::section(),
            ServerConfig::section(),
            LogConfig::section(),
            CloudConfig::section(),
            PaceConfig::section(),
            TokensConfig::section(),
            KeysConfig::section(),
            AuditConfig::section(),
            WebhookConfig::section(),
            LimitsConfig::section(),
            WorkConfig::section(),
            PolicyConfig::section(),
            RetentionConfig::section(),
        ]
    });
    &TABLE
}
