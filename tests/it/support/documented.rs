//! What the document says of the problems of each operation, against every answer that a test gets.
#![cfg(test)]

use std::sync::LazyLock;

use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::Method;
use serde_json::Value;

/// What any request can be refused with, before its operation is known; the document's description says so.
const BEFORE_ALL: [&str; 7] = [
    "malformed_head",
    "head_too_large",
    "url_too_long",
    "too_many_connections",
    "unknown_route",
    "method_not_allowed",
    "bad_request",
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&document_3_1()).unwrap());

/// The operation of a method at a path.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(want, part)| want.starts_with('{') || want == part)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A path without an id in it comes first, as in the router.
    let exact = paths.get(path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, item)| item))?;
    exact.get(method.as_str().to_ascii_lowercase())
}

/// Fails where an operation answers with a problem that the document does not list for it.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, status: u16, body: &str) {
    let Some(operation) = operation(method, path) else { return };
    let Ok(problem) = serde_json::from_str::<Value>(body) else { return };
    let code = problem["code"].as_str().unwrap();
    if BEFORE_ALL.contains(&code) {
        return;
    }
    let lists = |what: &str, wanted: &Value| operation[what].as_array().unwrap().contains(wanted);
    let id = &operation["operationId"];
    assert!(lists("x-problem-codes", &problem["code"]), "{id} does not list {code}: {problem}");
    assert!(lists("x-problem-statuses", &status.into()), "{id} does not list {status}: {problem}");
}

#[test]
#[should_panic(expected = "\"get_me\" does not list team_exists")]
fn a_code_that_is_not_listed_is_noticed() {
    check(&Method::GET, "/v1/me", 409, r#"{"code": "team_exists"}"#);
}
