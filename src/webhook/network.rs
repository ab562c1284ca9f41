//! The networks in which an endpoint answered its challenge. A name may change its address within them; if it resolves
//! to another network, somebody else may own it, and it is challenged again.
//!
//! A network is 24 bits of an IPv4 address or 48 bits of an IPv6 address: the usual size of one site. The addresses of
//! a load balancer or a CDN are in several, so an endpoint may have several.

use std::net::IpAddr;

use super::cidr::Cidr;
use super::embedded::inner;

/// The maximum number of networks of one endpoint; the oldest is removed.
pub const MOST: usize = 64;

/// The networks of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Cidr>);

impl Networks {
    /// Parses networks. Invalid ones are left out; the endpoint is then challenged again.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a String>) -> Self {
        Self(texts.into_iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// The networks as texts.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Adds the network of `ip` as the newest.
    #[must_use]
    pub fn with(mut self, ip: IpAddr) -> Self {
        let network = around(ip);
        self.0.retain(|known| *known != network);
        self.0.push(network);
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
        self
    }

    /// Whether an address is in one of them.
    pub fn hold(&self, ip: IpAddr) -> bool {
        let ip = inner(ip);
        self.0.iter().any(|network| network.contains(ip))
    }
}

fn around(ip: IpAddr) -> Cidr {
    match inner(ip) {
        IpAddr::V4(v4) => Cidr::around(IpAddr::V4(v4), 24),
        v6 @ IpAddr::V6(_) => Cidr::around(v6, 48),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_a_site() {
        let known = Networks::default().with(ip("10.1.2.3")).with(ip("2001:db8:1:2::3")).with(ip("10.1.2.9"));
        assert_eq!(known.texts(), ["2001:db8:1::/48", "10.1.2.0/24"]);
        for inside in ["10.1.2.200", "::ffff:10.1.2.4", "2001:db8:1:ffff::1"] {
            assert!(known.hold(ip(inside)), "{inside}");
        }
        for outside in ["10.1.3.1", "2001:db8:2::1", "::1"] {
            assert!(!known.hold(ip(outside)), "{outside}");
        }
        assert_eq!(Networks::read(&known.texts()), known);
        assert_eq!(Networks::read(&["nonsense".to_owned()]), Networks::default());
    }

    #[test]
    fn the_oldest_goes() {
        let many = (0..=255).fold(Networks::default(), |all, n| all.with(IpAddr::from([10, 1, n, 1])));
        assert_eq!(many.texts().len(), MOST);
        assert!(many.hold(ip("10.1.255.1")) && !many.hold(ip("10.1.0.1")));
    }
}
