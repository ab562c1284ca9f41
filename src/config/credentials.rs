//! What signs and what encrypts: the role that the cloud's key assumes, and the master keys.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::Reader;

/// `cloud.role_*`: a role that the cloud's key assumes.
#[derive(Debug, Clone)]
pub struct RoleConfig {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// How the session is called in the cloud's logs.
    pub session: String,
    /// How long its credentials last.
    pub lasts: Duration,
    /// What the role's owner demands.
    pub external_id: Option<SecretString>,
}

/// `keys.*`: encryption at rest.
#[derive(Debug)]
pub struct KeysConfig {
    /// 32 bytes in base64 or hexadecimal digits; the form is checked.
    pub master: Option<SecretString>,
    /// Its id, kept beside everything that it sealed.
    pub master_id: String,
    /// `keys.master_previous` and its id: a second key, which opens and does not seal.
    pub previous: Option<(String, SecretString)>,
}

impl RoleConfig {
    pub(super) fn read(r: &mut Reader) -> Option<Self> {
        let session = r.role_session("cloud.role_session").unwrap_or_else(|| "eci-cache-gateway".to_owned());
        let lasts = r.seconds("cloud.role_seconds", 900..=43_200, 3_600);
        let external_id = r.secret("cloud.role_external_id");
        r.role_arn("cloud.role_arn").map(|arn| Self { arn, session, lasts, external_id })
    }
}

impl KeysConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let master_id = r.key_id("keys.master_id").unwrap_or_else(|| "k1".to_owned());
        let id = r.key_id("keys.master_previous_id");
        let previous = r.master_key("keys.master_previous");
        let previous = r.previous_key(&master_id, id, previous);
        Self { master: r.master_key("keys.master"), previous, master_id }
    }
}
