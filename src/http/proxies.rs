//! The proxies that the operator trusts: what they say of a request counts, nobody else's word does.
//!
//! What must stay true: this is the one place where a header of theirs is looked at. Which address a client has
//! ([`crate::domain::forwarded`]), and which prefix was taken off the path ([`super::links`]), is all that is believed.
//! `X-Forwarded-Host` and `-Proto` never are: links of answers are paths, which lead to wherever the client asked, and
//! absolute only where the operator says so (`public_url`); so no header can send a reader elsewhere.
//!
//! Who calls it: the outermost wrapper, for each request, and the server, for each connection.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderValue};

use crate::domain::forwarded::{ForwardedHeaders, client};
use crate::webhook::cidr::Cidr;

/// Who is trusted; nobody by default. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[Cidr]>);

impl TrustedProxies {
    /// Those in these networks.
    pub fn new(networks: Vec<Cidr>) -> Self {
        Self(networks.into())
    }

    /// Whether one is at this address.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address of the client behind `peer`.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer.to_canonical();
        }
        let lines = ForwardedHeaders {
            x_forwarded_for: headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect(),
            forwarded: headers.get_all(FORWARDED).iter().map(HeaderValue::as_bytes).collect(),
        };
        client(peer, |address| self.trusts(address), &lines)
    }
}
