//! Parses the time of signing, in the forms that callers send.
//!
//! The documented form is `2026-03-01T08:00:00Z`. Also accepted: fractions of a second (JavaScript's `toISOString`), an
//! offset, no zone at all (the API's times are UTC), the basic form without separators, and an HTTP date. The allowed
//! difference from our time is the same for all of them.

use chrono::{DateTime, Datelike as _, NaiveDateTime};

use super::RequestRefusal;
use crate::domain::clock::Instant;

/// Longer than any accepted form.
const LONGEST: usize = 40;
/// The accepted forms without an offset; they are in UTC.
const FORMS: [&str; 5] =
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%dT%H:%MZ", "%Y%m%dT%H%M%S%.fZ"];

/// Parses a time of signing.
pub(super) fn instant(text: &str) -> Result<Instant, RequestRefusal> {
    let text = text.trim();
    let read = Some(text).filter(|text| text.len() <= LONGEST).and_then(parsed);
    // chrono also reads years of six digits and years BC.
    read.filter(|time| (1970..=9999).contains(&time.year())).ok_or(RequestRefusal::TimestampFormat)
}

fn parsed(text: &str) -> Option<Instant> {
    let zoned = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    let naive = || FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    zoned.ok().map(|time| time.to_utc()).or_else(|| naive().map(|time| time.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_means_the_same_instant() {
        let expected: Instant = "2026-03-01T08:00:00Z".parse().unwrap();
        for text in [
            "2026-03-01T08:00:00Z",
            "2026-03-01T08:00:00.000Z",
            "2026-03-01T08:00:00.000000000Z",
            "2026-03-01T08:00:00+00:00",
            "2026-03-01T16:00:00.0+08:00",
            "2026-03-01t08:00:00z",
            "2026-03-01T08:00:00",
            "2026-03-01T08:00:00.000000",
            "2026-03-01 08:00:00",
            "2026-03-01 08:00:00Z",
            "2026-03-01T08:00Z",
            "20260301T080000Z",
            "Sun, 01 Mar 2026 08:00:00 GMT",
            " 2026-03-01T08:00:00Z ",
        ] {
            assert_eq!(instant(text), Ok(expected), "{text}");
        }
        let millis = instant("2026-03-01T08:00:00.123Z").unwrap() - expected;
        assert_eq!(millis.num_milliseconds(), 123);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "1772352000",
            "+12026-03-01T08:00:00Z",
            "-0001-03-01T08:00:00Z",
            "2026-02-30T08:00:00Z",
            "2026-03-01",
            "2026-03-01T25:00:00Z",
            "2026-03-01T08:00:00Zx",
            "Mon, 01 Mar 2026 08:00:00 GMT",
        ] {
            assert_eq!(instant(text), Err(RequestRefusal::TimestampFormat), "{text}");
        }
    }
}
