//! What a refusal looks like from outside.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::problem::Code;
use crate::http::problem::Occasion;

mod documents;

fn written(error: Error) -> Response {
    ProblemResponse::from(error).write(None, &Occasion::without_effect("req-1"))
}

async fn body(answer: Response) -> Value {
    let bytes = axum::body::to_bytes(answer.into_body(), 65_536).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn header(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_missing_and_a_bad_token_are_challenged_apart() {
    let missing = written(Error::Unauthenticated { code: Code::TokenMissing, detail: "no token".into() });
    assert_eq!(missing.status().as_u16(), 401);
    assert_eq!(header(&missing, "www-authenticate").unwrap(), r#"Bearer realm="eci-cache-gateway""#);
    let expired = written(Error::Unauthenticated { code: Code::TokenExpired, detail: "it ended".into() });
    assert!(header(&expired, "www-authenticate").unwrap().contains(r#"error="invalid_token""#));
    assert_eq!(header(&expired, "content-type").unwrap(), MEDIA);
    let scope = written(Error::Forbidden(&[Scope::Write]));
    assert!(header(&scope, "www-authenticate").unwrap().contains(r#"error="insufficient_scope", scope="write""#));
}

const MEDIA: &str = super::super::MEDIA_TYPE;

#[tokio::test]
async fn what_is_not_there_looks_the_same_whatever_it_was() {
    let one = body(written(Error::NotFound("image cache"))).await;
    let other = body(ProblemResponse::not_found().write(None, &Occasion::without_effect("req-1"))).await;
    assert_eq!(one, other);
    assert_eq!(one["status"], 404);
    assert_eq!(one["type"], "/docs/problems/not_found");
}

#[tokio::test]
async fn fields_are_named_by_pointer_or_parameter() {
    let errors =
        vec![FieldError::new("/images/3", FieldCode::Invalid, "a"), FieldError::new("cursor", FieldCode::Invalid, "b")];
    let body = body(written(Error::Invalid(errors))).await;
    let expected = json!([
        {"pointer": "/images/3", "code": "invalid", "detail": "a"},
        {"parameter": "cursor", "code": "invalid", "detail": "b"},
    ]);
    assert_eq!(body["errors"], expected);
    assert_eq!(body["status"], 422);
}

#[tokio::test]
async fn the_cloud_s_refusal_keeps_its_words() {
    let error = CloudError {
        code: "QuotaExceeded".into(),
        message: "too many".into(),
        request_id: Some("R-1".into()),
        http_status: 403,
        denied: None,
    };
    let answer = written(Error::CloudRefused { error, operation: Some(Uuid::nil().into()) });
    assert_eq!(answer.status().as_u16(), 409);
    let body = body(answer).await;
    assert_eq!((&body["provider_code"], &body["provider_request_id"]), (&json!("QuotaExceeded"), &json!("R-1")));
    assert_eq!(body["operation_id"], "op_00000000000000000000000000");
    assert_eq!((&body["cause"], &body["retryable"]), (&json!("quota"), &json!(true)));
}

#[tokio::test]
async fn a_cause_is_kept_for_the_log_alone() {
    let refusal = ProblemResponse::from(Error::Internal("row 7 of table secrets".into()));
    assert_eq!(refusal.cause().unwrap().to_string(), "row 7 of table secrets");
    let answer = refusal.write(None, &Occasion::without_effect("req-1"));
    assert_eq!(answer.status().as_u16(), 500);
    let body = body(answer).await;
    assert!(!body.to_string().contains("secrets"));
    assert_eq!(body["instance"], "urn:eci-cache-gateway:request:req-1");
}

#[tokio::test]
async fn what_may_succeed_later_says_so() {
    let away = Error::Unavailable { code: Code::DatabaseUnavailable, detail: "no database", retry_after_seconds: 7 };
    let answer = written(away);
    assert_eq!(header(&answer, "retry-after").unwrap(), "7");
    assert_eq!(body(answer).await["retryable"], true);
    let newer = written(Error::Unreadable("image_caches.status contains an unreadable value".into()));
    assert_eq!((newer.status().as_u16(), header(&newer, "retry-after").unwrap().as_str()), (503, "30"));
    let body_of_newer = body(newer).await;
    assert_eq!(
        (&body_of_newer["code"], &body_of_newer["retryable"]),
        (&json!("record_of_another_version"), &json!(true))
    );
    assert!(!body_of_newer.to_string().contains("image_caches"), "{body_of_newer}");
    let busy = Error::Conflict { code: Code::OperationInProgress, detail: "wait".into() };
    assert_eq!(body(written(busy)).await["retryable"], true);
}

#[tokio::test]
async fn an_answer_of_axum_s_own_keeps_its_headers_and_gets_a_body() {
    let mut bare = axum::response::IntoResponse::into_response((StatusCode::METHOD_NOT_ALLOWED, [("allow", "GET")]));
    let refusal = ProblemResponse::found_in(&mut bare).unwrap();
    let answer = refusal.write(Some(bare), &Occasion::without_effect("req-1"));
    assert_eq!(header(&answer, "allow").unwrap(), "GET");
    assert_eq!(body(answer).await["code"], "method_not_allowed");
}
