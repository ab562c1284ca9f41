//! What an update changed: field by field, in texts that people and programs can read.
//!
//! Called by `app`, for events. It judges nothing. Drift is reported in the same form.

use super::spec::ImageCacheSpec;

/// The most characters of a text; longer ones are truncated.
pub const MAX_TEXT: usize = 512;

/// One changed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The name of the field in REST.
    pub field: String,
    /// The value before; none if it was not set.
    pub from: Option<String>,
    /// The value after; none if it is no longer set.
    pub to: Option<String>,
}

/// Every field in which the two differ, in the order of the documentation.
pub fn differences(before: &ImageCacheSpec, after: &ImageCacheSpec) -> Vec<FieldChange> {
    let value = |spec: &ImageCacheSpec| serde_json::to_value(spec).unwrap_or_default();
    let (before, after) = (value(before), value(after));
    let fields = after.as_object().into_iter().flatten();
    let moved = fields.filter(|(field, value)| before.get(field.as_str()) != Some(value));
    moved.map(|(field, to)| FieldChange { field: field.clone(), from: text(&before[field]), to: text(to) }).collect()
}

/// A text as it is, everything else as JSON; none if it is not set.
fn text(value: &serde_json::Value) -> Option<String> {
    let whole = match value {
        serde_json::Value::Null => return None,
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut cut: String = whole.chars().take(MAX_TEXT).collect();
    if cut.len() < whole.len() {
        cut.push('…');
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> ImageCacheSpec {
        let text = format!(r#"{{"name":"web","region":"cn-hangzhou","images":["nginx:1"]{more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_equal_is_no_difference() {
        assert_eq!(differences(&spec(""), &spec("")), []);
    }

    #[test]
    fn every_difference_is_told_in_text() {
        let (before, after) =
            (spec(r#","size_gib":20,"tags":{"a":"b"}"#), spec(r#","retention_days":3,"size_gib":40"#));
        let found = differences(&before, &after);
        let lines: Vec<String> = found
            .iter()
            .map(|one| format!("{} {:?} {:?}", one.field, one.from.as_deref(), one.to.as_deref()))
            .collect();
        let expected = [
            r#"size_gib Some("20") Some("40")"#,
            r#"retention_days None Some("3")"#,
            r#"tags Some("{\"a\":\"b\"}") Some("{}")"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = spec(&format!(r#","comment":"{}""#, "é".repeat(MAX_TEXT + 1)));
        let to = differences(&spec(""), &long)[0].to.clone().unwrap();
        assert!(to.ends_with('…') && to.chars().count() == MAX_TEXT + 1);
    }
}
