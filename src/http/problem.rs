//! Refusals and failures as clients see them: RFC 9457 problem details, one shape for every status.
//!
//! What must stay true: an absent id and another team's id give the same bytes (so nothing here holds the path);
//! the cause of an internal error is logged once, with the request id, and never shown.
//! A [`ProblemResponse`] travels in the response's extensions; the outermost wrapper writes the body, because only
//! there the request id is known to everyone, and refusals made by axum itself can be given the same shape.

use std::sync::Arc;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::field::FieldError;
use crate::domain::problem::{Code, Repeat, retryable};

pub mod catalogue;
mod cloud;
mod door;
mod gate;
mod oauth;
mod occasion;
mod policy;
mod render;

pub use occasion::Occasion;
pub(super) use occasion::PAGES;

/// The media type of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused or failed (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem as a URI reference: the page that explains it, `/docs/problems/` followed by the code. It is
    /// absolute if the gateway knows its public address.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// The HTTP status of the response.
    pub status: i32,
    /// What was wrong with this request.
    pub detail: String,
    /// This occurrence of the problem as a URI: `urn:eci-cache-gateway:request:` followed by the request id.
    pub instance: String,
    /// A stable, machine-readable code, explained at `/docs/problems/{code}`. New codes may be added.
    pub code: String,
    /// The id of the request, as in `X-Request-Id`. Quote it when you ask for help.
    pub request_id: String,
    /// Whether a program may repeat the same request: it may succeed later, and nothing happens twice, because the
    /// method is idempotent, the operation only reads, or the request has an `Idempotency-Key` which the operation
    /// takes.
    pub retryable: bool,
    /// How to resolve the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
    /// For a refusal by the cloud: a stable code for the cause; see `Failure.cause`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cause: Option<String>,
    /// For a refusal by the cloud: the cause, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation: Option<String>,
    /// From the gate: the image cache that determined the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache_id: Option<String>,
    /// From the gate: the status of that image cache; see `ImageCache.status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache_status: Option<String>,
    /// From the gate: when the image cache is expected to be usable, based on how long builds usually take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_at: Option<DateTime<Utc>>,
    /// All the fields that are invalid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// For a refusal by the policy: whom to contact to change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contact: Option<String>,
    /// The operation that ended with this problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation_id: Option<String>,
    /// The cloud's own error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_code: Option<String>,
    /// The cloud's `RequestId`, to quote when you contact its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_request_id: Option<String>,
    /// From the token exchange: the OAuth error code (RFC 6749, 5.2 and RFC 8693, 2.2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// From the token exchange: the same text as `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_description: Option<String>,
}

/// A field that is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemField {
    /// The location of the field in the body, as a JSON pointer (RFC 6901). Empty for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// The name of the query parameter or header, if the field is not in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// A stable, machine-readable code. New codes may be added.
    pub code: String,
    /// What is allowed in the field.
    pub detail: String,
    /// For a refusal by the policy: the member of the policy that refuses the value. New values may be added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rule: Option<String>,
    /// For a refusal by the policy: the allowed values, if they can be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub allowed: Vec<String>,
}

impl From<FieldError> for ProblemField {
    fn from(error: FieldError) -> Self {
        let in_body = error.field.is_empty() || error.field.starts_with('/');
        let (pointer, parameter) = if in_body { (Some(error.field), None) } else { (None, Some(error.field)) };
        let (code, detail) = (error.code.as_str().to_owned(), error.detail.into_owned());
        Self { pointer, parameter, code, detail, rule: None, allowed: Vec::new() }
    }
}

type LoggedCause = Arc<dyn std::error::Error + Send + Sync>;

/// A problem on its way out, with the headers that belong to it and the cause that only the log sees.
#[derive(Debug, Clone)]
pub struct ProblemResponse(Box<ProblemParts>);

#[derive(Debug, Clone)]
struct ProblemParts {
    status: StatusCode,
    code: SentCode,
    /// Whether the same request may succeed later, without any change.
    may_help: bool,
    problem: Problem,
    headers: HeaderMap,
    cause: Option<LoggedCause>,
}

/// A code as it leaves: a row of our table, or at the cloud's own API one of the cloud's codes.
#[derive(Debug, Clone)]
enum SentCode {
    Ours(Code),
    Clouds(String),
}

impl SentCode {
    fn as_str(&self) -> &str {
        match self {
            Self::Ours(code) => code.as_str(),
            Self::Clouds(code) => code,
        }
    }
}

impl ProblemResponse {
    /// A problem of this code, with its usual status.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let usual = code.statuses().first().and_then(|status| StatusCode::from_u16(*status).ok());
        let may_help = code.repeat() == Repeat::Yes;
        let mut refusal = Self::of(SentCode::Ours(code), usual.unwrap_or(StatusCode::BAD_REQUEST), detail.into());
        code.title().clone_into(&mut refusal.0.problem.title);
        refusal.0.may_help = may_help;
        refusal
    }

    /// A refusal in the cloud's words, at the door that speaks its API: the code is the cloud's.
    pub(super) fn in_clouds_words(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self::of(SentCode::Clouds(code.to_owned()), status, detail.into())
    }

    fn of(code: SentCode, status: StatusCode, detail: String) -> Self {
        let problem = Problem {
            kind: String::new(),
            title: String::new(),
            status: i32::from(status.as_u16()),
            detail,
            instance: String::new(),
            code: String::new(),
            request_id: String::new(),
            retryable: false,
            hint: None,
            cause: None,
            explanation: None,
            image_cache_id: None,
            image_cache_status: None,
            expected_at: None,
            errors: Vec::new(),
            contact: None,
            operation_id: None,
            provider_code: None,
            provider_request_id: None,
            error: None,
            error_description: None,
        };
        Self(Box::new(ProblemParts { status, code, may_help: false, problem, headers: HeaderMap::new(), cause: None }))
    }

    /// The same with another status of its code.
    fn at(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self.0.problem.status = i32::from(status.as_u16());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.problem.hint = Some(hint.into());
        self
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// With `Retry-After`.
    pub(super) fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    fn fields(mut self, errors: Vec<FieldError>) -> Self {
        self.0.problem.errors = errors.into_iter().map(Into::into).collect();
        self
    }

    /// The code as it is sent.
    pub fn code(&self) -> &str {
        self.0.code.as_str()
    }

    /// Whether it is in the cloud's words already.
    pub(super) fn is_in_clouds_words(&self) -> bool {
        matches!(self.0.code, SentCode::Clouds(_))
    }

    /// The cloud's `RequestId`, where it was the cloud that refused.
    pub fn provider_request_id(&self) -> Option<&str> {
        self.0.problem.provider_request_id.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What was wrong this time.
    pub fn detail(&self) -> &str {
        &self.0.problem.detail
    }

    /// The same refusal in the cloud's words; its cause and headers stay.
    pub(super) fn reworded(self, status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let mut refusal = self.at(status);
        refusal.0.code = SentCode::Clouds(code.to_owned());
        refusal.0.problem.detail = detail.into();
        refusal
    }

    /// The headers that belong to it.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// What only the log may see.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// What `answer` refuses: as its maker put it, or else told from its status. None for a success.
    pub fn found_in(answer: &mut Response) -> Option<Self> {
        let told = answer.extensions_mut().remove::<Self>();
        told.or_else(|| (answer.status().as_u16() >= 400).then(|| Self::from_status(answer.status())))
    }

    /// What it says in the answer to a request.
    pub(super) fn problem(&self, occasion: &Occasion) -> Problem {
        let mut problem = self.0.problem.clone();
        problem.kind = occasion.type_of(self.code());
        self.code().clone_into(&mut problem.code);
        problem.retryable = retryable(self.0.may_help, occasion.repetition);
        occasion.request_id.clone_into(&mut problem.request_id);
        problem.instance = format!("urn:eci-cache-gateway:request:{}", occasion.request_id);
        problem
    }

    /// The body of that answer.
    pub(super) fn body(&self, occasion: &Occasion) -> Vec<u8> {
        serde_json::to_vec(&self.problem(occasion)).unwrap_or_default()
    }

    /// The answer, in place of `before`, whose other headers stay (`Allow` of a 405).
    pub fn write(self, before: Option<Response>, occasion: &Occasion) -> Response {
        let body = self.body(occasion);
        let mut headers = before.map(|answer| answer.into_parts().0.headers).unwrap_or_default();
        headers.extend(self.0.headers);
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        let mut answer = Response::new(body.into());
        *answer.status_mut() = self.0.status;
        *answer.headers_mut() = headers;
        answer
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let mut answer = self.0.status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}
