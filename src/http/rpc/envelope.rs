//! Answers as the cloud writes them, in JSON or XML. A success has `RequestId` first and no `Code`; an error has
//! five texts, none of them ever a number: a numeric `RequestId` crashes one SDK.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::eci::incoming::Format;
use crate::eci::xml;
use crate::http::exchange::Rpc;
use crate::http::problem::Refusal;

/// A success of `action` with these fields.
pub(super) fn success(action: &str, request_id: &str, format: Format, fields: Map<String, Value>) -> Response<Body> {
    let mut body = Map::from_iter([("RequestId".to_owned(), Value::from(request_id))]);
    body.extend(fields);
    write(StatusCode::OK, Some(action), request_id, format, body)
}

/// An error. `refusal` is in the cloud's words already.
pub(in crate::http) fn error(refusal: &Refusal, rpc: &Rpc, request_id: &str) -> Response<Body> {
    let code = refusal.code();
    let body = Map::from_iter([
        ("RequestId".to_owned(), json!(request_id)),
        ("HostId".to_owned(), json!(rpc.host)),
        ("Code".to_owned(), json!(code)),
        ("Message".to_owned(), json!(refusal.detail())),
        ("Recommend".to_owned(), json!(format!("https://api.aliyun.com/troubleshoot?q={code}&product=Eci"))),
    ]);
    let format = rpc.format.get().copied().unwrap_or_default();
    let mut answer = write(refusal.status(), None, request_id, format, body);
    let headers = refusal.headers().iter().map(|(name, value)| (name.clone(), value.clone()));
    answer.headers_mut().extend(headers);
    answer
}

fn write(
    status: StatusCode,
    action: Option<&str>,
    request_id: &str,
    format: Format,
    body: Map<String, Value>,
) -> Response<Body> {
    let (kind, text) = match format {
        Format::Json => ("application/json;charset=utf-8", Value::Object(body).to_string()),
        Format::Xml => ("text/xml;charset=utf-8", xml::document(action, &body)),
    };
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert(HeaderName::from_static("x-acs-request-id"), id);
    }
    answer
}
