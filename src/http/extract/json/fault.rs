//! From serde's words to a problem: what cannot be parsed is 400, what may not stand there is 422 and named.
//!
//! serde quotes the value that it refuses. A value may be a secret that landed in the wrong place, so only what
//! was *expected* is told.

use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Error, Path, Segment};

use crate::domain::field::FieldError;
use crate::http::problem::ProblemResponse;

pub(super) fn refusal(error: &Error<serde_json::Error>) -> ProblemResponse {
    let inner = error.inner();
    let (line, column) = (inner.line(), inner.column());
    match inner.classify() {
        Category::Data => ProblemResponse::invalid(vec![field(error)]),
        Category::Eof => ProblemResponse::malformed_json("the JSON value ends early"),
        Category::Syntax if inner.to_string().starts_with("recursion limit") => {
            ProblemResponse::malformed_json("lists and objects are nested deeper than 127 levels")
        }
        Category::Syntax | Category::Io => ProblemResponse::malformed_json(format!("at line {line}, column {column}")),
    }
}

/// The code of a field that nobody knows.
pub(super) const UNKNOWN: &str = "unknown_field";

/// Takes the member at a pointer of ours out of its object. `false`: it is not there.
pub(super) fn take_out(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    value.pointer_mut(parent).and_then(Value::as_object_mut).is_some_and(|object| object.remove(&name).is_some())
}

pub(super) fn field(error: &Error<serde_json::Error>) -> FieldError {
    let text = error.inner().to_string();
    let at = pointer(error.path());
    if let Some(name) = quoted(&text, "unknown field `") {
        let name: String = name.chars().take(128).collect();
        // The path may already end with the field that nobody knows.
        let parent = at.strip_suffix(&format!("/{}", escaped(&name))).unwrap_or(&at);
        return FieldError::new(child(parent, &name), UNKNOWN, "is not a field of this request");
    }
    if let Some(name) = quoted(&text, "missing field `") {
        return FieldError::new(child(&at, name), "required", "must be given");
    }
    if let Some(name) = quoted(&text, "duplicate field `") {
        let parent = at.strip_suffix(&format!("/{}", escaped(name))).unwrap_or(&at);
        return FieldError::new(child(parent, name), "duplicate", "may be given only once");
    }
    FieldError::new(at, "invalid_type", expected(&text))
}

/// What was expected, without the value that was sent.
fn expected(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(words, _)| words);
    match text.rsplit_once(", expected ") {
        Some((_, "i32")) => "must be a whole number of 32 bits".to_owned(),
        Some((_, words)) => format!("must be {words}"),
        // serde's own words begin otherwise: this is what a type of ours says of its form.
        None if text.starts_with("must ") => text.to_owned(),
        None => "is not allowed here".to_owned(),
    }
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.split_once('`').map(|(name, _)| name)
}

fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Seq { index } => format!("{at}/{index}"),
        Segment::Map { key } => child(&at, key),
        Segment::Enum { variant } => child(&at, variant),
        Segment::Unknown => at,
    })
}

fn child(at: &str, name: &str) -> String {
    format!("{at}/{}", escaped(name))
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    use super::super::{Canonical, read, typed};
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
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Login {
        password: String,
    }

    fn parse(body: &str) -> Result<Sample, ProblemResponse> {
        read(body.as_bytes()).and_then(|Canonical(value)| typed(value))
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
    fn every_field_that_nobody_knows_is_named_and_the_first_that_is_missing() {
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
}
