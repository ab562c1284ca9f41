//! What `rotate-keys` cannot do without.

use secrecy::SecretString;

use super::serve::Missing;
use super::{Config, DatabaseConfig, ServeAudit, ServeKeys, SettingError};

/// The settings of `rotate-keys`.
#[derive(Debug)]
pub struct RotationConfig {
    /// The database, as the runtime role.
    pub database_url: SecretString,
    /// The pool.
    pub database: DatabaseConfig,
    /// The keys.
    pub keys: ServeKeys,
    /// What stamps the audit entry.
    pub audit: ServeAudit,
}

impl Config {
    /// The settings of `rotate-keys`, or everything that is missing for it.
    pub fn for_rotation(self) -> Result<RotationConfig, Vec<SettingError>> {
        let mut m = Missing::default();
        let url = m.need("database_url", "must be set: the database as the runtime role", self.database_url);
        let keys = m.keys(self.keys);
        let audit = m.audit(self.audit);
        let (Some(database_url), Some(keys), Some(audit)) = (url, keys, audit) else { return Err(m.into_errors()) };
        Ok(RotationConfig { database_url, database: self.database, keys, audit })
    }
}
