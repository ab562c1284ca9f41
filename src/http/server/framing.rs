//! What no two readers may read in two ways: which host a request is for, and where it ends (RFC 9112, 3.2 and 6).
//!
//! hyper refuses most of it by itself: bad lengths, lengths that differ, folded lines, spaces before a colon, chunks
//! that are none. It takes a last coding `chunked` behind others, and `Content-Length` beside `Transfer-Encoding`,
//! which it leaves out of what it shows; and it does not look at `Host`. What must stay true: what is refused here is
//! answered with 400 and the end of its connection, so that nothing behind it is read as a request.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::{HOST, TE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Request, Version};

/// What is looked for in the bytes of a head.
const LENGTH: &[u8] = b"content-length";

/// Whether a length was named since the present requests began. hyper drops it where there is a `Transfer-Encoding`.
///
/// Looked for at the beginnings of lines of all that came since something was last answered: a length of another
/// request that came together with this one counts, too. Where a head comes in parts and the answer to the one before
/// it goes out between them, it may be missed; then hyper reads the chunks and ends the connection, as the RFC allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Lengths(Arc<AtomicBool>);

/// The line that is being read.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    lengths: Lengths,
    /// How much of the line is what is looked for; none: it is another line.
    matched: Option<usize>,
}

impl Scanner {
    /// Tells `lengths` what it finds.
    pub(super) fn new(lengths: Lengths) -> Self {
        Self { lengths, matched: None }
    }

    /// Forgets what was found: everything so far was answered.
    pub(super) fn forget(&mut self) {
        self.matched = None;
        self.lengths.0.store(false, Ordering::Release);
    }

    /// Looks at what was read.
    pub(super) fn look(&mut self, read: &[u8]) {
        for byte in read {
            self.matched = match self.matched {
                _ if *byte == b'\n' => Some(0),
                Some(known) if known == LENGTH.len() => {
                    if matches!(byte, b':' | b' ' | b'\t') {
                        self.lengths.0.store(true, Ordering::Release);
                    }
                    None
                }
                Some(known) if byte.eq_ignore_ascii_case(&LENGTH[known]) => Some(known + 1),
                _ => None,
            };
        }
    }
}

/// What is wrong with a request's head, if anything.
pub(super) fn fault<B>(request: &Request<B>, lengths: &Lengths) -> Option<&'static str> {
    let headers = request.headers();
    fault_of_host(headers, request.version()).or_else(|| fault_of_length(headers, lengths))
}

fn fault_of_host(headers: &HeaderMap, version: Version) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => None,
        (None, _) => Some("there is no Host header, which HTTP/1.1 requires"),
        (Some(_), Some(_)) => Some("there is more than one Host header"),
        (Some(host), None) if host.to_str().is_ok_and(is_host) => None,
        _ => Some("Host is neither a name nor an address, with or without a port"),
    }
}

fn fault_of_length(headers: &HeaderMap, lengths: &Lengths) -> Option<&'static str> {
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    let names = |value: &HeaderValue| {
        value.as_bytes().to_ascii_lowercase().split(|b| b",; \t".contains(b)).any(|word| word == b"chunked")
    };
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(only), None) if chunked(only) && lengths.0.load(Ordering::Acquire) => {
            Some("there are both Transfer-Encoding and Content-Length: a body has only one length")
        }
        (Some(only), None) if chunked(only) => None,
        (Some(_), _) => Some("Transfer-Encoding must be chunked, once and without other codings"),
        (None, _) if headers.get_all(TE).iter().any(names) => Some("TE must not name chunked (RFC 9112, 7.4)"),
        (None, _) => None,
    }
}

/// Whether it is a host with or without a port (RFC 3986, 3.2.2), and one that is there.
fn is_host(text: &str) -> bool {
    let (good, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return false,
        Some(Some((address, port))) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (name, port) = text.find(':').map_or((text, ""), |colon| text.split_at(colon));
            (is_name(name), port)
        }
    };
    let digits =
        |port: &str| port.is_empty() || port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    good && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
}

fn is_name(name: &str) -> bool {
    // Of what RFC 3986 allows all but the comma, which joins two lines of one field.
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&b);
    let mut parts = name.split('%');
    let plain = parts.next().is_some_and(|part| part.bytes().all(letter));
    let coded = parts.all(|part| {
        part.is_char_boundary(2.min(part.len()))
            && part.len() >= 2
            && part.bytes().take(2).all(|b| b.is_ascii_hexdigit())
            && part.bytes().skip(2).all(letter)
    });
    !name.is_empty() && plain && coded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_at_the_beginning_of_a_line_however_it_comes() {
        let found = |parts: &[&str]| {
            let lengths = Lengths::default();
            let mut scanner = Scanner::new(lengths.clone());
            for part in parts {
                scanner.look(part.as_bytes());
            }
            lengths.0.load(Ordering::Acquire)
        };
        assert!(found(&["POST / HTTP/1.1\r\nContent-Length: 5\r\n"]));
        assert!(found(&["POST / HTTP/1.1\r\nCONT", "ENT-length", ":5"]));
        assert!(!found(&["POST / HTTP/1.1\r\nX-Content-Length: 5\r\nContent-Lengthy: 5\r\nContent-: x\r\n"]));
        let lengths = Lengths::default();
        let mut scanner = Scanner::new(lengths.clone());
        scanner.look(b"\ncontent-length:");
        scanner.forget();
        assert!(!lengths.0.load(Ordering::Acquire));
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["a", "a.b:80", "a:", "[::1]", "[::1]:80", "127.0.0.1", "a_b", "a%2d", "xn--bcher-kva.example"] {
            assert!(is_host(good), "{good}");
        }
        for bad in
            ["", ":80", "a:b", "a:65536", "a,b", "a b", "[::1", "[::1]x", "[::1]80", "::1", "a@b", "a%2", "a%zz", "a%é"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
