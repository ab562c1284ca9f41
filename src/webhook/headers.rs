//! Which headers a message may carry: those of the endpoint's own, beside those that the gateway and the transport
//! write.
//!
//! Who calls it: [`super::sender`], and `app` where an endpoint is saved.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers by which a message is framed or routed: nobody but the HTTP client may write them.
const RESERVED: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];

/// Whether a header of this name (in lower case) may not be set on a message; one that is makes `invalid_request`.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether an endpoint may have a header of its own with this name (in lower case): not one that frames or routes the
/// message, and none that the gateway writes.
pub fn is_free(name: &str) -> bool {
    let ours = ["user-agent", "content-type", "content-encoding", "accept-encoding", "date", "forwarded"];
    !is_reserved(name) && !ours.contains(&name) && !name.starts_with("webhook-") && !name.starts_with("x-forwarded-")
}

/// The headers as they are sent; none where one of them cannot be.
pub(super) fn header_map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let pair = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name.as_str()).ok().filter(|name| !is_reserved(name.as_str()))?;
        Some((name, HeaderValue::try_from(value.as_str()).ok()?))
    };
    headers.iter().map(pair).collect()
}
