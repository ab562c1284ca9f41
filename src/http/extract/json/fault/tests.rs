//! What is said of a body that is not what a route takes.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::faults::typed;
use super::super::{Canonical, JsonBody, read};
use crate::domain::field::{FieldCode, FieldError};
use crate::http::problem::ProblemResponse;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "not all that is read is looked at")]
struct Sample {
    images: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    logins: Vec<Login>,
    size: Option<i32>,
    kind: Option<Kind>,
    from: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    First,
}

impl JsonBody for Sample {
    fn value_errors(self) -> Vec<FieldError> {
        let big = self.size.is_some_and(|size| !(1..=20).contains(&size));
        big.then(|| FieldError::new("/size", FieldCode::OutOfRange, "must be 1 to 20")).into_iter().collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct Login {
    password: secrecy::SecretString,
}

fn parse(body: &str) -> Result<Sample, ProblemResponse> {
    let Canonical(value) = read(body.as_bytes())?;
    typed(value, body.len()).map_err(ProblemResponse::invalid)
}

fn refused(body: &str) -> (StatusCode, String) {
    let refusal = parse(body).unwrap_err();
    let told = format!("{refusal:?}");
    (refusal.into_response().status(), told)
}

#[test]
fn the_field_is_named_by_its_pointer() {
    for (body, pointer, code) in [
        (r#"{"images":["a",7]}"#, "/images/1", "invalid_type"),
        (r#"{"images":[],"colour":1}"#, "/colour", "unknown_field"),
        (r#"{"images":[],"logins":[{"password":"a","x/y":1}]}"#, "/logins/0/x~1y", "unknown_field"),
        (r#"{"images":[],"logins":[{}]}"#, "/logins/0/password", "required"),
        (r#"{"images":[],"images":[]}"#, "/images", "duplicate"),
        (r#"{"images":null}"#, "/images", "required"),
        (r#"{"images":["a",null]}"#, "/images/1", "invalid_type"),
        (r#"{"images":[],"tags":{"a":"b","a":"c"}}"#, "/tags/a", "duplicate"),
        (r#"{"images":[],"size":1.5}"#, "/size", "invalid_type"),
        (r#"{"images":[],"size":3000000000}"#, "/size", "invalid_type"),
        ("[]", "", "required"),
    ] {
        let (status, told) = refused(body);
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(told.contains(&format!("pointer: Some({pointer:?})")) || body == "[]", "{body}: {told}");
        assert!(told.contains(&format!("code: {code:?}")) || body == "[]", "{body}: {told}");
    }
}

#[test]
fn all_that_is_wrong_is_named_at_once() {
    let body = r#"{"imagess":[],"tags":{"a":1,"b":"x"},"logins":[{"pasword":1},{"password":[]},7],"size":90,
        "kind":"third","from":"yesterday"}"#;
    let (status, told) = refused(body);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for (pointer, code) in [
        ("/imagess", "unknown_field"),
        ("/images", "required"),
        ("/tags/a", "invalid_type"),
        ("/logins/0/pasword", "unknown_field"),
        ("/logins/0/password", "required"),
        ("/logins/1/password", "invalid_type"),
        ("/logins/2", "invalid_type"),
        ("/kind", "invalid_type"),
        ("/from", "invalid_type"),
        ("/size", "out_of_range"),
    ] {
        let named = format!("pointer: Some({pointer:?}), parameter: None, code: {code:?}");
        assert_eq!(told.matches(&named).count(), 1, "{named}: {told}");
    }
    assert_eq!(told.matches("pointer: Some(").count(), 10, "{told}");
    assert!(told.contains("did you mean `images`?") && told.contains("did you mean `password`?"), "{told}");
}

#[test]
fn what_stands_for_a_fault_is_no_fault_itself() {
    for (body, found) in [
        (r#"{"images":7}"#, 1),
        (r#"{"images":[7,8]}"#, 2),
        (r#"{"images":[],"logins":{}}"#, 1),
        (r#"{"images":[],"size":"big"}"#, 1),
        (r#"{"logins":[[],{}],"from":7}"#, 4),
        (r#"{"images":[],"kind":{},"size":-1}"#, 2),
    ] {
        let (_, told) = refused(body);
        assert_eq!(told.matches("pointer: Some(").count(), found, "{body}: {told}");
    }
}

#[test]
fn every_field_that_nobody_knows_is_named_and_what_is_missing() {
    let (_, told) = refused(r#"{"colour":1,"logins":[{"x/y":1,"~":2,"password":"a"}]}"#);
    for pointer in ["/colour", "/logins/0/x~1y", "/logins/0/~0", "/images"] {
        assert!(told.contains(&format!("pointer: Some({pointer:?})")), "{pointer}: {told}");
    }
    let many: Vec<String> = (0..100).map(|n| format!(r#""f{n}":1"#)).collect();
    let (_, told) = refused(&format!(r#"{{{},"images":[]}}"#, many.join(",")));
    assert_eq!(told.matches("unknown_field").count(), 20, "{told}");
}

#[test]
fn null_is_absent_and_a_whole_number_is_one_however_written() {
    let sample = parse(r#"{"images":[],"tags":{"a":null},"logins":null,"size":20.0}"#).unwrap();
    assert_eq!((sample.tags.len(), sample.logins.len(), sample.size), (0, 0, Some(20)));
    assert_eq!(parse(r#"{"images":[],"size":null}"#).unwrap().size, None);
}

#[test]
fn what_cannot_be_parsed_is_a_bad_request() {
    for body in ["", "{", "{\"images\":[]} x", "nonsense", "{\"images\":\"\u{1}\"}"] {
        assert_eq!(refused(body).0, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[test]
fn the_refused_value_is_not_repeated() {
    let (_, told) = refused(r#"{"images":[],"size":"hunter2, expected to stay secret"}"#);
    assert!(!told.contains("hunter2") && !told.contains("stay secret"), "{told}");
}
