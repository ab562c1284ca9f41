//! Between the floors 0 and 1: how a client of ours gets out of the network: straight, or through an HTTP proxy; and
//! whom it trusts there.
//!
//! Every client is told for itself: the proxy that reaches the cloud is not always the one that receivers are behind.
//! What the environment says (`HTTPS_PROXY` and its kin) is not followed.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How to get out.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Through this proxy; none: straight.
    pub proxy: Option<Proxy>,
    /// Certificates of authorities (PEM) that are trusted beside the system's.
    pub extra_ca_pem: Option<Vec<u8>>,
}

/// Certificates of authorities (PEM), which could be read.
#[derive(Clone)]
pub struct Authorities(Vec<u8>);

/// A text that is no bundle of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificate in PEM form")]
pub struct AuthoritiesError;

impl Authorities {
    /// Reads a bundle of certificates, of which there must be one.
    pub fn read(pem: Vec<u8>) -> Result<Self, AuthoritiesError> {
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(found) if !found.is_empty() => Ok(Self(pem)),
            _ => Err(AuthoritiesError),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({} bytes)", self.0.len())
    }
}

/// An HTTP proxy. What goes to an `https` address goes through it in a tunnel (CONNECT), which it cannot read.
#[derive(Clone)]
pub struct Proxy {
    /// Without its login: `http://host:port`.
    address: Url,
    /// What it asks for: user and password.
    login: Option<(String, SecretString)>,
}

/// A text that is no proxy's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the http address of a proxy, such as http://user:password@proxy.example.com:3128")]
pub struct ProxyError;

impl Egress {
    /// Through this proxy, and with these authorities.
    pub fn new(proxy: Option<Proxy>, authorities: Option<Authorities>) -> Self {
        Self { proxy, extra_ca_pem: authorities.map(|read| read.0) }
    }

    /// An HTTP client that gets out in this way, and in no other.
    ///
    /// # Errors
    /// If the certificates are no PEM bundle.
    pub fn client(&self) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        // Nothing of the environment.
        let mut client = reqwest::Client::builder().no_proxy();
        if let Some(proxy) = &self.proxy {
            let through = reqwest::Proxy::all(proxy.address())?;
            client = client.proxy(match proxy.login() {
                Some((user, password)) => through.basic_auth(user, password.expose_secret()),
                None => through,
            });
        }
        let extra = self.extra_ca_pem.as_deref().map(reqwest::Certificate::from_pem_bundle).transpose()?;
        Ok(client.tls_certs_merge(extra.into_iter().flatten()))
    }
}

impl Proxy {
    /// Its address without the login: `http://host:port/`.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// User and password, where it asks for them.
    pub fn login(&self) -> Option<(&str, &SecretString)> {
        self.login.as_ref().map(|(user, password)| (user.as_str(), password))
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let mut address = Url::parse(text).map_err(|_| ProxyError)?;
        let bare = address.path() == "/" && address.query().is_none() && address.fragment().is_none();
        if address.scheme() != "http" || !address.has_host() || !bare || address.port() == Some(0) {
            return Err(ProxyError);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| ProxyError);
        let user = decoded(address.username())?;
        let password = decoded(address.password().unwrap_or_default())?;
        if address.password().is_some() && user.is_empty() || user.contains(':') {
            return Err(ProxyError);
        }
        address.set_username("").and_then(|()| address.set_password(None)).map_err(|()| ProxyError)?;
        let login = (!user.is_empty()).then(|| (user, password.into()));
        Ok(Self { address, login })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_perhaps_a_login() {
        let proxy: Proxy = "http://me:hu%40sh%3A@proxy.example.com:3128".parse().unwrap();
        let (user, password) = proxy.login().unwrap();
        assert_eq!(
            (proxy.address(), user, password.expose_secret()),
            ("http://proxy.example.com:3128/", "me", "hu@sh:")
        );
        assert!(!format!("{proxy:?}").contains("hu"), "{proxy:?}");
        assert!("http://10.0.0.1".parse::<Proxy>().unwrap().login().is_none());
        for bad in [
            "",
            "proxy.example.com:3128",
            "https://proxy.example.com",
            "socks5://proxy.example.com:1080",
            "http://proxy.example.com/path",
            "http://proxy.example.com?x",
            "http://:hush@proxy.example.com",
            "http://proxy.example.com:0",
        ] {
            assert!(bad.parse::<Proxy>().is_err(), "{bad}");
        }
    }
}
