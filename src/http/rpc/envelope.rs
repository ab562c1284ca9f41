//! Answers as the cloud writes them, in JSON or XML. A success has `RequestId` first and no `Code`; an error has
//! five texts, none of them ever a number: a numeric `RequestId` crashes one SDK.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::eci::incoming::AnswerFormat;
use crate::eci::xml;
use crate::http::exchange::{NO_HOST, Rpc};
use crate::http::problem::ProblemResponse;

use super::words::of_layer;

/// A success of `action` with these fields.
pub(super) fn success(
    action: &str,
    request_id: &str,
    format: AnswerFormat,
    fields: Map<String, Value>,
) -> Response<Body> {
    let mut body = Map::from_iter([("RequestId".to_owned(), Value::from(request_id))]);
    body.extend(fields);
    write(StatusCode::OK, Some(action), request_id, format, body)
}

/// An error. `refusal` is in the cloud's words already.
pub(in crate::http) fn error(refusal: &ProblemResponse, rpc: &Rpc, request_id: &str) -> Response<Body> {
    let format = rpc.format.get().copied().unwrap_or_default();
    let body = error_fields(refusal, &rpc.host, request_id);
    let mut answer = write(refusal.status(), None, request_id, format, body);
    let headers = refusal.headers().iter().map(|(name, value)| (name.clone(), value.clone()));
    answer.headers_mut().extend(headers);
    answer
}

/// The media type and body of an error to a request that was not read; `refusal` may be in anyone's words.
pub(in crate::http) fn unread(
    refusal: ProblemResponse,
    format: AnswerFormat,
    request_id: &str,
) -> (&'static str, String) {
    text(format, None, error_fields(&of_layer(refusal), NO_HOST, request_id))
}

fn error_fields(refusal: &ProblemResponse, host: &str, request_id: &str) -> Map<String, Value> {
    let code = refusal.code();
    Map::from_iter([
        ("RequestId".to_owned(), json!(request_id)),
        ("HostId".to_owned(), json!(host)),
        ("Code".to_owned(), json!(code)),
        ("Message".to_owned(), json!(refusal.detail())),
        ("Recommend".to_owned(), json!(format!("https://api.aliyun.com/troubleshoot?q={code}&product=Eci"))),
    ])
}

fn write(
    status: StatusCode,
    action: Option<&str>,
    request_id: &str,
    format: AnswerFormat,
    body: Map<String, Value>,
) -> Response<Body> {
    let (kind, text) = text(format, action, body);
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert(HeaderName::from_static("x-acs-request-id"), id);
    }
    answer
}

fn text(format: AnswerFormat, action: Option<&str>, body: Map<String, Value>) -> (&'static str, String) {
    match format {
        AnswerFormat::Json => ("application/json;charset=utf-8", Value::Object(body).to_string()),
        AnswerFormat::Xml => ("text/xml;charset=utf-8", xml::document(action, &body)),
    }
}
