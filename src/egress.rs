//! Floor ½: how our HTTP clients make outgoing connections, directly or through an HTTP proxy, and which CAs they
//! trust.
//!
//! Each client is configured separately: the proxy for the cloud need not be the one for webhook receivers. The
//! environment (`HTTPS_PROXY` and the like) is ignored.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How to make outgoing connections.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// The proxy; `None` for direct connections.
    pub proxy: Option<Proxy>,
    /// CA certificates (PEM) that are trusted in addition to the system's.
    pub extra_ca_pem: Option<Vec<u8>>,
}

/// CA certificates (PEM) that were parsed successfully.
#[derive(Clone)]
pub struct Authorities(Vec<u8>);

/// The text is not a bundle of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificate in PEM form")]
pub struct AuthoritiesError;

impl Authorities {
    /// Parses a bundle of at least one certificate.
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

/// An HTTP proxy. Requests to `https` URLs are tunnelled through it (CONNECT), so it cannot read them.
#[derive(Clone)]
pub struct Proxy {
    /// Without the credentials: `http://host:port`.
    address: Url,
    /// User and password, if the proxy requires them.
    login: Option<(String, SecretString)>,
}

/// The text is not the address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the http address of a proxy, such as http://user:password@proxy.example.com:3128")]
pub struct ProxyError;

impl Egress {
    /// With this proxy and these additional CAs.
    pub fn new(proxy: Option<Proxy>, authorities: Option<Authorities>) -> Self {
        Self { proxy, extra_ca_pem: authorities.map(|read| read.0) }
    }

    /// The builder of an HTTP client that connects in this way only.
    ///
    /// # Errors
    /// If the certificates are not a PEM bundle.
    pub fn client(&self) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        // Ignore proxies in the environment.
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
    /// The address without the credentials: `http://host:port/`.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// User and password, if the proxy requires them.
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
