//! The claims of a token, with checked types.

use std::borrow::Cow;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::refusal::TokenRefusal;
use crate::domain::clock::Instant;
use crate::domain::identity::issuer::subject::is_plain;

/// The claims of a token.
pub(super) struct Claims<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Claims<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// A string that is fit for logs and audit entries: 1 to `max` characters, all of them visible.
    pub(super) fn text(&self, name: &'static str, max: usize) -> Result<Option<&'a str>, TokenRefusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_plain(text) && text.chars().count() <= max => Ok(Some(text)),
            Some(Value::String(_)) => {
                let why = format!(
                    "it must be 1 to {max} characters, without invisible characters and those that \
                                   change the direction of text"
                );
                Err(TokenRefusal::BadClaim(Cow::Borrowed(name), why))
            }
            Some(_) => Err(bad(name, "it must be a string")),
        }
    }

    /// A string or an array of strings.
    pub(super) fn texts(&self, name: &'static str) -> Result<Option<Vec<&'a str>>, TokenRefusal> {
        let read = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(one)) => Some(vec![one.as_str()]),
            Some(Value::Array(many)) => many.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        read.map(Some).ok_or_else(|| bad(name, "it must be a string or an array of strings"))
    }

    /// A `NumericDate`: seconds since 1970, possibly with a fraction.
    pub(super) fn instant(&self, name: &'static str) -> Result<Option<Instant>, TokenRefusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let micros = match (value.as_i64(), value.as_f64()) {
            (Some(seconds), _) => seconds.checked_mul(1_000_000),
            (None, Some(seconds)) => micros(seconds),
            (None, None) => None,
        };
        // At most the year 9999, so that no later addition can overflow.
        let sane = micros.filter(|micros| (0..=253_402_300_799_000_000).contains(micros));
        let read = sane.and_then(DateTime::from_timestamp_micros).map(Some);
        read.ok_or_else(|| bad(name, "it must be a number: seconds since 1970"))
    }
}

/// A refusal because of an invalid claim.
pub(super) fn bad(name: &'static str, why: &str) -> TokenRefusal {
    TokenRefusal::BadClaim(Cow::Borrowed(name), why.to_owned())
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first; a microsecond does not matter")]
fn micros(seconds: f64) -> Option<i64> {
    (0.0..1e12).contains(&seconds).then_some((seconds * 1e6) as i64)
}
