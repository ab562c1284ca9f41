//! The V3 signer and the request parser compared with signatures made by Alibaba's own SDKs.

use std::collections::BTreeMap;

use eci_cache_gateway::eci::incoming::{Incoming, RawRequest, Scheme};
use eci_cache_gateway::eci::sign_v3::{self, SignedParts};
use secrecy::SecretString;
use serde::Deserialize;

#[derive(Deserialize)]
struct V3Vectors {
    count: usize,
    vectors: Vec<V3Vector>,
}

#[derive(Deserialize)]
struct V3Vector {
    id: String,
    method: String,
    path: String,
    access_key_id: String,
    access_key_secret: SecretString,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
    expected: V3Expected,
}

#[derive(Deserialize)]
struct V3Expected {
    hashed_payload: String,
    signed_headers: String,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
    request_target: String,
    request_headers: BTreeMap<String, String>,
}

fn vectors() -> Vec<V3Vector> {
    let file: V3Vectors =
        serde_json::from_str(include_str!("../../vectors/signing_v3.json")).expect("the vectors are JSON");
    assert_eq!((file.count, file.vectors.len()), (14, 14));
    file.vectors
}

#[test]
fn every_vector_is_signed_as_the_sdks_sign_it() {
    for V3Vector { id, method, path, access_key_id, access_key_secret, query, headers, body, expected } in vectors() {
        // Reversed, so that our sorting is tested.
        let query: Vec<_> = query.into_iter().rev().collect();
        let signed = |name: &str| expected.signed_headers.split(';').any(|other| other == name);
        let headers: Vec<_> = headers.into_iter().rev().filter(|(name, _)| signed(name)).collect();
        let payload = sign_v3::hashed_payload(body.as_bytes());
        assert_eq!(payload, expected.hashed_payload, "{id}");
        let signed = SignedParts { method: &method, path: &path, query: &query, headers: &headers, payload: &payload };
        let canonical = sign_v3::canonical_request(&signed);
        assert_eq!(canonical, expected.canonical_request, "{id}");
        let text = sign_v3::string_to_sign(&canonical);
        assert_eq!(text, expected.string_to_sign, "{id}");
        let signature = sign_v3::signature(&access_key_secret, &text);
        assert_eq!(signature, expected.signature, "{id}");
        assert_eq!(sign_v3::authorization(&access_key_id, &headers, &signature), expected.authorization, "{id}");
    }
}

#[test]
fn every_request_verifies_as_it_came_over_the_wire() {
    for vector in vectors() {
        let id = &vector.id;
        let headers: Vec<(String, String)> = vector
            .expected
            .request_headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        let query = vector.expected.request_target.split_once('?').map_or("", |(_, query)| query);
        let read = |query: &str, body: &[u8]| {
            Incoming::read(&RawRequest { method: &vector.method, path: &vector.path, query, headers: &headers, body })
        };
        let incoming = read(query, vector.body.as_bytes()).expect(id);
        assert_eq!(incoming.verify(&vector.access_key_secret), Ok(()), "{id}");
        assert_eq!((incoming.scheme, &incoming.access_key_id), (Scheme::V3, &vector.access_key_id), "{id}");
        assert!(incoming.verify(&SecretString::from("wrong")).is_err(), "{id}");
        for (key, value) in &vector.query {
            assert!(incoming.params.contains(&(key.clone(), value.clone())), "{id}: {key}");
        }
        let added = read(&format!("{query}&Another=1"), vector.body.as_bytes()).expect(id);
        assert!(added.verify(&vector.access_key_secret).is_err(), "{id}");
        assert!(read(query, format!("{} ", vector.body).as_bytes()).is_err(), "{id}");
    }
}
