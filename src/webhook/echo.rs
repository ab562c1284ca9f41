//! Blanks an endpoint's own headers where the receiver's answer repeats them: what is kept of an answer is shown to
//! whoever may read deliveries, and the values are write-only.
//!
//! Who calls it: [`super::sender`]. What it does not do: find what the receiver disguised.

use super::sender::is_free;

/// What stands in place of a value.
const BLANK: &[u8] = b"***";
/// A shorter value is no secret, and may be any word.
const SHORTEST: usize = 4;

/// The answer without the values of the headers that are the endpoint's own; as they stand, or as JSON has them.
pub(super) fn blank(mut answer: Vec<u8>, headers: &[(String, String)]) -> Vec<u8> {
    let own = headers.iter().filter(|(name, value)| is_free(name) && value.len() >= SHORTEST);
    let mut values: Vec<String> = own.flat_map(|(_, value)| [value.clone(), json(value)]).collect();
    // The longest first, so that a value within another one does not leave the rest of it standing.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        answer = without(&answer, value.as_bytes());
    }
    answer
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn without(mut rest: &[u8], value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(value.len()).position(|part| part == value) {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(BLANK);
        rest = &rest[at + value.len()..];
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_values_are_blanked_and_ours_stay() {
        let headers = [("x-key", "se\"cret"), ("x-long", "se\"cret more"), ("x-a", "abc"), ("webhook-id", "evt_1234")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told = blank(br#"se"cret more, se\"cret, abc, evt_1234"#.to_vec(), &headers);
        assert_eq!(told, b"***, ***, abc, evt_1234");
        assert_eq!(blank(vec![0xff, 0xfe], &headers), [0xff, 0xfe]);
    }
}
