//! How the issuer's keys are fetched.

use std::path::PathBuf;

use super::reader::Reader;
use crate::egress::Proxy;

/// How the issuer's keys are fetched.
#[derive(Debug, Clone, Default)]
pub struct JwksConfig {
    /// `auth.jwks_proxy`: the proxy that they are fetched through, if any.
    pub proxy: Option<Proxy>,
    /// `auth.jwks_ca_file`: certificates (PEM) to trust there besides the system's.
    pub ca_file: Option<PathBuf>,
    /// `auth.jwks_http_hosts`: hosts, beside loopback, that may be asked in plain http.
    pub http_hosts: Vec<String>,
}

impl JwksConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        Self {
            proxy: r.proxy("auth.jwks_proxy"),
            ca_file: r.path("auth.jwks_ca_file"),
            http_hosts: r.hosts("auth.jwks_http_hosts"),
        }
    }
}
