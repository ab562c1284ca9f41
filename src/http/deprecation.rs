//! Operations that will be removed, and how their responses say so (docs/api-changes.md).
//!
//! The wrapper around every exchange adds the headers; the OpenAPI document marks the operations.

use axum::http::HeaderName;
use axum::http::header::LINK;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::answer;

/// An operation that will be removed.
#[derive(Debug)]
pub struct Deprecation {
    /// The operation id.
    pub operation: &'static str,
    /// Since when it is deprecated.
    pub since: DateTime<Utc>,
    /// Until when it works: at least twelve months after `since`.
    pub sunset: DateTime<Utc>,
    /// The page that says what replaces it.
    pub instead: &'static str,
}

/// The operations that are deprecated in this version.
pub const DEPRECATED: &[Deprecation] = &[];

impl Deprecation {
    /// Adds `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a `Link` to what replaces it.
    pub(super) fn announce(&self, response: &mut Response) {
        let sunset = self.sunset.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer::put(response, HeaderName::from_static("deprecation"), &format!("@{}", self.since.timestamp()));
        answer::put(response, HeaderName::from_static("sunset"), &sunset);
        if let Ok(link) = format!("<{}>; rel=\"deprecation\"; type=\"text/html\"", self.instead).parse() {
            // Beside a link to the next page.
            response.headers_mut().append(LINK, link);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Months;

    use super::*;
    use crate::app::access;

    #[test]
    fn what_is_deprecated_exists_and_goes_on_for_a_year() {
        for one in DEPRECATED {
            assert!(access::of(one.operation).is_some(), "{}", one.operation);
            assert!(one.since + Months::new(12) <= one.sunset, "{}", one.operation);
        }
    }
}
