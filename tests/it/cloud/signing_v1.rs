//! The V1 signer compared with signatures made by Alibaba's own SDKs.

use eci_cache_gateway::eci::sign_v1;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct V1Vectors {
    count: usize,
    vectors: Vec<V1Vector>,
}

#[derive(Deserialize)]
struct V1Vector {
    id: String,
    method: String,
    access_key_secret: SecretString,
    params: BTreeMap<String, String>,
    expected: V1Expected,
}

#[derive(Deserialize)]
struct V1Expected {
    canonical_query_string: String,
    string_to_sign: String,
    signature: String,
    request_target: String,
    request_body: String,
}

fn vectors() -> Vec<V1Vector> {
    let file: V1Vectors =
        serde_json::from_str(include_str!("../../vectors/signing_v1.json")).expect("the vectors are JSON");
    assert_eq!((file.count, file.vectors.len()), (14, 14));
    file.vectors
}

#[test]
fn every_vector_is_signed_as_the_sdks_sign_it() {
    for vector in vectors() {
        // Reversed, so that our sorting is tested.
        let params: Vec<_> = vector.params.into_iter().rev().collect();
        assert_eq!(sign_v1::canonical(&params), vector.expected.canonical_query_string, "{}", vector.id);
        let text = sign_v1::string_to_sign(&vector.method, &params);
        assert_eq!(text, vector.expected.string_to_sign, "{}", vector.id);
        assert_eq!(sign_v1::signature(&vector.access_key_secret, &text), vector.expected.signature, "{}", vector.id);
    }
}

#[test]
fn every_request_verifies_as_it_came_over_the_wire() {
    for vector in vectors() {
        let query = vector.expected.request_target.split_once('?').map_or("", |(_, query)| query);
        let sources = [query, &vector.expected.request_body];
        let params: Vec<(String, String)> =
            sources.iter().flat_map(|text| url::form_urlencoded::parse(text.as_bytes())).map(own).collect();
        let given = &params.iter().find(|(key, _)| key == sign_v1::SIGNATURE).expect("a signature").1;
        let text = sign_v1::string_to_sign(&vector.method, &params);
        assert!(sign_v1::verify(&vector.access_key_secret, &text, given), "{}", vector.id);
        assert!(!sign_v1::verify(&SecretString::from("wrong"), &text, given), "{}", vector.id);
    }
}

fn own((key, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (key.into_owned(), value.into_owned())
}
