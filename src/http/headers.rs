//! Request headers that mean something here, read as their standards say.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use sha2::{Digest as _, Sha256};

use crate::app::precondition::{Precondition, Versions};
use crate::domain::operation::dry_run;
use crate::http::problem::ProblemResponse;

/// How long a change is waited for where nothing is asked.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// The longest wait; a common proxy cuts at 60 s.
pub const MAX_WAIT: Duration = Duration::from_secs(55);

/// What stands before something appended to a tag.
const SEPARATORS: [char; 5] = ['-', ';', ':', '/', '.'];
/// The header that makes a repeat of a request do nothing.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What `If-Match` and `If-None-Match` may say.
const TAGS: &str = "must be * or entity tags as ETag gave them, in double quotes, such as \"v3\"";

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

/// Whether a header asks for a dry run, in whatever spelling; `Prefer` among them.
pub fn dry_run(headers: &HeaderMap) -> Result<bool, ProblemResponse> {
    const ALLOWED: &str = "a header that requests a dry run must be true or false";
    let mut said = false;
    for (name, value) in headers {
        let value = value.to_str().unwrap_or("?");
        if name.as_str() == "prefer" {
            said |= value.split([',', ';', '=']).any(dry_run::is_meant);
        } else if dry_run::is_meant(name.as_str()) {
            said |= dry_run::says(value).ok_or_else(|| ProblemResponse::malformed_header(name.as_str(), ALLOWED))?;
        }
    }
    Ok(said)
}

/// `Idempotency-Key`: 1 to 255 printable ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ProblemResponse> {
    const ALLOWED: &str = "Idempotency-Key must be given once, with 1 to 255 printable ASCII characters";
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(ProblemResponse::malformed_header("Idempotency-Key", ALLOWED)),
    }
}

/// The strong entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The strong entity tag of a representation that can differ within one version: the version, and letters that stand
/// for the body.
pub fn etag_of(version: i64, body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let letters: String = digest.iter().take(8).map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("\"v{version}-{letters}\"")
}

/// `If-Match` and `If-None-Match` of a change.
pub fn precondition(headers: &HeaderMap) -> Result<Precondition, ProblemResponse> {
    let matching = versions(headers, &IF_MATCH).map_err(|()| ProblemResponse::malformed_header("If-Match", TAGS))?;
    let not_matching = versions(headers, &IF_NONE_MATCH);
    let not_matching = not_matching.map_err(|()| ProblemResponse::malformed_header("If-None-Match", TAGS))?;
    Ok(Precondition { matching, not_matching })
}

/// Refuses `If-Match` and `If-None-Match` of a change that cannot honour them: it would be made all the same.
pub fn refuse_precondition(headers: &HeaderMap) -> Result<(), ProblemResponse> {
    const ALLOWED: &str = "this operation cannot be made conditional; leave the header out";
    let sent = [("If-Match", IF_MATCH), ("If-None-Match", IF_NONE_MATCH)];
    let found = sent.into_iter().find(|(_, name)| headers.contains_key(name));
    found.map_or(Ok(()), |(shown, _)| Err(ProblemResponse::malformed_header(shown, ALLOWED)))
}

/// `If-None-Match` of a read: whether the client has the representation with this tag already, also where a proxy has
/// changed the tag.
pub fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_end_matches('"');
    let same = |sent: &str| {
        let sent = sent.strip_prefix("W/").unwrap_or(sent);
        sent == "*" || sent.strip_prefix(opaque).is_some_and(|rest| rest == "\"" || rest.starts_with(SEPARATORS))
    };
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|sent| same(sent.trim()))
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

/// What a list of entity tags names, if it is there.
fn versions(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Versions>, ()> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        // Our tags hold no comma.
        tags.extend(value.to_str().map_err(|_| ())?.split(',').map(str::trim).filter(|tag| !tag.is_empty()));
    }
    match tags.as_slice() {
        [] if headers.contains_key(name) => Err(()),
        [] => Ok(None),
        ["*"] => Ok(Some(Versions::Any)),
        tags => {
            let read = tags.iter().map(|tag| version(tag)).collect::<Result<Vec<_>, ()>>()?;
            Ok(Some(Versions::OneOf(read.into_iter().flatten().collect())))
        }
    }
}

/// The version that a well-formed tag names; none, if it is not ours. Fails where it is no tag.
///
/// A proxy that compresses changes the tag: nginx and Envoy make it weak (`W/"v3"`), Apache and others append the
/// coding (`"v3-gzip"`, `"v3;br"`). The version is read through both, and without the letters of [`etag_of`].
fn version(tag: &str) -> Result<Option<i64>, ()> {
    let quoted = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(())?;
    if opaque.contains('"') {
        return Err(());
    }
    let ours = opaque.strip_prefix('v').unwrap_or_default();
    let (number, coding) = ours.split_at(ours.bytes().take_while(u8::is_ascii_digit).count());
    let mut parts = coding.split(SEPARATORS);
    let appended = parts.next() == Some("") && parts.all(|part| part.bytes().all(|b| b.is_ascii_alphabetic()));
    Ok(number.parse().ok().filter(|_| appended))
}

#[cfg(test)]
mod tests;
