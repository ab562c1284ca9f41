//! `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::Duration;

use crate::domain::clock::Instant;

/// The longest wait, whatever a receiver asks for.
pub const LONGEST: Duration = Duration::from_hours(24);

/// How long to wait from `now`, at most [`LONGEST`]. Zero for a date in the past; `None` if the value is invalid.
pub fn parse(text: &str, now: Instant) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // A number that does not fit a u64 is a long time too.
        return Some(text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let date = Instant::from(httpdate::parse_http_date(text).ok()?);
    Some(date.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = DateTime::from_timestamp(1_445_412_470, 0).unwrap(); // ten seconds before the date below
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("86400", Some(86_400)),
            ("86401", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(10)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            // The two obsolete date formats of RFC 9110, section 5.6.7.
            ("Wednesday, 21-Oct-15 07:28:00 GMT", Some(10)),
            ("Wed Oct 21 07:28:00 2015", Some(10)),
            ("Fri, 21 Oct 2115 07:28:00 GMT", None),
            ("Mon, 21 Oct 2115 07:28:00 GMT", Some(86_400)),
            ("-1", None),
            ("1.5", None),
            ("+5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
