//! Writes every answer of the stand-in: always JSON, because HTML or an empty body crashes some SDKs.
//!
//! A success has `RequestId` and no `Code`; an error has the five texts `RequestId`, `HostId`, `Code`,
//! `Message` and `Recommend`. None of them is ever a number: a numeric `RequestId` crashes the Go SDK.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::domain::entropy::Entropy;

/// What an action returns: the fields of its success without `RequestId`, or a refusal.
pub(super) type Outcome = Result<Map<String, Value>, Refusal>;

/// An error of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) http: u16,
    pub(super) code: Cow<'static, str>,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(http: u16, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { http, code: code.into(), message: message.into() }
    }

    /// A parameter that an action cannot do without.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!(
            "The input parameter \"{parameter}\" that is mandatory for processing this request is not supplied."
        );
        Self::new(400, "MissingParameter", message)
    }

    /// A parameter outside its limits.
    pub(super) fn invalid(parameter: &str, allowed: &str) -> Self {
        Self::new(400, "InvalidParameter", format!("The specified parameter {parameter} is not valid: {allowed}."))
    }

    /// An id that an update or a delete does not find.
    pub(super) fn not_found(id: &str) -> Self {
        Self::new(404, "InvalidParameter.NotFound", format!("The specified ImageCacheId {id} does not exist."))
    }
}

/// A `RequestId`: an upper-case UUID.
pub(super) fn request_id(entropy: &Entropy) -> String {
    uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid().hyphenated().to_string().to_uppercase()
}

/// The answer to a call.
pub(super) fn write(outcome: Outcome, host: &str, entropy: &Entropy) -> Response<Body> {
    let request_id = request_id(entropy);
    match outcome {
        Ok(mut fields) => {
            fields.insert("RequestId".to_owned(), Value::String(request_id));
            json(StatusCode::OK, &Value::Object(fields))
        }
        Err(refusal) => error(&refusal, host, &request_id),
    }
}

fn error(refusal: &Refusal, host: &str, request_id: &str) -> Response<Body> {
    let code = &refusal.code;
    let envelope = json!({
        "RequestId": request_id,
        "HostId": host,
        "Code": code,
        "Message": refusal.message,
        "Recommend": format!("https://api.aliyun.com/troubleshoot?q={code}&product=Eci&requestId={request_id}"),
    });
    json(StatusCode::from_u16(refusal.http).unwrap_or(StatusCode::BAD_REQUEST), &envelope)
}

/// Any JSON, for the admin door too.
pub(super) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
