//! Every setting, once: key, type, unit, default, range, and what it is for. The reader, its messages, `dev`'s and the
//! tests' defaults, the `settings` command and `docs/settings.md` are made from this table.
//!
//! A new setting is one entry in the part below that is its subject's, and its use (`docs/recipes.md`).

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
