//! Values of a token's claims, as displayed to an operator who has the token explained: few, short, and readable.

use serde_json::{Map, Value};

use super::{pointer, subject};

/// The most values displayed of one claim.
pub const MAX_VALUES: usize = 5;
/// The most characters displayed of one value.
pub const MAX_CHARS: usize = 100;

/// The first texts, numbers and booleans in the value.
pub fn values(found: Option<&Value>) -> Vec<String> {
    items(found).into_iter().filter_map(plain).take(MAX_VALUES).map(|text| short(&text)).collect()
}

/// The value at the pointer, as a sentence.
pub fn sentence(claims: &Map<String, Value>, pointer: &str) -> String {
    let found = pointer::find(claims, pointer);
    let words = values(found);
    match found {
        None => format!("{pointer} is not in the token"),
        Some(_) if words.is_empty() => format!("{pointer} is not a string"),
        Some(_) => format!("{pointer} is {}", listed(&words, items(found).len())),
    }
}

/// The first of these words in quotes, and the number of the others.
pub fn list(words: &[String]) -> String {
    let first: Vec<String> = words.iter().take(MAX_VALUES).map(|word| short(word)).collect();
    listed(&first, words.len())
}

fn listed(first: &[String], all: usize) -> String {
    let quoted: Vec<String> = first.iter().map(|word| format!("\"{word}\"")).collect();
    match all.saturating_sub(first.len()) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

fn items(found: Option<&Value>) -> Vec<&Value> {
    match found {
        Some(Value::Array(items)) => items.iter().collect(),
        other => other.into_iter().collect(),
    }
}

fn short(text: &str) -> String {
    let mut shown = plainly(text).take(MAX_CHARS).collect::<String>();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// The characters of a text, with each invisible one replaced.
pub(super) fn plainly(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if subject::is_hidden(c) { '\u{fffd}' } else { c })
}

/// A text, or a number or boolean as JSON writes it.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn few_short_and_as_they_are_read() {
        let many = json!(["a", 1, true, {}, "b", "c", "d"]);
        assert_eq!(values(Some(&many)), ["a", "1", "true", "b", "c"]);
        assert_eq!(values(Some(&json!("a\u{202e}b"))), ["a\u{fffd}b"]);
        let long = values(Some(&json!("x".repeat(101))));
        assert_eq!(long, [format!("{}…", "x".repeat(100))]);
        let claims = json!({"groups": ["/a", "b"], "none": {}, "six": ["1", "2", "3", "4", "5", "6"]});
        let told = |pointer| sentence(claims.as_object().unwrap(), pointer);
        assert_eq!(told("/groups"), r#"/groups is "/a", "b""#);
        assert_eq!(told("/six"), r#"/six is "1", "2", "3", "4", "5" and 1 more"#);
        assert_eq!(told("/none"), "/none is not a string");
        assert_eq!(told("/other"), "/other is not in the token");
    }
}
