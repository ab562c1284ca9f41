//! A JSON body as flat parameters, as one SDK's generic call can send it: `{"Image":["a"]}` is `Image.1=a`.

use serde_json::Value;

use super::{Pairs, Refusal};

/// The pairs of an object; anything else is refused. Nulls are left out.
pub(super) fn flatten(body: &[u8]) -> Result<Pairs, Refusal> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => {
            let mut pairs = Pairs::new();
            put("", value, &mut pairs);
            Ok(pairs)
        }
        _ => Err(Refusal::UnsupportedBody),
    }
}

/// Recursion ends: serde_json reads 128 levels at most.
fn put(key: &str, value: Value, pairs: &mut Pairs) {
    let below = |name: String| if key.is_empty() { name } else { format!("{key}.{name}") };
    match value {
        Value::Null => {}
        Value::Bool(truth) => pairs.push((key.to_owned(), truth.to_string())),
        Value::Number(number) => pairs.push((key.to_owned(), number.to_string())),
        Value::String(text) => pairs.push((key.to_owned(), text)),
        Value::Array(items) => {
            for (place, item) in (1..).zip(items) {
                put(&below(place.to_string()), item, pairs);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                put(&below(name), field, pairs);
            }
        }
    }
}
