//! From serde's words to a problem: what cannot be parsed is 400, what may not stand there is 422 and named.
//!
//! serde quotes the value that it refuses. A value may be a secret that landed in the wrong place, so only what
//! was *expected* is told.

use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Error, Path, Segment};

use crate::config::probably_meant;
use crate::domain::field::{FieldCode, FieldError};
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

/// Takes the member at a pointer of ours out of its object. `false`: it is not there.
pub(super) fn take_out(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let object = value.pointer_mut(parent).and_then(Value::as_object_mut);
    object.is_some_and(|object| object.remove(&unescaped(name)).is_some())
}

/// Puts a value at a pointer of ours. `false`: there is nothing to put it into.
pub(super) fn put(value: &mut Value, pointer: &str, new: Value) -> bool {
    if let Some(there) = value.pointer_mut(pointer).filter(|_| !pointer.is_empty()) {
        *there = new;
        return true;
    }
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let object = value.pointer_mut(parent).and_then(Value::as_object_mut);
    object.map(|object| object.insert(unescaped(name), new)).is_some()
}

/// A word that is taken, where only some are.
pub(super) fn word(error: &Error<serde_json::Error>) -> Option<String> {
    let text = error.inner().to_string();
    let words = text.strip_prefix("unknown variant `")?.split_once("`, expected ")?.1;
    known(words).next().map(str::to_owned)
}

pub(super) fn field(error: &Error<serde_json::Error>) -> FieldError {
    let text = error.inner().to_string();
    let at = pointer(error.path());
    if let Some(name) = quoted(&text, "unknown field `") {
        let name: String = name.chars().take(128).collect();
        // The path may already end with the field that nobody knows.
        let parent = at.strip_suffix(&format!("/{}", escaped(&name))).unwrap_or(&at);
        let near = text.rsplit_once("`, expected ").and_then(|(_, words)| probably_meant(&name, known(words)));
        let detail = match near {
            Some(near) => format!("is not a field of this request; did you mean `{near}`?"),
            None => "is not a field of this request".to_owned(),
        };
        return FieldError::new(child(parent, &name), FieldCode::UnknownField, detail);
    }
    if let Some(name) = quoted(&text, "missing field `") {
        return FieldError::new(child(&at, name), FieldCode::Required, "must be given");
    }
    if let Some(name) = quoted(&text, "duplicate field `") {
        let parent = at.strip_suffix(&format!("/{}", escaped(name))).unwrap_or(&at);
        return FieldError::new(child(parent, name), FieldCode::Duplicate, "may be given only once");
    }
    FieldError::new(at, FieldCode::InvalidType, expected(&text))
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

/// The names that serde lists: each between backticks.
fn known(words: &str) -> impl Iterator<Item = &str> {
    words.split('`').skip(1).step_by(2)
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

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
