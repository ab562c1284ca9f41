//! Parses an endpoint's URL so that it is unambiguous.
//!
//! URL parsers are lenient in different ways, and the differences can be exploited. So what the URL standard would
//! silently repair (spaces, backslashes, missing slashes) is refused here, and what it normalizes (decimal, octal and
//! hexadecimal addresses, percent-encoding, full-width digits) is checked in its normal form.

use std::net::{IpAddr, SocketAddr};

use ::url::{Host, Url};

use super::address::{AddressPolicy, ClosedReason};

/// The maximum length of a URL in bytes.
pub const MAX_BYTES: usize = 2048;

/// Why a URL is refused. Can be shown to whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than [`MAX_BYTES`].
    #[error("must be at most {MAX_BYTES} bytes long")]
    TooLong,
    /// It cannot be parsed, or only by repairing it.
    #[error("must be an absolute URL such as https://hooks.example.com/caches")]
    Malformed,
    /// Neither `https` nor, if allowed, `http`.
    #[error("must begin with https://")]
    Scheme,
    /// It contains a user name or password.
    #[error("must not contain a user name or password")]
    UserInfo,
    /// It contains a fragment, which is never sent.
    #[error("must not contain a fragment")]
    Fragment,
    /// Its address is not allowed.
    #[error("{0}")]
    Address(#[from] ClosedReason),
}

/// Parses an endpoint's URL. A literal address is checked at once, a name only once it is resolved.
pub fn parse(text: &str, policy: &AddressPolicy) -> Result<Url, UrlError> {
    if text.len() > MAX_BYTES {
        return Err(UrlError::TooLong);
    }
    let repaired = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '\\';
    if text.contains(repaired) {
        return Err(UrlError::Malformed);
    }
    let authority = authority(text, policy)?;
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    // Port 0 cannot be connected to; a host consisting only of dots is not a name.
    if url.port() == Some(0) || url.host_str().is_none_or(|host| host.trim_matches('.').is_empty()) {
        return Err(UrlError::Malformed);
    }
    judge_literal(&url, policy)?;
    Ok(url)
}

/// Checks the address of a URL whose host is an address; names pass.
pub(super) fn judge_literal(url: &Url, policy: &AddressPolicy) -> Result<(), ClosedReason> {
    let Some(address) = literal(url) else { return Ok(()) };
    policy.judge(url.host_str().unwrap_or_default(), address)
}

/// Host and address of a URL whose host is an address.
pub(super) fn literal(url: &Url) -> Option<SocketAddr> {
    let ip = match url.host()? {
        Host::Ipv4(ip) => IpAddr::V4(ip),
        Host::Ipv6(ip) => IpAddr::V6(ip),
        Host::Domain(_) => return None,
    };
    Some(SocketAddr::new(ip, port(url)))
}

/// The port that will be connected to.
pub(super) fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(0)
}

/// The part between `//` and the path. The standard would also accept `https:host` and `https:////host`.
fn authority<'a>(text: &'a str, policy: &AddressPolicy) -> Result<&'a str, UrlError> {
    let (scheme, rest) = text.split_once(':').ok_or(UrlError::Malformed)?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => {}
        "http" if policy.allow_http => {}
        _ => return Err(UrlError::Scheme),
    }
    let rest = rest.strip_prefix("//").ok_or(UrlError::Malformed)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() { Err(UrlError::Malformed) } else { Ok(authority) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> AddressPolicy {
        AddressPolicy { allow_http: true, allow_public: true, ..AddressPolicy::default() }
    }

    #[test]
    fn ordinary_urls_are_read() {
        for text in [
            "https://hooks.example.com/caches",
            "https://hooks.example.com:8443/a/b?team=x&y=%20",
            "HTTPS://Hooks.Example.COM",
            "http://hooks.example.com./",
            "https://1.1.1.1/",
            "https://[2400:3200::1]:444/",
            "https://bücher.example/",
            "https://hooks.example.com/@here",
        ] {
            assert!(parse(text, &public()).is_ok(), "{text}: {:?}", parse(text, &public()));
        }
    }

    #[test]
    fn http_needs_its_switch() {
        let policy = AddressPolicy { allow_http: false, ..public() };
        assert_eq!(parse("http://hooks.example.com/", &policy), Err(UrlError::Scheme));
        assert!(parse("https://hooks.example.com/", &policy).is_ok());
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        let long = format!("https://hooks.example.com/{}", "a".repeat(MAX_BYTES));
        for (text, expected) in [
            ("", UrlError::Malformed),
            ("hooks.example.com", UrlError::Malformed),
            ("//hooks.example.com/", UrlError::Malformed),
            ("https:hooks.example.com", UrlError::Malformed),
            ("https:/hooks.example.com", UrlError::Malformed),
            ("https:///hooks.example.com", UrlError::Malformed),
            ("https://", UrlError::Malformed),
            ("https://?x", UrlError::Malformed),
            ("https://./", UrlError::Malformed),
            ("https://:443/", UrlError::Malformed),
            ("https://a:0/", UrlError::Malformed),
            ("https://a:65536/", UrlError::Malformed),
            ("https://a:-1/", UrlError::Malformed),
            ("https://a b/", UrlError::Malformed),
            (" https://a/", UrlError::Malformed),
            ("https://a/\r\nx-header: 1", UrlError::Malformed),
            ("https://a\t.example/", UrlError::Malformed),
            ("https://a\0.example/", UrlError::Malformed),
            ("https://a%00.example/", UrlError::Malformed),
            (r"https:\\hooks.example.com", UrlError::Malformed),
            (r"https://1.1.1.1\@127.0.0.1/", UrlError::Malformed),
            ("https://[::1/", UrlError::Malformed),
            ("https://[fe80::1%25eth0]/", UrlError::Malformed),
            ("https://1.2.3.4.5/", UrlError::Malformed),
            ("https://256.256.256.256/", UrlError::Malformed),
            ("https://user@a/", UrlError::UserInfo),
            ("https://user:secret@a/", UrlError::UserInfo),
            ("https://@a/", UrlError::UserInfo),
            ("https://1.1.1.1:443@127.0.0.1/", UrlError::UserInfo),
            ("https://a/#b", UrlError::Fragment),
            ("https://a/#", UrlError::Fragment),
            ("file:///etc/passwd", UrlError::Scheme),
            ("gopher://a/", UrlError::Scheme),
            ("ftp://a/", UrlError::Scheme),
            ("ws://a/", UrlError::Scheme),
            ("javascript:alert(1)", UrlError::Scheme),
            ("unix:/run/docker.sock", UrlError::Scheme),
            ("jar:https://a/", UrlError::Scheme),
            (&long, UrlError::TooLong),
        ] {
            assert_eq!(parse(text, &public()), Err(expected), "{text:.60}");
        }
    }

    #[test]
    fn every_spelling_of_a_closed_address_is_closed() {
        for (host, reason) in [
            ("127.0.0.1", ClosedReason::Loopback),
            ("127.1", ClosedReason::Loopback),
            ("127.0.1", ClosedReason::Loopback),
            ("2130706433", ClosedReason::Loopback),
            ("0x7f000001", ClosedReason::Loopback),
            ("0x7F.1", ClosedReason::Loopback),
            ("017700000001", ClosedReason::Loopback),
            ("0177.0.0.01", ClosedReason::Loopback),
            ("127.0.0.1.", ClosedReason::Loopback),
            ("%31%32%37.0.0.1", ClosedReason::Loopback),
            ("127%2e0%2e0%2e1", ClosedReason::Loopback),
            ("１２７.0.0.1", ClosedReason::Loopback),
            ("127。0。0。1", ClosedReason::Loopback),
            ("①②⑦.0.0.1", ClosedReason::Loopback),
            ("[::1]", ClosedReason::Loopback),
            ("[0:0:0:0:0:0:0:1]", ClosedReason::Loopback),
            ("[::ffff:127.0.0.1]", ClosedReason::Loopback),
            ("[::ffff:7f00:1]", ClosedReason::Loopback),
            ("[::127.0.0.1]", ClosedReason::Loopback),
            ("[64:ff9b::127.0.0.1]", ClosedReason::Loopback),
            ("[2002:7f00:1::]", ClosedReason::Loopback),
            ("0", ClosedReason::Never),
            ("0.0.0.0", ClosedReason::Never),
            ("0x0", ClosedReason::Never),
            ("[::]", ClosedReason::Never),
            ("[::ffff:0.0.0.0]", ClosedReason::Never),
            ("169.254.169.254", ClosedReason::Never),
            ("2852039166", ClosedReason::Never),
            ("0xa9fea9fe", ClosedReason::Never),
            ("0xa9.0xfe.0xa9.0xfe", ClosedReason::Never),
            ("0251.0376.0251.0376", ClosedReason::Never),
            ("169.254.43518", ClosedReason::Never),
            ("[::ffff:a9fe:a9fe]", ClosedReason::Never),
            ("[fe80::1]", ClosedReason::Never),
            ("100.100.100.200", ClosedReason::Never),
            ("1684301000", ClosedReason::Never),
            ("0144.0144.0144.0310", ClosedReason::Never),
            ("[64:ff9b::6464:64c8]", ClosedReason::Never),
            ("10.1", ClosedReason::Private),
            ("192.168.257", ClosedReason::Private),
            ("[fd00:ec2::254]", ClosedReason::Never),
            ("[::ffff:10.0.0.1]", ClosedReason::Private),
            ("255.255.255.255", ClosedReason::Private),
        ] {
            let text = format!("http://{host}:8000/latest/meta-data");
            assert_eq!(parse(&text, &public()), Err(UrlError::Address(reason)), "{text}");
        }
    }
}
