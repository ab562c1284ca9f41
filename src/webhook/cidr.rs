//! A network as operators write it: `10.0.0.0/8`, `fd00::/8`, or a single address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network: an address and the length of its prefix in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

/// The accepted formats.
pub const ALLOWED: &str = "an address, or a network such as 10.0.0.0/8 without bits set behind its prefix";

/// The text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {ALLOWED}")]
pub struct BadCidr;

impl Cidr {
    /// Whether it contains `address`. It never contains addresses of the other family.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether the two overlap; then one contains the other.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// The network of an address with this prefix length; only the address itself if it has fewer bits.
    pub fn around(address: IpAddr, bits: u8) -> Self {
        Self(IpNet::new(address, bits).unwrap_or(IpNet::from(address)).trunc())
    }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Self, BadCidr> {
        let range = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| BadCidr)?;
        // 10.1.0.0/8 is ambiguous: it may mean 10.1.0.0/16 or 10.0.0.0/8.
        if range == range.trunc() { Ok(Self(range)) } else { Err(BadCidr) }
    }
}

impl TryFrom<String> for Cidr {
    type Error = BadCidr;

    fn try_from(text: String) -> Result<Self, BadCidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(range: Cidr) -> Self {
        range.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::property::holds;

    #[test]
    fn ranges_contain_what_they_say() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.6"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("fd00::/8", "fd12::1", "fc00::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("fd00::1", "fd00::1", "fd00::2"),
        ] {
            let range: Cidr = range.parse().unwrap();
            assert!(range.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!range.contains(outside.parse().unwrap()), "{range} {outside}");
            assert_eq!(range.to_string().parse(), Ok(range));
        }
    }

    #[test]
    fn networks_around_addresses_and_those_that_meet() {
        for (address, bits, network) in
            [("10.1.2.3", 24, "10.1.2.0/24"), ("2001:db8:1:2::3", 48, "2001:db8:1::/48"), ("1.2.3.4", 0, "0.0.0.0/0")]
        {
            assert_eq!(Cidr::around(address.parse().unwrap(), bits).to_string(), network);
        }
        let meet = |one: &str, other: &str| one.parse::<Cidr>().unwrap().meets(&other.parse().unwrap());
        assert!(meet("10.0.0.0/8", "10.1.0.0/16") && meet("10.1.0.0/16", "10.0.0.0/8") && meet("::1", "::/0"));
        assert!(!meet("10.0.0.0/8", "11.0.0.0/8") && !meet("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.1.0.0/8", "fd00::1/8", "::/129", "a/8"] {
            assert_eq!(text.parse::<Cidr>(), Err(BadCidr), "{text}");
        }
    }

    #[test]
    fn any_network_reads_back_holds_its_address_and_lies_in_every_wider_one() {
        holds(1_000, (any::<IpAddr>(), 0..=128_u8, 0..=128_u8), |(address, one, other)| {
            let [narrow, wide] = [one.max(other), one.min(other)].map(|bits| Cidr::around(address, bits));
            for network in [narrow, wide] {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
                prop_assert!(network.contains(address), "{} {}", network, address);
            }
            let bits = if address.is_ipv4() { 32 } else { 128 };
            prop_assert_eq!(narrow.meets(&wide), true, "{} {}, of {} bits", narrow, wide, bits);
            Ok(())
        });
    }
}
