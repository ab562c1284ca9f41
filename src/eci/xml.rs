//! A response as XML, for callers that send `Format=XML`: the same fields, and a list as a repeated element.
//!
//! Called by the RPC front and the stand-in. It supports neither attributes nor namespaces, and does not parse.

use serde_json::{Map, Value};

/// A successful response to `action`, or an error if there is no action, as a complete document.
pub fn document(action: Option<&str>, fields: &Map<String, Value>) -> String {
    let root = action.map_or_else(|| "Error".to_owned(), |action| format!("{action}Response"));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    element(&root, &Value::Object(fields.clone()), &mut text);
    text
}

fn element(name: &str, value: &Value, to: &mut String) {
    // `["a","b"]` under Images is <Images>a</Images><Images>b</Images>; an empty list is omitted.
    if let Value::Array(items) = value {
        for item in items {
            element(name, item, to);
        }
        return;
    }
    let name = word(name);
    to.extend(["<", &name, ">"]);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                element(name, value, to);
            }
        }
        Value::String(text) => text.chars().for_each(|letter| escape(letter, to)),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => to.push_str(&value.to_string()),
    }
    to.extend(["</", &name, ">"]);
}

/// A valid XML name. Fields always have one, keys of open maps may not.
fn word(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { format!("_{name}") }
}

fn escape(letter: char, to: &mut String) {
    match letter {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        '"' => to.push_str("&quot;"),
        '\r' => to.push_str("&#13;"),
        '\t' | '\n' => to.push(letter),
        // XML 1.0 does not allow them, not even escaped.
        '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => to.push('\u{fffd}'),
        _ => to.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_repeat_and_texts_are_escaped() {
        let fields = json!({"RequestId": "R", "Images": ["a<b", "\u{1}&"], "Tags": [{"Key": "k", "Value": null}],
            "Empty": [], "Cpu": 16.5, "odd key": true, "1": 2});
        let text = document(Some("DescribeImageCaches"), fields.as_object().unwrap());
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeImageCachesResponse><RequestId>R</RequestId>\
             <Images>a&lt;b</Images><Images>\u{fffd}&amp;</Images><Tags><Key>k</Key><Value></Value></Tags>\
             <Cpu>16.5</Cpu><odd_key>true</odd_key><_1>2</_1></DescribeImageCachesResponse>"
        );
        assert!(document(None, &Map::new()).ends_with("<Error></Error>"));
    }
}
