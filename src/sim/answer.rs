//! Writes the stand-in's responses. There is always an envelope, because HTML or an empty body crashes some SDKs.
//!
//! A success has `RequestId` and no `Code`; an error has the five strings `RequestId`, `HostId`, `Code`, `Message` and
//! `Recommend`. None of them is ever a number: a numeric `RequestId` crashes the Go SDK. The format is JSON, or XML for
//! a caller that sends `Format=XML`.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::domain::entropy::Entropy;
use crate::eci::incoming::{self, AnswerFormat};
use crate::eci::params::known;
use crate::eci::params::read::ParameterError;
use crate::eci::xml;

/// The result of an action: the fields of a success without `RequestId`, or a refusal.
pub(super) type ActionResult = Result<Map<String, Value>, ActionRefusal>;

/// An error of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionRefusal {
    pub(super) http: u16,
    pub(super) code: Cow<'static, str>,
    pub(super) message: Cow<'static, str>,
    /// `AccessDeniedDetail` if a right is missing.
    detail: Option<Box<Value>>,
}

/// How to write the response, depending on the request.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerStyle {
    /// The value of `HostId`.
    pub(super) host: String,
    pub(super) format: AnswerFormat,
    /// The action, which determines the root element of an XML response.
    pub(super) action: &'static str,
}

impl ActionRefusal {
    pub(super) fn new(http: u16, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { http, code: code.into(), message: message.into(), detail: None }
    }

    /// Adds the details of a missing right.
    pub(super) fn with_detail(self, detail: Value) -> Self {
        Self { detail: Some(Box::new(detail)), ..self }
    }

    /// A `NextToken` that is not ours.
    pub(super) fn next_token() -> Self {
        ParameterError::invalid("NextToken", "it must come from an earlier answer").into()
    }

    /// Ends a valid request that is only a dry run.
    pub(super) fn unless_dry(params: &[(String, String)]) -> Result<(), Self> {
        if known::dry_run(params)? {
            return Err(Self::new(400, "DryRunOperation", "Request validation has been passed with DryRun flag set."));
        }
        Ok(())
    }

    /// An update or a delete with an unknown id.
    pub(super) fn not_found(id: &str) -> Self {
        let id: String = id.chars().take(100).collect();
        Self::new(404, "InvalidParameter.NotFound", format!("The specified ImageCacheId {id} does not exist."))
    }
}

impl From<ParameterError> for ActionRefusal {
    fn from(refused: ParameterError) -> Self {
        Self::new(400, refused.code, refused.message)
    }
}

impl From<incoming::RequestRefusal> for ActionRefusal {
    fn from(refusal: incoming::RequestRefusal) -> Self {
        Self::new(refusal.http_status(), refusal.code(), refusal.message())
    }
}

/// A new `RequestId`: an upper-case UUID.
pub(super) fn request_id(entropy: &Entropy) -> String {
    uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid().hyphenated().to_string().to_uppercase()
}

/// Writes the response to a call.
pub(super) fn write(outcome: ActionResult, manner: &AnswerStyle, entropy: &Entropy) -> Response<Body> {
    let request_id = request_id(entropy);
    match outcome {
        Ok(fields) => {
            let first = [("RequestId".to_owned(), Value::String(request_id))];
            let fields = first.into_iter().chain(fields).collect();
            envelope(StatusCode::OK, Some(manner.action), &fields, manner.format)
        }
        Err(refusal) => error(&refusal, manner, &request_id),
    }
}

fn error(refusal: &ActionRefusal, manner: &AnswerStyle, request_id: &str) -> Response<Body> {
    let code = &refusal.code;
    let texts = [
        ("RequestId", request_id.to_owned()),
        ("HostId", manner.host.clone()),
        ("Code", code.to_string()),
        ("Message", refusal.message.to_string()),
        ("Recommend", format!("https://api.aliyun.com/troubleshoot?q={code}&product=Eci&requestId={request_id}")),
    ];
    let texts = texts.map(|(key, text)| (key.to_owned(), Value::String(text)));
    let detail = refusal.detail.as_deref().cloned().map(|detail| ("AccessDeniedDetail".to_owned(), detail));
    let fields = texts.into_iter().chain(detail).collect();
    envelope(StatusCode::from_u16(refusal.http).unwrap_or(StatusCode::BAD_REQUEST), None, &fields, manner.format)
}

fn envelope(
    status: StatusCode,
    action: Option<&str>,
    fields: &Map<String, Value>,
    format: AnswerFormat,
) -> Response<Body> {
    match format {
        AnswerFormat::Json => json(status, &json!(fields)),
        AnswerFormat::Xml => raw(status, "text/xml;charset=utf-8", xml::document(action, fields)),
    }
}

/// A response with any JSON, also for the admin API.
pub(super) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    raw(status, "application/json;charset=utf-8", body.to_string())
}

/// A response with any text of that type.
pub(super) fn raw(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
