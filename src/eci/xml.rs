//! An answer as the cloud writes it in XML: the action's or `Error`'s element, one element for each field,
//! the items of a list as repeated elements of the list's name.
//!
//! Nulls are left out, as absent is all that XML can say. Who calls it: the doors that speak the cloud's API.
//! What it does not do: read XML; we ask for JSON.

use serde_json::{Map, Value};

/// The document of `fields` in an element `root`.
pub fn document(root: &str, fields: &Map<String, Value>) -> String {
    let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
    object(&mut text, root, fields);
    text
}

fn object(text: &mut String, name: &str, fields: &Map<String, Value>) {
    let name = name_of(name);
    tag(text, "<", &name);
    for (key, value) in fields {
        element(text, key, value);
    }
    tag(text, "</", &name);
}

fn element(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| element(text, name, item)),
        Value::Object(fields) => object(text, name, fields),
        Value::String(word) => leaf(text, name, word),
        Value::Bool(_) | Value::Number(_) => leaf(text, name, &value.to_string()),
    }
}

fn leaf(text: &mut String, name: &str, value: &str) {
    let name = name_of(name);
    tag(text, "<", &name);
    value.chars().for_each(|letter| escape(text, letter));
    tag(text, "</", &name);
}

fn tag(text: &mut String, opening: &str, name: &str) {
    text.extend([opening, name, ">"]);
}

fn escape(text: &mut String, letter: char) {
    match letter {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        // A reader would make a line feed of it.
        '\r' => text.push_str("&#13;"),
        '\t' | '\n' => text.push(letter),
        // XML 1.0 cannot say these at all, not even escaped.
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
        _ => text.push(letter),
    }
}

/// A key as a name: keys of open maps may be anything.
fn name_of(key: &str) -> String {
    let good = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let name: String = key.chars().map(|letter| if good(letter) { letter } else { '_' }).collect();
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if begins { name } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_repeat_their_name_and_texts_are_escaped() {
        let answer = json!({
            "RequestId": "r", "TotalCount": 2, "Nothing": null, "Flash": true,
            "ImageCaches": [{"Images": ["a<b>", "c&d"], "Tags": []}, {"Status": "Ready\u{1}\r"}],
        });
        let text = document("DescribeImageCachesResponse", answer.as_object().unwrap());
        assert_eq!(
            text,
            "<?xml version='1.0' encoding='UTF-8'?><DescribeImageCachesResponse><RequestId>r</RequestId>\
             <TotalCount>2</TotalCount><Flash>true</Flash><ImageCaches><Images>a&lt;b&gt;</Images>\
             <Images>c&amp;d</Images></ImageCaches><ImageCaches><Status>Ready\u{fffd}&#13;</Status></ImageCaches>\
             </DescribeImageCachesResponse>"
        );
    }

    #[test]
    fn no_key_breaks_the_document() {
        let fields = json!({"1 <x>": "v", "": "w"});
        let text = document("Error", fields.as_object().unwrap());
        assert!(text.ends_with("<Error><_1__x_>v</_1__x_><_>w</_></Error>"), "{text}");
    }
}
