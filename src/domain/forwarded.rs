//! Finds the client that a request came from when there are proxies in front of the gateway: reads `Forwarded` (RFC
//! 7239) and `X-Forwarded-For` from the right.
//!
//! Each proxy appends the address that it was reached from, so the rightmost element was written by the nearest one.
//! What must stay true: nothing counts that was not written by a trusted proxy; no client can take another's address,
//! whatever it sends; if the next address is unreadable (`unknown`, an obfuscated name, garbage), the last known one is
//! used. If both headers are present, `X-Forwarded-For` counts: proxies set it by default, and pass on a `Forwarded`
//! that the client made up.
//!
//! Called by the HTTP interfaces for each request.

use std::net::{IpAddr, Ipv6Addr};

/// The most trusted proxies that are followed; longer chains do not occur in practice.
const MOST_HOPS: usize = 32;
/// The most elements that are read in all, including empty ones.
const MOST_ELEMENTS: usize = 256;

/// The lines of the two headers, each in order.
#[derive(Debug, Clone, Default)]
pub struct ForwardedHeaders<'a> {
    /// The lines of `X-Forwarded-For`.
    pub x_forwarded_for: Vec<&'a [u8]>,
    /// The lines of `Forwarded`.
    pub forwarded: Vec<&'a [u8]>,
}

/// The client's address as far as trusted proxies report it; the address of `peer` if none does. An IPv4 address is
/// never returned as IPv6.
pub fn client(peer: IpAddr, trusted: impl Fn(IpAddr) -> bool, lines: &ForwardedHeaders<'_>) -> IpAddr {
    let peer = peer.to_canonical();
    if lines.x_forwarded_for.is_empty() {
        walk(peer, trusted, from_the_right(&lines.forwarded), forwarded_node)
    } else {
        walk(peer, trusted, from_the_right(&lines.x_forwarded_for), |element| node(&unquoted(element)?))
    }
}

/// Walks from proxy to proxy, as long as they are trusted and name an address.
fn walk<'a>(
    peer: IpAddr,
    trusted: impl Fn(IpAddr) -> bool,
    elements: impl Iterator<Item = &'a [u8]>,
    read: impl Fn(&str) -> Option<IpAddr>,
) -> IpAddr {
    let mut known = peer;
    let told = elements.take(MOST_ELEMENTS).filter(|element| !element.is_empty());
    for element in told.take(MOST_HOPS) {
        if !trusted(known) {
            break;
        }
        match std::str::from_utf8(element).ok().and_then(&read) {
            Some(next) => known = next,
            None => break,
        }
    }
    known
}

/// The elements of all lines, the last one first, trimmed.
fn from_the_right<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lines.iter().rev().flat_map(|line| FromTheRight(Some(line)))
}

/// The rest of a line whose elements are taken from its end. A comma in quotes does not separate elements. Quotes are
/// also matched from the right, so that one that a client left open cannot hide what a proxy wrote after it.
struct FromTheRight<'a>(Option<&'a [u8]>);

impl<'a> Iterator for FromTheRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.0?;
        let mut quoted = false;
        for (place, byte) in line.iter().enumerate().rev() {
            match byte {
                b'"' if !is_escaped(&line[..place]) => quoted = !quoted,
                b',' if !quoted => {
                    self.0 = Some(&line[..place]);
                    return Some(line[place + 1..].trim_ascii());
                }
                _ => {}
            }
        }
        self.0 = None;
        Some(line.trim_ascii())
    }
}

fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The text without its quotes and escapes; none if they are malformed.
fn unquoted(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let inner = inner.strip_suffix('"').filter(|inner| !is_escaped(inner.as_bytes()))?;
    let (mut plain, mut letters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' => plain.push(letters.next()?),
            other => plain.push(other),
        }
    }
    Some(plain)
}

/// The address in the `for` of an element. IPv6 is always in brackets there.
fn forwarded_node(element: &str) -> Option<IpAddr> {
    let value = unquoted(forwarded_for(element)?)?;
    if value.parse::<Ipv6Addr>().is_ok() { None } else { node(&value) }
}

/// The one `for` of an element such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut found = None;
    for pair in pairs(element) {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    found
}

/// The pairs of an element; a semicolon in quotes does not separate them.
fn pairs(element: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let bytes = element.as_bytes();
    let mut begin = 0;
    let ends = (0..=bytes.len()).filter(move |place| match bytes.get(*place) {
        Some(b'"') if !is_escaped(&bytes[..*place]) => {
            quoted = !quoted;
            false
        }
        Some(b';') => !quoted,
        None => true,
        _ => false,
    });
    let parts = ends.map(move |end| &element[std::mem::replace(&mut begin, end + 1)..end]);
    parts.map(str::trim).filter(|pair| !pair.is_empty())
}

/// The address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; a port may be
/// obfuscated (`_p`).
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = address.parse().ok().filter(|_| good)?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = text.split_once(':')?;
    address.parse().ok().map(IpAddr::V4).filter(|_| is_port(port))
}

fn is_port(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(word),
        None => text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::domain::property::holds;

    #[test]
    fn elements_come_from_the_right_and_quotes_hold_them_together() {
        let split = |line: &str| {
            let parts = FromTheRight(Some(line.as_bytes())).map(|part| String::from_utf8_lossy(part).into_owned());
            parts.collect::<Vec<_>>()
        };
        assert_eq!(split(" a , b,,c "), ["c", "", "b", "a"]);
        assert_eq!(split(r#"for="a,b", for=c"#), ["for=c", r#"for="a,b""#]);
        assert_eq!(split(r#"x="\",\"", for=c"#), ["for=c", r#"x="\",\"""#]);
        assert_eq!(split(r#"for=a;x=", for=c"#)[0], "for=c");
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn quoted_texts_are_read_or_refused() {
        for (text, plain) in [
            ("a", Some("a")),
            (r#""a""#, Some("a")),
            (r#""a\"b\\""#, Some(r#"a"b\"#)),
            (r#""a"#, None),
            (r#"a""#, None),
            (r#""a"b""#, None),
            (r#""a\""#, None),
            (r#"""#, None),
        ] {
            assert_eq!(unquoted(text).as_deref(), plain, "{text}");
        }
    }

    /// What a client may have put in front of what the proxies write.
    fn made_up() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let piece = select(
            &["1.2.3.4", "for=", "\"", "\\", ",", ";", "[::1]", "unknown", "by=x", " ", "10.0.0.1", "=", "é"][..],
        );
        let line =
            prop_oneof![vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes()), vec(any::<u8>(), 0..30)];
        vec(line, 0..4)
    }

    #[test]
    fn nobody_has_another_address_than_the_proxy_saw_whatever_they_send() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        holds(
            3_000,
            (made_up(), any::<IpAddr>(), any::<bool>(), any::<bool>()),
            |(sent, seen, standard, same_line)| {
                let written = match (standard, seen) {
                    (false, _) => seen.to_string(),
                    (true, IpAddr::V4(_)) => format!("for={seen}"),
                    (true, IpAddr::V6(_)) => format!("for=\"[{seen}]\""),
                };
                let mut told = sent;
                match told.last_mut().filter(|_| same_line) {
                    Some(line) => line.extend([b", ", written.as_bytes()].concat()),
                    None => told.push(written.into_bytes()),
                }
                let told: Vec<&[u8]> = told.iter().map(Vec::as_slice).collect();
                let lines = if standard {
                    ForwardedHeaders { forwarded: told, ..ForwardedHeaders::default() }
                } else {
                    ForwardedHeaders { x_forwarded_for: told, ..ForwardedHeaders::default() }
                };
                prop_assert_eq!(
                    client(proxy, |address| address == proxy && seen.to_canonical() != proxy, &lines),
                    seen.to_canonical()
                );
                prop_assert_eq!(client(proxy, |_| false, &lines), proxy, "nobody is trusted");
                Ok(())
            },
        );
    }
}
