//! Where the issuer's keys come from, and how they are kept fresh.
//!
//! A fixed set never changes. A remote set ([`remote`]) is fetched when it is first needed, again when it is older than
//! 5 minutes, and again when a token names a key that is not in it, because issuers rotate keys. A set that cannot be
//! renewed is trusted for as long as the issuer's configuration says, and not at all afterwards.
//!
//! Called by [`super::issuer`]. It verifies nothing itself.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::Duration;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::keys::{HmacSecrets, KeySet, KeySetError, public_algorithms};
use crate::domain::clock::Clock;
use crate::domain::identity::issuer::{ALGORITHMS, DEFAULT, Issuer, IssuerKeys, KeysFrom, discovery_url};
use crate::egress::Egress;

mod remote;

use remote::{JwksAddress, Remote};

/// Why keys cannot be loaded from a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not an `https` URL; `http` is only for loopback and for hosts that the operator has listed.
    #[error(
        "must be an https URL without user name (http is allowed only to loopback, or to a host that is \
             configured for it)"
    )]
    BadUrl,
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up: no certificate store, or the extra certificates are not a PEM bundle")]
    NoClient,
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    NoFile(String),
    /// It contains no usable keys.
    #[error("{0}")]
    Keys(#[from] KeySetError),
}

/// How to reach an issuer.
#[derive(Debug, Clone, Default)]
pub struct JwksSettings {
    /// How outgoing connections are made.
    pub egress: Egress,
    /// Hosts besides loopback for which plain `http` is allowed: whoever controls the network in between can forge
    /// tokens.
    pub http_hosts: Vec<String>,
}

/// There are no trusted keys: none were fetched yet, or they could not be renewed for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys are not available")]
pub struct Unavailable;

/// The state of an issuer's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyState {
    /// How long ago they were fetched; `None` if they were not fetched, or need not be.
    pub age: Option<Duration>,
    /// Why the last fetch failed, if it did.
    pub failure: Option<String>,
    /// Whether there are no trusted keys although a fetch was tried.
    pub missing: bool,
    /// How many entries of the document are invalid.
    pub faults: usize,
}

/// The source of an issuer's keys.
#[derive(Debug)]
pub struct KeySource(JwksSource);

#[derive(Debug)]
enum JwksSource {
    /// The flag tells whether only the operator has the signing keys: a secret, or a file.
    Fixed(Arc<KeySet>, bool),
    Remote(Arc<Remote>),
}

impl KeySource {
    /// One HS256 secret, for development: the bytes of the text, at least 32 of them.
    pub fn secret(secret: &SecretString) -> Result<Self, KeySetError> {
        let set = KeySet::from_secret(secret.expose_secret().as_bytes())?;
        Ok(Self(JwksSource::Fixed(Arc::new(set), true)))
    }

    /// A JWKS document from the operator's file, for the issuer of the settings.
    pub fn document(json: &[u8]) -> Result<Self, KeySetError> {
        Self::fixed(DEFAULT, json, HmacSecrets::Allowed, &ALGORITHMS)
    }

    fn fixed<S: AsRef<str>>(
        issuer: &str,
        json: &[u8],
        secrets: HmacSecrets,
        algorithms: &[S],
    ) -> Result<Self, KeySetError> {
        let set = KeySet::from_jwks(json, secrets, algorithms)?;
        tell_faults(issuer, &set);
        Ok(Self(JwksSource::Fixed(Arc::new(set), secrets == HmacSecrets::Allowed)))
    }

    /// A JWKS document at a URL, for the issuer of the settings; nothing is fetched yet.
    pub fn url(url: &str, reach: &JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let keys = IssuerKeys { from: KeysFrom::JwksUrl, url: Some(url.to_owned()), ..IssuerKeys::default() };
        Self::of(&Issuer { keys, ..of_settings() }, reach, clock)
    }

    /// The keys of this issuer found by `OpenID` discovery, for the issuer of the settings; nothing is fetched yet.
    pub fn discovered(issuer: &str, reach: &JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        Self::of(&Issuer { issuer: issuer.to_owned(), ..of_settings() }, reach, clock)
    }

    /// The source of that issuer's keys; nothing is fetched yet.
    pub fn of(issuer: &Issuer, reach: &JwksSettings, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let IssuerKeys { from, url, file, document } = &issuer.keys;
        let safe = |url: &Url| is_safe(url, &reach.http_hosts);
        let address = match from {
            KeysFrom::Document => {
                let text = document.as_ref().map(ToString::to_string).unwrap_or_default();
                return Ok(Self::fixed(&issuer.name, text.as_bytes(), HmacSecrets::Refused, &issuer.algorithms)?);
            }
            KeysFrom::JwksFile => {
                let path = file.as_deref().unwrap_or_default();
                let text = std::fs::read(path).map_err(|error| SourceError::NoFile(error.to_string()))?;
                return Ok(Self::fixed(&issuer.name, &text, HmacSecrets::Allowed, &issuer.algorithms)?);
            }
            KeysFrom::JwksUrl => {
                Url::parse(url.as_deref().unwrap_or_default()).ok().filter(safe).map(JwksAddress::Keys)
            }
            KeysFrom::Discovery => discovery_url(&issuer.issuer)
                .filter(safe)
                .map(|url| JwksAddress::Discovery { url, issuer: issuer.issuer.clone() }),
        };
        let remote = Remote::new(issuer, address.ok_or(SourceError::BadUrl)?, reach, clock)?;
        Ok(Self(JwksSource::Remote(Arc::new(remote))))
    }

    /// The keys, refreshed if they are old or do not contain `kid`. They may still not contain it.
    pub async fn keys_for(&self, kid: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        match &self.0 {
            JwksSource::Fixed(set, _) => Ok(Arc::clone(set)),
            JwksSource::Remote(remote) => remote.keys_for(kid).await,
        }
    }

    /// Whether only the operator can create tokens for these keys: a shared secret, or a file.
    pub fn is_own(&self) -> bool {
        matches!(self.0, JwksSource::Fixed(_, true))
    }

    /// The state of the keys.
    pub fn state(&self) -> KeyState {
        match &self.0 {
            JwksSource::Fixed(set, _) => KeyState { faults: set.count_faults(), ..KeyState::default() },
            JwksSource::Remote(remote) => remote.key_state(),
        }
    }

    /// Whether a fetched set does not contain this key.
    pub fn lacks(&self, kid: &str) -> bool {
        let JwksSource::Remote(remote) = &self.0 else { return false };
        remote.lacks(kid)
    }

    /// Identifies the set of keys in use; `None` if a refresh is due.
    pub fn generation(&self) -> Option<u64> {
        match &self.0 {
            JwksSource::Fixed(..) => Some(0),
            JwksSource::Remote(remote) => remote.generation(),
        }
    }
}

/// The issuer of the settings as far as its keys are concerned: any asymmetric algorithm is allowed.
fn of_settings() -> Issuer {
    let algorithms = public_algorithms().map(str::to_owned).collect();
    Issuer { name: DEFAULT.to_owned(), algorithms, ..Issuer::default() }
}

/// Logs which entries of a key set are invalid, if any are.
fn tell_faults(issuer: &str, set: &KeySet) {
    let faults = set.faults();
    if !faults.is_empty() {
        tracing::warn!(issuer, "some of the issuer's keys cannot be used and are skipped{faults}");
    }
}

/// Whether keys from this URL can be trusted: `https`, or `http` to this machine or to a listed host.
pub fn is_safe(url: &Url, http_hosts: &[String]) -> bool {
    let named = url.host_str().is_some_and(|host| http_hosts.iter().any(|named| named.eq_ignore_ascii_case(host)));
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && (loopback || named));
    scheme && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::SystemClock;

    #[test]
    fn only_https_or_loopback() {
        let good = ["https://idp.example/keys", "http://127.0.0.1:8/k", "http://[::1]/k", "http://localhost/k"];
        let bad = [
            "http://idp.example/keys",
            "http://10.0.0.1/k",
            "http://localhost.example/k",
            "http://127.0.0.1.example/k",
            "https://user@idp.example/keys",
            "https://:secret@idp.example/keys",
            "file:///etc/passwd",
            "ftp://127.0.0.1/k",
            "idp.example",
            "",
        ];
        for url in good {
            assert!(KeySource::url(url, &JwksSettings::default(), Arc::new(SystemClock)).is_ok(), "{url}");
        }
        for url in bad {
            let refused = KeySource::url(url, &JwksSettings::default(), Arc::new(SystemClock)).unwrap_err();
            assert_eq!(refused, SourceError::BadUrl, "{url}");
        }
        let named = ["Idp.example".to_owned(), "10.0.0.1".to_owned()];
        for (url, good) in [
            ("http://idp.example/keys", true),
            ("http://10.0.0.1:8080/k", true),
            ("http://a.idp.example/keys", false),
            ("http://user@idp.example/keys", false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).unwrap(), &named), good, "{url}");
        }
    }
}
