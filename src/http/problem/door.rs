//! Problems that the door itself finds, before `app` is asked.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, RETRY_AFTER};

use super::ProblemResponse;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::problem::Code;

impl ProblemResponse {
    /// The body is no JSON at all.
    pub fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedJson, detail)
    }

    /// The body could not be read to its end.
    pub fn broken_body() -> Self {
        Self::new(Code::BrokenBody, "the body could not be read")
    }

    /// A header that cannot be read.
    pub fn malformed_header(name: &str, detail: &'static str) -> Self {
        let refusal = Self::new(Code::MalformedHeader, detail);
        refusal.fields(vec![FieldError::new(name, FieldCode::Malformed, detail)])
    }

    /// A dry run of what has none, or asked for where it is not read.
    pub fn no_dry_run() -> Self {
        Self::new(Code::NoDryRun, "dry runs cannot be requested with a header, and nothing was done")
            .hint("POST /v1/image-caches/dry-run reports what a create would do; an adoption has dry_run in its body")
    }

    /// Fields that are not allowed.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is invalid; errors says which and why".to_owned(),
            n => format!("{n} fields are invalid; errors says which and why"),
        };
        Self::new(Code::InvalidRequest, detail).fields(errors)
    }

    /// Absent, another team's, or no id at all: one answer for all of them.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "the resource does not exist, or it belongs to another team")
    }

    /// A page about a code that is in no table.
    pub fn no_such_code() -> Self {
        Self::new(Code::NotFound, "there is no problem with this code").hint("/docs/problems lists every problem")
    }

    /// Larger than allowed.
    pub fn too_large(limit: usize) -> Self {
        Self::new(Code::BodyTooLarge, format!("the body can have at most {limit} bytes"))
    }

    /// A URL that is longer than allowed; the limit is known where it is ours.
    pub fn url_too_long(limit: Option<usize>) -> Self {
        let known = |limit| format!("the URL can have at most {limit} bytes");
        Self::new(Code::UrlTooLong, limit.map_or_else(|| "the URL is too long".to_owned(), known))
    }

    /// Too many header fields, or too long ones.
    pub fn head_too_large() -> Self {
        Self::new(Code::HeadTooLarge, "there are too many header fields, or they are too long")
    }

    /// No HTTP.
    pub fn malformed_head() -> Self {
        Self::bad_head("the request line or the header fields are not valid HTTP/1.1")
    }

    /// A head that is HTTP and must not be taken all the same.
    pub fn bad_head(detail: &'static str) -> Self {
        Self::new(Code::MalformedHead, detail)
    }

    /// More connections than one address may have.
    pub fn too_many_connections() -> Self {
        Self::new(Code::TooManyConnections, "too many connections are open from this address")
            .header(RETRY_AFTER, "5")
            .hint("reuse connections")
    }

    /// Another media type than JSON.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(Code::UnsupportedMediaType, detail).hint("send Content-Type: application/json")
    }

    /// A body that is compressed in another way than gzip (RFC 9110, 15.5.16).
    pub fn unsupported_coding(named: &str) -> Self {
        let detail = format!("Content-Encoding is {named}; it must be gzip, applied once, or absent");
        Self::new(Code::UnsupportedContentEncoding, detail)
            .header(ACCEPT_ENCODING, "gzip, identity")
            .hint("send the body as it is, or compressed with gzip")
    }

    /// A body in another character encoding than UTF-8.
    pub fn unsupported_charset(what: &str) -> Self {
        Self::new(Code::UnsupportedCharset, format!("{what}; it must be UTF-8"))
            .hint("encode the body as UTF-8, which RFC 8259 requires for JSON")
    }

    /// The body arrived too slowly.
    pub fn body_timeout() -> Self {
        Self::new(Code::BodyTimeout, "the body was not complete in time")
    }

    /// The request took longer than any may.
    pub fn request_timeout() -> Self {
        Self::new(Code::RequestTimeout, "the response was not ready in time").header(RETRY_AFTER, "5").hint(
            "a change may have been made: check before you repeat the request, or repeat it with the same \
             Idempotency-Key",
        )
    }

    /// The audit entry could not be written, so nothing may be said.
    pub fn audit_unavailable() -> Self {
        Self::new(Code::AuditUnavailable, "the audit entry of this request could not be written")
            .header(RETRY_AFTER, "5")
    }

    /// Something needed is away.
    pub fn not_ready(detail: String) -> Self {
        Self::new(Code::NotReady, detail).header(RETRY_AFTER, "5")
    }

    /// Our own fault.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "the gateway failed; its log has the cause under the request id";
        let mut refusal = Self::new(Code::InternalError, detail);
        refusal.0.cause = Some(Arc::from(cause.into()));
        refusal
    }

    /// What axum or a layer answered with nothing but a status.
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => {
                Self::new(Code::UnknownRoute, "no route has this path").hint("/docs lists every route")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(Code::MethodNotAllowed, "the header Allow lists the methods that are allowed")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type("the body must be JSON"),
            _ if status.is_server_error() => Self::internal(format!("a middleware answered {status} without a cause")),
            _ => Self::new(Code::BadRequest, "the request cannot be served"),
        }
    }
}
