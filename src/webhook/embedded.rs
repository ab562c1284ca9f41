//! IPv4 addresses embedded in IPv6 addresses. A packet to the IPv6 address may be delivered to the IPv4 address: the
//! kernel unwraps some of them, translators and relays the others.
//!
//! Called by [`super::address`] and [`super::network`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The embedded IPv4 address if it is generally recognized as one; otherwise the address itself.
pub(super) fn inner(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let segments = v6.segments();
    let (front, last) = (&segments[..6], (segments[6], segments[7]));
    let inside = match front {
        // `::` and `::1` contain no IPv4 address.
        [0, 0, 0, 0, 0, 0] if last <= (0, 1) => None,
        // Compatible (`::/96`), mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`), NAT64 (`64:ff9b::/96`).
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(last),
        [0x2002, high, low, ..] => Some((*high, *low)),
        _ => None,
    };
    inside.map_or(ip, |(high, low)| IpAddr::V4(v4(high, low)))
}

/// IPv4 addresses that may be embedded if a network has its own translator or relay: NAT64 with a prefix of the network
/// itself (RFC 6052) or of RFC 8215, Teredo (RFC 4380), ISATAP (RFC 5214). Use it only to check whether one of them is
/// never allowed: most addresses contain none of these.
pub(super) fn possible(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let of = |v6: Ipv6Addr| {
        let [first, second, third, fourth, fifth, sixth, seventh, last] = v6.segments();
        // RFC 6052, 2.2: after a prefix of 96 bits it is at the end; so it is with ISATAP.
        let mut found = vec![v4(seventh, last)];
        if (first, second, third) == (0x64, 0xff9b, 1) {
            // The same for prefixes of 48, 56 and 64 bits; bits 64 to 71 are skipped.
            found.push(v4(fourth, ((fifth & 0xff) << 8) | (sixth >> 8)));
            found.push(v4(((fourth & 0xff) << 8) | (fifth & 0xff), sixth));
            found.push(v4(((fifth & 0xff) << 8) | (sixth >> 8), ((sixth & 0xff) << 8) | (seventh >> 8)));
        }
        if (first, second) == (0x2001, 0) {
            // The server, and the client with all bits inverted.
            found.extend([v4(third, fourth), v4(!seventh, !last)]);
        }
        found
    };
    let found = match ip {
        IpAddr::V6(v6) => of(v6),
        IpAddr::V4(_) => Vec::new(),
    };
    found.into_iter().map(IpAddr::V4)
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::property::holds;

    #[test]
    fn every_place_of_rfc_6052_is_looked_at() {
        // The examples in its section 2.4, with the prefix of RFC 8215: 192.0.2.33 is c000:221.
        for text in [
            "64:ff9b:1:c000:2:2100::",
            "64:ff9b:1:c0:0:221::",
            "64:ff9b:1:0:c0:2:2100:0",
            "64:ff9b:1::c000:221",
            "2001:db8:122:344::192.0.2.33",
            "2001:0:4136:e378:8000:63bf:3fff:fdde",
            "2001:0:c000:221:8000:63bf:3fff:3fff",
            "2001:db8::200:5efe:c000:221",
        ] {
            let found: Vec<_> = possible(text.parse().unwrap()).collect();
            assert!(found.contains(&"192.0.2.33".parse().unwrap()), "{text}: {found:?}");
        }
    }

    #[test]
    fn any_address_is_found_in_whatever_wraps_it() {
        holds(1_000, any::<([u16; 2], [u16; 6])>(), |([high, low], other)| {
            let wanted = IpAddr::V4(v4(high, low));
            let [one, two, three, four, five, six] = other;
            for segments in [
                [0, 0, 0, 0, 0, 0xffff, high, low],
                [0x64, 0xff9b, 0, 0, 0, 0, high, low],
                [0x2002, high, low, two, three, four, five, six],
            ] {
                prop_assert_eq!(inner(IpAddr::V6(segments.into())), wanted, "{:x?}", segments);
            }
            // After any prefix of 96 bits, and where Teredo has its clients.
            for segments in
                [[one, two, three, four, five, six, high, low], [0x2001, 0, three, four, five, six, !high, !low]]
            {
                prop_assert!(possible(IpAddr::V6(segments.into())).any(|found| found == wanted), "{:x?}", segments);
            }
            Ok(())
        });
    }
}
