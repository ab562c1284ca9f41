//! What calls are signed with: an access key, or temporary credentials of a role that it assumes.
//!
//! What must stay true: `Debug` shows no secret.
//!
//! Used by the client. It neither signs nor fetches anything.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

/// An access key of a cloud account, or temporary credentials.
#[derive(Clone)]
pub struct Credentials {
    /// `AccessKeyId`. Not a secret, but never logged.
    pub access_key_id: String,
    /// The secret used for signing.
    pub access_key_secret: SecretString,
    /// `SecurityToken`, only with STS credentials.
    pub security_token: Option<SecretString>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Every secret in it that no message may contain.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let token = self.security_token.as_ref().map(secrecy::ExposeSecret::expose_secret);
        [Some(self.access_key_id.as_str()), Some(self.access_key_secret.expose_secret()), token].into_iter().flatten()
    }
}

/// A role that a key assumes, so that calls are signed with credentials that expire.
#[derive(Debug, Clone)]
pub struct Role {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// The name of the session in the cloud's logs: 2 to 64 characters.
    pub session: String,
    /// The lifetime of its credentials: from 900 s to what the role allows, 43,200 s at most.
    pub lasts: Duration,
    /// The external id that the role's owner requires, if any.
    pub external_id: Option<SecretString>,
    /// The STS endpoint, such as `https://sts.aliyuncs.com`.
    pub endpoint: String,
}

/// The source of a client's credentials.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// This key itself.
    Own(Credentials),
    /// Credentials of the role, which this key assumes.
    Assumed(Credentials, Role),
}

impl From<Credentials> for CredentialSource {
    fn from(credentials: Credentials) -> Self {
        Self::Own(credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let credentials = Credentials {
            access_key_id: "canary-id".into(),
            access_key_secret: "canary-secret".into(),
            security_token: Some("canary-token".into()),
        };
        let role = Role {
            arn: "acs:ram::1:role/r".into(),
            session: "s".into(),
            lasts: Duration::from_hours(1),
            external_id: Some("canary-external".into()),
            endpoint: "https://sts.example".into(),
        };
        let shown = format!("{:?} {:?}", credentials.clone(), CredentialSource::Assumed(credentials, role));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
