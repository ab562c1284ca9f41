//! The headers that a message may carry: the endpoint's own, besides those of the gateway and the transport.
//!
//! Called by [`super::sender`], and by `app` when an endpoint is saved.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers that frame or route a message: only the HTTP client may set them.
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

/// Whether a header with this name (in lower case) must not be set on a message; if it is, the attempt fails with
/// `invalid_request`.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether an endpoint may have a header of its own with this name (in lower case): not one that frames or routes the
/// message, or that the gateway sets.
pub fn is_free(name: &str) -> bool {
    let ours = ["user-agent", "content-type", "content-encoding", "accept-encoding", "date", "forwarded"];
    !is_reserved(name) && !ours.contains(&name) && !name.starts_with("webhook-") && !name.starts_with("x-forwarded-")
}

/// The headers as they are sent; `None` if one of them is invalid.
pub(super) fn header_map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let pair = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name.as_str()).ok().filter(|name| !is_reserved(name.as_str()))?;
        Some((name, HeaderValue::try_from(value.as_str()).ok()?))
    };
    headers.iter().map(pair).collect()
}
