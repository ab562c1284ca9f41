//! Masks an endpoint's secrets where the receiver's response repeats them: the values of its own headers, which are
//! write-only, and everything after the host in its URL. The stored response is visible to everybody who may read
//! deliveries.
//!
//! Called by [`super::sender`]. It does not recognize secrets that the receiver has encoded.

use percent_encoding::percent_decode_str;
use url::{Position, Url};

use super::sender::is_free;

/// The replacement of a value.
const BLANK: &[u8] = b"***";
/// The minimum length of a secret header value; shorter ones may be ordinary words.
const SHORTEST: usize = 4;
/// The minimum length of a secret value in a URL's query, or of a secret part of its path.
const SHORTEST_OF_QUERY: usize = 8;
const SHORTEST_OF_PATH: usize = 12;

/// The response without the values of the endpoint's own headers and without its URL, as they are or escaped as in
/// JSON.
pub(super) fn blank(mut answer: Vec<u8>, headers: &[(String, String)], url: &Url) -> Vec<u8> {
    let own = headers.iter().filter(|(name, value)| is_free(name) && value.len() >= SHORTEST);
    let own = own.map(|(_, value)| value.clone()).chain(parts(url));
    let mut values: Vec<String> = own.flat_map(|value| [json(&value), value]).collect();
    // Longest first, so that a value that is part of another one does not leave the rest of it visible.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        answer = without(&answer, value.as_bytes());
    }
    answer
}

/// What may be secret in a URL, as it is written and decoded.
fn parts(url: &Url) -> Vec<String> {
    let long = |part: &&str, least: usize| part.len() >= least;
    let whole = &url[Position::BeforePath..Position::AfterQuery];
    let path = url.path().split('/').filter(|part| long(part, SHORTEST_OF_PATH));
    let values = url.query().into_iter().flat_map(|query| query.split('&'));
    let values = values.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let values = values.filter(|value| long(value, SHORTEST_OF_QUERY));
    let written = [whole, url.query().unwrap_or_default()].into_iter().filter(|part| long(part, SHORTEST_OF_QUERY));
    let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    written.chain(path).chain(values).flat_map(|part| [part.to_owned(), decoded(part)]).collect()
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
        let url = Url::parse("https://a.example/hook").unwrap();
        let told = blank(br#"se"cret more, se\"cret, abc, evt_1234"#.to_vec(), &headers, &url);
        assert_eq!(told, b"***, ***, abc, evt_1234");
        assert_eq!(blank(vec![0xff, 0xfe], &headers, &url), [0xff, 0xfe]);
    }

    #[test]
    fn a_url_is_blanked_behind_its_host() {
        let url = Url::parse("https://a.example/services/T0/hush%20hush-1234?access_token=hush%2Bhush&ts=17").unwrap();
        let told = |text: &str| String::from_utf8(blank(text.into(), &[], &url)).unwrap();
        assert_eq!(
            told("POST /services/T0/hush%20hush-1234?access_token=hush%2Bhush&ts=17 at a.example"),
            "POST *** at a.example"
        );
        assert_eq!(told("hush hush-1234, hush+hush, hush%2Bhush, 17, T0"), "***, ***, ***, 17, T0");
    }
}
