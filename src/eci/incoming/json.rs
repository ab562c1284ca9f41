//! A JSON body as flat parameters, as an SDK's generic call may send it: `{"Image":["a"]}` is `Image.1=a`.

use serde_json::Value;

use super::{FormPairs, RequestRefusal};

/// The maximum number of parameters and length of a name: each leaf repeats the names above it, so a short body could
/// otherwise expand to gigabytes.
const MOST: usize = 10_000;
const NAME: usize = 128;

/// The pairs of an object; anything else is refused. Nulls are left out.
pub(super) fn flatten(body: &[u8]) -> Result<FormPairs, RequestRefusal> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => {
            let mut pairs = FormPairs::new();
            put("", value, &mut pairs)?;
            Ok(pairs)
        }
        _ => Err(RequestRefusal::UnsupportedBody),
    }
}

/// The recursion is bounded because each level makes the name longer.
fn put(name: &str, value: Value, pairs: &mut FormPairs) -> Result<(), RequestRefusal> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        Value::Array(items) => {
            let mut places = (1..).zip(items);
            return places.try_for_each(|(place, item)| put(&below(name, &place.to_string())?, item, pairs));
        }
        Value::Object(fields) => {
            let mut fields = fields.into_iter();
            return fields.try_for_each(|(field, value)| put(&below(name, &field)?, value, pairs));
        }
    };
    if pairs.len() >= MOST {
        return Err(RequestRefusal::UnsupportedBody);
    }
    pairs.push((name.to_owned(), text));
    Ok(())
}

fn below(name: &str, field: &str) -> Result<String, RequestRefusal> {
    if name.len() + field.len() > NAME {
        return Err(RequestRefusal::UnsupportedBody);
    }
    Ok(if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_become_flat_and_stay_small() {
        let flat = flatten(br#"{"Image":["a",null,2],"Tag":[{"Key":"k"}],"Flash":true,"X":null}"#).unwrap();
        let text: Vec<_> = flat.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(text, ["Image.1=a", "Image.3=2", "Tag.1.Key=k", "Flash=true"]);
        let long = format!(r#"{{"{}":[1]}}"#, "k".repeat(500));
        let many = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(10_000));
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        for body in ["", "[]", "1", "{", long.as_str(), &many, &deep] {
            assert_eq!(flatten(body.as_bytes()), Err(RequestRefusal::UnsupportedBody));
        }
    }
}
