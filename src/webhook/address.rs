//! The address guard: where a webhook may be sent. Pure; called when an endpoint is saved and again for every
//! connection.
//!
//! The rules, in this order:
//! 1. *Never*, whatever is configured: the clouds' metadata services ([`super::metadata`]), by address and by name;
//!    addresses that mean "this host" (0.0.0.0/8, `::`); our own services ([`super::own_services`]). Loopback has a
//!    setting of its own.
//! 2. The operator's networks and host suffixes are allowed; the list of ports, if there is one, always applies.
//! 3. Private and special ranges are refused, and so is IPv6 outside `2000::/3`.
//! 4. Public addresses are allowed only if the operator enables them.
//!
//! An IPv6 address that contains an IPv4 address (mapped, compatible, 6to4, NAT64) is judged by the IPv4 address,
//! because that is where the packet is delivered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::cidr::Cidr;
use super::embedded::{inner, possible};
use super::metadata;

/// What the operator allows. The default allows nothing.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Whether `http` URLs are accepted besides `https`.
    pub allow_http: bool,
    /// Whether loopback addresses are allowed: for development and tests. No list allows them.
    pub allow_loopback: bool,
    /// Networks that are allowed, even if they are private.
    pub allow_cidrs: Vec<Cidr>,
    /// Hosts that are allowed together with all their subdomains (`svc.cluster.local`), whatever they resolve to,
    /// except for rule 1.
    pub allow_host_suffixes: Vec<String>,
    /// If given, no other port is allowed anywhere.
    pub allow_ports: Option<Vec<u16>>,
    /// Whether addresses of the public internet are allowed.
    pub allow_public: bool,
    /// Further addresses that are never allowed; `0.0.0.0` with a port stands for that port on loopback. The gateway's
    /// own services are handled by [`super::own_services`].
    pub never: Vec<SocketAddr>,
}

/// Why an address is refused. For operators: the delivery log shows one coarse code for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClosedReason {
    /// Rule 1.
    #[error("this address is never allowed for webhooks")]
    Never,
    /// Rule 1, for our own services.
    #[error(
        "this is one of the gateway's own services, which are not allowed for webhooks (if a service shares its \
         address with a receiver, the operator can allow the receiver's host by name)"
    )]
    Own,
    /// Loopback, which is not enabled.
    #[error("loopback addresses are not allowed for webhooks")]
    Loopback,
    /// Not in the list of ports.
    #[error("this port is not allowed for webhooks")]
    Port,
    /// Rule 3.
    #[error("private and special addresses are not allowed for webhooks")]
    Private,
    /// Rule 4.
    #[error("public addresses are not allowed for webhooks")]
    Public,
}

impl AddressPolicy {
    /// Whether a request to `host` may be sent to `address`, to which it resolves.
    pub fn judge(&self, host: &str, address: SocketAddr) -> Result<(), ClosedReason> {
        let (ip, port) = (inner(address.ip()), address.port());
        let metadata = metadata::is_named(host) || possible(address.ip()).any(metadata::is_at);
        if metadata || is_never(ip) || self.is_ours(ip, port) {
            return Err(ClosedReason::Never);
        }
        if self.allow_ports.as_ref().is_some_and(|ports| !ports.contains(&port)) {
            return Err(ClosedReason::Port);
        }
        if ip.is_loopback() {
            return if self.allow_loopback { Ok(()) } else { Err(ClosedReason::Loopback) };
        }
        if self.allow_cidrs.iter().any(|range| range.contains(ip)) || self.names(host) {
            return Ok(());
        }
        match (is_special(ip), self.allow_public) {
            (true, _) => Err(ClosedReason::Private),
            (false, true) => Ok(()),
            (false, false) => Err(ClosedReason::Public),
        }
    }

    fn is_ours(&self, ip: IpAddr, port: u16) -> bool {
        self.never.iter().any(|ours| {
            let here = inner(ours.ip());
            ours.port() == port && (here == ip || (here.is_unspecified() && ip.is_loopback()))
        })
    }

    /// Whether the operator allows this host by name.
    pub(super) fn names(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
        // Suffixes apply only to names: "0.0.1" must not allow 127.0.0.1.
        bare.parse::<IpAddr>().is_err() && self.allow_host_suffixes.iter().any(|suffix| is_below(&bare, suffix))
    }
}

fn is_below(host: &str, suffix: &str) -> bool {
    let suffix = suffix.trim_matches('.').to_ascii_lowercase();
    let rest = host.strip_suffix(suffix.as_str());
    // Only at a dot: "evil-example.com" is not below "example.com". An empty suffix matches nothing.
    !suffix.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_never(ip: IpAddr) -> bool {
    let here = match ip {
        IpAddr::V4(v4) => v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    here || metadata::is_at(ip)
}

/// Whether an address is private or special, that is, not on the public internet.
pub(super) fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => is_special_v6(v6),
    }
}

/// The IANA registry of special-purpose IPv4 addresses, as far as no receiver can be there.
fn is_special_v4(ip: Ipv4Addr) -> bool {
    matches!(
        ip.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// Everything outside `2000::/3`; inside it, protocol assignments including Teredo (`2001::/23`) and documentation.
fn is_special_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first & 0xe000 != 0x2000
        || (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        || (first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &AddressPolicy, host: &str, ip: &str) -> Result<(), ClosedReason> {
        policy.judge(host, SocketAddr::new(ip.parse().unwrap(), 443))
    }

    /// The most permissive policy.
    fn wide() -> AddressPolicy {
        AddressPolicy {
            allow_http: true,
            allow_loopback: true,
            allow_cidrs: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            allow_host_suffixes: vec!["internal".into()],
            allow_ports: None,
            allow_public: true,
            never: vec!["10.0.0.5:443".parse().unwrap(), "0.0.0.0:8080".parse().unwrap()],
        }
    }

    #[test]
    fn some_addresses_no_list_opens() {
        for ip in [
            "100.100.100.200",
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "fe80::1",
            "febf::1",
            "10.0.0.5",
            "::ffff:100.100.100.200",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::6464:64c8",
            "2002:a9fe:a9fe::1",
            "2002:6464:64c8::",
            "::ffff:0.0.0.0",
            "::ffff:10.0.0.5",
            "64:ff9b::10.0.0.5",
        ] {
            assert_eq!(judge(&wide(), "receiver.internal", ip), Err(ClosedReason::Never), "{ip}");
        }
    }

    #[test]
    fn loopback_has_its_own_switch() {
        let closed = AddressPolicy { allow_loopback: false, ..wide() };
        for ip in
            ["127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"]
        {
            assert_eq!(judge(&closed, "receiver.internal", ip), Err(ClosedReason::Loopback), "{ip}");
            assert_eq!(judge(&wide(), "receiver.internal", ip), Ok(()), "{ip}");
        }
        assert_eq!(
            wide().judge("localhost", "127.0.0.1:8080".parse().unwrap()),
            Err(ClosedReason::Never),
            "our own listener"
        );
    }

    #[test]
    fn special_ranges_are_closed_unless_listed() {
        let public = AddressPolicy { allow_public: true, ..AddressPolicy::default() };
        for ip in [
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "fc00::1",
            "fd00::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "2001::1",
            "2001:20::1",
            "3fff::1",
            "64:ff9b:1::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:c0a8:1::1",
            "5f00::1",
            "4000::1",
            "e000::1",
        ] {
            assert_eq!(judge(&public, "receiver.example", ip), Err(ClosedReason::Private), "{ip}");
            assert_eq!(judge(&wide(), "receiver.example", ip), Ok(()), "{ip}");
        }
    }

    #[test]
    fn public_addresses_need_their_switch() {
        let public = AddressPolicy { allow_public: true, ..AddressPolicy::default() };
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2400:3200::1",
            "2001:4860::8888",
            "3ffe::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(judge(&public, "receiver.example", ip), Ok(()), "{ip}");
            assert_eq!(judge(&AddressPolicy::default(), "receiver.example", ip), Err(ClosedReason::Public), "{ip}");
        }
    }

    #[test]
    fn networks_and_suffixes_open_what_they_name() {
        let policy = AddressPolicy {
            allow_cidrs: vec!["10.1.0.0/16".parse().unwrap()],
            allow_host_suffixes: vec![".svc.cluster.local".into(), "Example.COM".into(), String::new(), ".".into()],
            ..AddressPolicy::default()
        };
        assert_eq!(judge(&policy, "anything", "10.1.2.3"), Ok(()));
        assert_eq!(judge(&policy, "anything", "::ffff:10.1.2.3"), Ok(()));
        assert_eq!(judge(&policy, "anything", "10.2.0.1"), Err(ClosedReason::Private));
        for host in ["a.svc.cluster.local", "SVC.cluster.local", "hooks.example.com", "hooks.example.com."] {
            assert_eq!(judge(&policy, host, "192.168.1.1"), Ok(()), "{host}");
        }
        for host in ["evilexample.com", "example.com.evil", "com", "", "192.168.1.1", "[::1]"] {
            assert_eq!(judge(&policy, host, "192.168.1.1"), Err(ClosedReason::Private), "{host}");
        }
    }

    #[test]
    fn the_list_of_ports_always_binds() {
        let policy = AddressPolicy { allow_ports: Some(vec![443, 8443]), ..wide() };
        let at = |text: &str| policy.judge("receiver.internal", text.parse().unwrap());
        assert_eq!(at("10.1.1.1:8443"), Ok(()));
        assert_eq!(at("10.1.1.1:22"), Err(ClosedReason::Port));
        assert_eq!(at("127.0.0.1:22"), Err(ClosedReason::Port));
        assert_eq!(at("169.254.169.254:80"), Err(ClosedReason::Never), "the stronger reason first");
    }
}
