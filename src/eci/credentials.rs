//! What signs: a key of our own, or temporary credentials of a role that it assumes.
//!
//! What must stay true: no secret stands in `Debug`.
//!
//! Who calls it: the client. What it does not do: sign, or fetch anything.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

/// A cloud account's key.
#[derive(Clone)]
pub struct Credentials {
    /// `AccessKeyId`. Not secret by itself, yet never logged.
    pub access_key_id: String,
    /// The secret that signs.
    pub access_key_secret: SecretString,
    /// `SecurityToken`, with STS credentials.
    pub security_token: Option<SecretString>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Everything in it that no message may repeat.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let token = self.security_token.as_ref().map(secrecy::ExposeSecret::expose_secret);
        [Some(self.access_key_id.as_str()), Some(self.access_key_secret.expose_secret()), token].into_iter().flatten()
    }
}

/// A role that a key assumes, so that calls are signed with credentials that end by themselves.
#[derive(Debug, Clone)]
pub struct Role {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// How the session is called in the cloud's own logs: 2 to 64 characters.
    pub session: String,
    /// How long its credentials last: 900 s up to what the role allows, 43,200 s at most.
    pub lasts: Duration,
    /// What the role's owner demands of whoever assumes it, if anything.
    pub external_id: Option<SecretString>,
    /// The address of STS, such as `https://sts.aliyuncs.com`.
    pub endpoint: String,
}

/// What a client signs with.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// This key, as long as it is good.
    Own(Credentials),
    /// Credentials of a role that this key assumes.
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
