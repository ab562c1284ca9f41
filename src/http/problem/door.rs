//! Problems that the door itself finds, before `app` is asked.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, RETRY_AFTER};

use super::ProblemResponse;
use crate::domain::field::FieldError;

impl ProblemResponse {
    /// The body is no JSON at all.
    pub fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON", detail)
    }

    /// The body could not be read to its end.
    pub fn broken_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "broken_body", "The body ended early", "the body could not be read")
    }

    /// A header that cannot be read.
    pub fn malformed_header(name: &str, detail: &'static str) -> Self {
        let refusal = Self::new(StatusCode::BAD_REQUEST, "malformed_header", "A header is malformed", detail);
        refusal.fields(vec![FieldError::new(name, "malformed", detail)])
    }

    /// A dry run of what has none, or asked for where it is not read.
    pub fn no_dry_run() -> Self {
        let title = "A dry run cannot be requested in this way";
        let detail = "dry runs cannot be requested with a header, and nothing was done";
        Self::new(StatusCode::BAD_REQUEST, "no_dry_run", title, detail)
            .hint("POST /v1/image-caches/dry-run reports what a create would do; an adoption has dry_run in its body")
    }

    /// Fields that are not allowed.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is invalid; errors says which and why".to_owned(),
            n => format!("{n} fields are invalid; errors says which and why"),
        };
        let title = "The request is invalid";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", title, detail).fields(errors)
    }

    /// Absent, another team's, or no id at all: one answer for all of them.
    pub fn not_found() -> Self {
        let detail = "the resource does not exist, or it belongs to another team";
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// Larger than allowed.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body can have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", detail)
    }

    /// A URL that is longer than allowed; the limit is known where it is ours.
    pub fn url_too_long(limit: Option<usize>) -> Self {
        let detail = limit.map_or_else(
            || "the URL is too long".to_owned(),
            |limit| {
                format!(
                    "the URL can have at most {limit} \
                                  bytes"
                )
            },
        );
        Self::new(StatusCode::URI_TOO_LONG, "url_too_long", "The URL is too long", detail)
    }

    /// Too many header fields, or too long ones.
    pub fn head_too_large() -> Self {
        let detail = "there are too many header fields, or they are too long";
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            "The header section is too large",
            detail,
        )
    }

    /// No HTTP.
    pub fn malformed_head() -> Self {
        let detail = "the request line or the header fields are not valid HTTP/1.1";
        Self::new(StatusCode::BAD_REQUEST, "malformed_head", "The header section is malformed", detail)
    }

    /// A head that is HTTP and must not be taken all the same.
    pub fn bad_head(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_head", "The header section is malformed", detail)
    }

    /// More connections than one address may have.
    pub fn too_many_connections() -> Self {
        let detail = "too many connections are open from this address";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_connections", "Too many connections", detail)
            .retryable()
            .header(RETRY_AFTER, "5")
            .hint("reuse connections")
    }

    /// Another media type than JSON.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        let title = "The media type is not supported";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", title, detail)
            .hint("send Content-Type: application/json")
    }

    /// A body that is compressed in another way than gzip (RFC 9110, 15.5.16).
    pub fn unsupported_coding(named: &str) -> Self {
        let title = "The content coding is not supported";
        let detail = format!("Content-Encoding is {named}; it must be gzip, applied once, or absent");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", title, detail)
            .header(ACCEPT_ENCODING, "gzip, identity")
            .hint("send the body as it is, or compressed with gzip")
    }

    /// A body in another character encoding than UTF-8.
    pub fn unsupported_charset(what: &str) -> Self {
        let title = "The character encoding is not supported";
        let detail = format!("{what}; it must be UTF-8");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_charset", title, detail)
            .hint("encode the body as UTF-8, which RFC 8259 requires for JSON")
    }

    /// The body arrived too slowly.
    pub fn body_timeout() -> Self {
        let title = "The body arrived too slowly";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", title, "the body was not complete in time").retryable()
    }

    /// The request took longer than any may.
    pub fn request_timeout() -> Self {
        let title = "The request took too long";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "request_timeout", title, "the response was not ready in time")
            .retryable()
            .header(RETRY_AFTER, "5")
            .hint(
                "a change may have been made: check before you repeat the request, or repeat it with the same \
                   Idempotency-Key",
            )
    }

    /// The audit entry could not be written, so nothing may be said.
    pub fn audit_unavailable() -> Self {
        let detail = "the audit entry of this request could not be written";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", "Audit unavailable", detail)
            .retryable()
            .header(RETRY_AFTER, "5")
    }

    /// Something needed is away.
    pub fn not_ready(detail: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "Not ready", detail)
            .retryable()
            .header(RETRY_AFTER, "5")
    }

    /// Our own fault.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "the gateway failed; its log has the cause under the request id";
        let mut refusal =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error", detail).retryable();
        refusal.0.cause = Some(Arc::from(cause.into()));
        refusal
    }

    /// What axum or a layer answered with nothing but a status.
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(status, "unknown_route", "No such route", "no route has this path")
                .hint("/docs lists every route"),
            StatusCode::METHOD_NOT_ALLOWED => {
                let title = "The method is not allowed";
                Self::new(status, "method_not_allowed", title, "the header Allow lists the methods that are allowed")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type("the body must be JSON"),
            _ if status.is_server_error() => Self::internal(format!("a middleware answered {status} without a cause")),
            _ => {
                let title = status.canonical_reason().unwrap_or("Refused");
                let code = title.to_ascii_lowercase().replace([' ', '-'], "_");
                Self::new(status, &code, title, "the request cannot be served")
            }
        }
    }
}
