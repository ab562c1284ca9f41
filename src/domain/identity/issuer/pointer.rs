//! JSON Pointers (RFC 6901) into claims: written by the operator, or derived from a claim's name.

use serde_json::{Map, Value};

/// The longest pointer, in bytes.
pub const MAX_BYTES: usize = 256;

/// Whether it is a valid pointer to a claim, not to the whole token.
pub fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.len() > 1 && text.len() <= MAX_BYTES && text.starts_with('/') && escapes && super::subject::is_plain(text)
}

/// The pointer to the claim of that name.
pub fn of_name(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The value at the pointer.
pub fn find<'a>(claims: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let mut parts = pointer.strip_prefix('/')?.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&parts.next()?)?;
    parts.try_fold(first, |value, part| match value {
        Value::Object(members) => members.get(&part),
        Value::Array(items) => part.parse::<usize>().ok().and_then(|place| items.get(place)),
        _ => None,
    })
}
