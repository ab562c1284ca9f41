//! Request headers that mean something here, read as their standards say.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::http::problem::Refusal;

/// How long a change is waited for where nothing is asked.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// The longest wait; a common proxy cuts at 60 s.
pub const MAX_WAIT: Duration = Duration::from_secs(55);
/// A version that no row has.
const NO_VERSION: i64 = -1;

/// `Prefer: wait=…` (RFC 7240).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How long to wait, in any case.
    pub time: Duration,
    /// Whether the client asked, so that the answer says what was done.
    pub asked: bool,
}

/// Reads `Prefer`. What it does not know or cannot read is ignored, as the standard wants.
pub fn prefer_wait(headers: &HeaderMap) -> Wait {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let seconds = preferences.flat_map(|text| text.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    });
    match seconds {
        Some(seconds) => Wait { time: Duration::from_secs(seconds).min(MAX_WAIT), asked: true },
        None => Wait { time: DEFAULT_WAIT, asked: false },
    }
}

/// `Idempotency-Key`: 1 to 255 printable ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    const ALLOWED: &str = "Idempotency-Key must be given once, with 1 to 255 printable ASCII characters";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::malformed_header("Idempotency-Key", ALLOWED)),
    }
}

/// The strong entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// `If-Match`: the version that must still hold. A tag that is not ours, or a weak one, holds for no version;
/// `*` holds for every one.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Refusal> {
    const ALLOWED: &str = "If-Match must be * or one entity tag as ETag gave it";
    let malformed = || Refusal::malformed_header("If-Match", ALLOWED);
    let Some(tags) = tags(headers, &IF_MATCH).map_err(|()| malformed())? else { return Ok(None) };
    match tags.as_slice() {
        [tag] if *tag == "*" => Ok(None),
        [tag] => version(tag).map(Some).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

/// `If-None-Match`: whether the client has this version already.
pub fn if_none_match(headers: &HeaderMap, current: i64) -> bool {
    let Ok(Some(tags)) = tags(headers, &IF_NONE_MATCH) else { return false };
    let etag = etag(current);
    tags.iter().any(|tag| *tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// `traceparent` (W3C trace context, version 00), if it is sane.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |text: &str| text.bytes().any(|b| b != b'0');
    match parts.as_slice() {
        ["00", trace, parent, flags] if hex(trace, 32) && hex(parent, 16) && hex(flags, 2) => {
            (set(trace) && set(parent)).then(|| text.to_owned())
        }
        _ => None,
    }
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Vec<&'a str>>, ()> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        // Our tags hold no comma, and a foreign one that does matches nothing either way.
        tags.extend(value.to_str().map_err(|_| ())?.split(',').map(str::trim));
    }
    Ok(if tags.is_empty() { None } else { Some(tags) })
}

/// The version that a well-formed tag names.
fn version(tag: &str) -> Option<i64> {
    let strong = tag.strip_prefix("W/").is_none();
    let opaque = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    let number = opaque.strip_prefix('v').and_then(|digits| digits.parse::<i64>().ok()).filter(|number| *number >= 0);
    Some(number.filter(|_| strong).unwrap_or(NO_VERSION))
}

#[cfg(test)]
mod tests;
