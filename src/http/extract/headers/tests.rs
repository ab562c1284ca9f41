//! Which header values are taken, and what the others are told.

use super::*;

fn with(name: &'static str, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_wait_is_taken_from_any_preference_and_capped() {
    let waits = |values: &[&str]| {
        let wait = prefer_wait(&with("prefer", values));
        (wait.time.as_secs(), wait.asked)
    };
    assert_eq!(waits(&[]), (10, false));
    assert_eq!(waits(&["wait=0"]), (0, true));
    assert_eq!(waits(&["return=minimal, Wait = 30; x=y"]), (30, true));
    assert_eq!(waits(&["return=minimal", "wait=600"]), (55, true));
    assert_eq!(waits(&["wait=soon"]), (10, false));
    assert_eq!(waits(&["wait=-1"]), (10, false));
}

#[test]
fn an_idempotency_key_is_given_once() {
    assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    assert_eq!(idempotency_key(&with("idempotency-key", &["a b"])).unwrap().as_deref(), Some("a b"));
    for bad in [vec![""], vec!["a", "b"], vec!["é"]] {
        assert_eq!(idempotency_key(&with("idempotency-key", &bad)).unwrap_err().code(), "malformed_header");
    }
    let long = "x".repeat(256);
    assert!(idempotency_key(&with("idempotency-key", &[&long])).is_err());
}

#[test]
fn only_a_strong_tag_of_ours_can_match() {
    let read = |value: &str| if_match(&with("if-match", &[value]));
    assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    assert_eq!(read("\"v12\"").unwrap(), Some(12));
    assert_eq!(read("*").unwrap(), None);
    assert_eq!(read("W/\"v12\"").unwrap(), Some(NO_VERSION));
    assert_eq!(read("\"other\"").unwrap(), Some(NO_VERSION));
    for bad in ["v12", "12", "\"v1\", \"v2\"", ""] {
        assert_eq!(read(bad).unwrap_err().code(), "malformed_header", "{bad}");
    }
}

#[test]
fn a_client_that_has_the_version_is_told_so() {
    let has = |value: &str| if_none_match(&with("if-none-match", &[value]), 3);
    assert!(has("\"v3\"") && has("W/\"v3\"") && has("*") && has("\"x\", \"v3\""));
    assert!(!has("\"v4\"") && !has("v3"));
    assert!(!if_none_match(&HeaderMap::new(), 3));
}

#[test]
fn only_a_sane_trace_context_is_kept() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(traceparent(&with("traceparent", &[good])).as_deref(), Some(good));
    for bad in [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    ] {
        assert_eq!(traceparent(&with("traceparent", &[bad])), None, "{bad}");
    }
}
