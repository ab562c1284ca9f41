//! From the bytes of a body to UTF-8 text: media type, content coding and character encoding, each refused by its name.

use std::io::Read as _;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use flate2::bufread::MultiGzDecoder;

use crate::http::problem::ProblemResponse;

/// The most characters of a header that are repeated in a refusal.
const SHOWN: usize = 64;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

/// Refuses a media type that is not JSON, and a character encoding that is neither UTF-8 nor a superset of ASCII.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), ProblemResponse> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(ProblemResponse::unsupported_media_type(
            "there is no Content-Type; the body must be application/json",
        ));
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = format!("Content-Type is {}; the body must be application/json", printable(essence));
        return Err(ProblemResponse::unsupported_media_type(detail));
    }
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let charset = charset.map(|(_, value)| value.trim().trim_matches('"')).unwrap_or_default();
    if ["utf-16", "utf-32", "ucs-2", "utf16", "utf32", "utf-7", "ebcdic"].iter().any(|wide| starts_with(charset, wide))
    {
        return Err(ProblemResponse::unsupported_charset(&format!("the body's charset is {}", printable(charset))));
    }
    Ok(())
}

/// How the body is compressed; what is not understood is refused by its name.
pub(super) fn coding(headers: &HeaderMap) -> Result<Coding, ProblemResponse> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let names: Vec<String> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let names = names.join(",");
    let mut found = Coding::Identity;
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        found = match (found, name.to_ascii_lowercase().as_str()) {
            (found, "identity") => found,
            (Coding::Identity, "gzip" | "x-gzip") => Coding::Gzip,
            _ => return Err(ProblemResponse::unsupported_coding(&printable(&names))),
        };
    }
    Ok(found)
}

/// The text of a body, without a byte order mark; at most `limit` bytes, however small it was when compressed.
pub(super) fn text(raw: Bytes, coding: Coding, limit: usize) -> Result<Bytes, ProblemResponse> {
    let raw = match coding {
        Coding::Identity => raw,
        Coding::Gzip => unzipped(&raw, limit)?,
    };
    if let Some(name) = foreign(&raw) {
        return Err(ProblemResponse::unsupported_charset(&format!("the body is {name}")));
    }
    if coding == Coding::Identity && raw.starts_with(&[0x1f, 0x8b]) {
        let detail = "the body is gzip, which must be declared: Content-Encoding: gzip";
        return Err(ProblemResponse::malformed_json(detail));
    }
    let text = if raw.starts_with(b"\xef\xbb\xbf") { raw.slice(3..) } else { raw };
    if let Err(error) = std::str::from_utf8(&text) {
        let at = error.valid_up_to();
        return Err(ProblemResponse::unsupported_charset(&format!("the body is not valid UTF-8 from byte {at} on")));
    }
    if text.trim_ascii().is_empty() {
        return Err(ProblemResponse::malformed_json("the body is empty; it must be a JSON object"));
    }
    Ok(text)
}

fn unzipped(raw: &[u8], limit: usize) -> Result<Bytes, ProblemResponse> {
    let (mut text, most) = (Vec::new(), u64::try_from(limit).unwrap_or(u64::MAX));
    let read = MultiGzDecoder::new(raw).take(most.saturating_add(1)).read_to_end(&mut text);
    if text.len() > limit {
        return Err(ProblemResponse::too_large(limit));
    }
    let broken =
        |_| ProblemResponse::malformed_json("the body is not gzip, as its Content-Encoding says, or it ends early");
    read.map(|_| Bytes::from(text)).map_err(broken)
}

/// The name of a wider encoding than UTF-8: by its byte order mark, else by where zeros stand (RFC 4627, 3).
fn foreign(raw: &[u8]) -> Option<&'static str> {
    let zeros: Vec<bool> = raw.iter().take(4).map(|byte| *byte == 0).collect();
    match raw {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => match zeros.as_slice() {
            [true, true, true, false] | [false, true, true, true] => Some("UTF-32"),
            [true, false, true, false] | [false, true, false, true] => Some("UTF-16"),
            _ => None,
        },
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A header's text as far as it can be repeated.
fn printable(text: &str) -> String {
    let shown: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(SHOWN).collect();
    if shown.is_empty() { "empty".to_owned() } else { shown }
}

#[cfg(test)]
mod tests;
