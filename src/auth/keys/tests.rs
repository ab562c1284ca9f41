//! Documents with unusual entries: each is skipped with its reason, and the valid entries are kept.

use serde_json::{Value, json};

use super::super::signing_fixtures::{TestSigner, b64, jwks};
use super::*;

fn read(document: &Value) -> Result<KeySet, KeySetError> {
    KeySet::from_jwks(document.to_string().as_bytes(), HmacSecrets::Allowed, &ALGORITHMS)
}

/// Why the only key of the document is skipped.
fn reason(jwk: &Value) -> String {
    let Err(KeySetError::Empty(told)) = read(&json!({"keys": [jwk]})) else { return "used".to_owned() };
    told
}

#[test]
fn every_kind_of_key_is_found_by_its_id() {
    let set =
        read(&jwks(&[TestSigner::rsa("r"), TestSigner::ec("e"), TestSigner::ed("d"), TestSigner::hmac("h")])).unwrap();
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    for (kid, algorithms) in [("r", &rsa[..]), ("e", &["ES256"]), ("d", &["EdDSA"]), ("h", &["HS256"])] {
        let key = set.find(Some(kid)).unwrap();
        assert!(ALGORITHMS.into_iter().all(|name| key.is_for(name) == algorithms.contains(&name)), "{kid}");
    }
    assert!(set.find(None).is_none(), "four keys: which one?");
    assert!(set.find(Some("other")).is_none());
    assert!(set.skipped().is_empty());
}

#[test]
fn a_key_is_for_what_the_issuer_may_sign_with() {
    let document = jwks(&[TestSigner::rsa("r"), TestSigner::ed("d")]).to_string();
    let set = KeySet::from_jwks(document.as_bytes(), HmacSecrets::Refused, &["RS256"]).unwrap();
    let key = set.find(Some("r")).unwrap();
    assert!(key.is_for("RS256") && !key.is_for("RS512") && !key.is_for("PS256") && !key.is_for(""));
    assert!(set.find(Some("d")).is_none());
    assert_eq!(set.faults(), ": d (its type fits none of the algorithms allowed for the issuer's tokens)");
    let mut named = TestSigner::rsa("r").jwk();
    named["alg"] = json!("RS512");
    let document = json!({"keys": [named, TestSigner::rsa("q").jwk()]}).to_string();
    let set = KeySet::from_jwks(document.as_bytes(), HmacSecrets::Refused, &["RS256"]).unwrap();
    assert_eq!(set.faults(), ": r (its alg is not among those allowed for the issuer's tokens)");
}

#[test]
fn a_token_without_id_takes_the_only_key() {
    let set = read(&jwks(&[TestSigner::ed("d")])).unwrap();
    assert!(set.find(None).is_some());
    assert!(set.find(Some("")).is_none());
}

#[test]
fn a_document_that_is_none_is_refused() {
    let cases = [
        (json!([]), KeySetError::NotJwks),
        (json!({"keys": {}}), KeySetError::NotJwks),
        (json!({"keys": []}), KeySetError::Empty(String::new())),
        (json!({"keys": vec![TestSigner::ed("d").jwk(); 101]}), KeySetError::TooMany),
    ];
    for (document, expected) in cases {
        assert_eq!(read(&document).unwrap_err(), expected, "{document}");
    }
}

#[test]
fn an_odd_entry_is_skipped_with_its_reason() {
    let with = |key: &str, value: Value| {
        let mut jwk = TestSigner::ed("d").jwk();
        jwk[key] = value;
        jwk
    };
    let rsa = |bits: usize, e: &str| json!({"kty": "RSA", "n": b64(&vec![0xff; bits / 8]), "e": e});
    let cases = [
        (json!("text"), "is not an object"),
        (json!({"kid": "k"}), "k (has no kty)"),
        (with("kid", json!(7)), "its kid has the wrong type"),
        (with("kid", json!("k".repeat(121))), "its kid is longer"),
        (with("kid", json!("a\nb")), "place 0 (its kid is longer than 120 bytes, is empty, or contains"),
        (with("d", json!("AAAA")), "d (contains the private key)"),
        (with("x", json!("AAAA")), "its parameters are not a valid key"),
        (with("x", json!("not base64!")), "its parameters are not a valid key"),
        (with("x", json!(["AAAA"])), "its x has the wrong type"),
        (with("x", Value::Null), "has no x"),
        (with("use", json!(["sig"])), "its use has the wrong type"),
        (with("key_ops", json!("verify")), "its key_ops has the wrong type"),
        (with("alg", json!("HS256")), "its alg is not"),
        (with("alg", json!("ML-DSA-44")), "its alg is not"),
        (with("kty", json!("XYZ")), "its kty is not"),
        (with("kty", json!(1)), "its kty has the wrong type"),
        (with("crv", json!("Ed448")), "its crv is not"),
        (json!({"kty": "RSA", "x5c": ["MIIB"]}), "has a certificate (x5c)"),
        (json!({"kty": "oct", "k": b64(&[7; 31])}), "fewer than 32 bytes"),
        (json!({"kty": "oct", "k": ""}), "fewer than 32 bytes"),
        (json!({"kty": "oct"}), "has no k"),
        (rsa(1024, "AQAB"), "does not have 2048 to 8192 bits"),
        (rsa(2040, "AQAB"), "does not have 2048 to 8192 bits"),
        (rsa(16384, "AQAB"), "does not have 2048 to 8192 bits"),
        (rsa(2048, ""), "not a valid key"),
        (rsa(2048, "AQ"), "not a valid key"),
        (rsa(2048, "AAE"), "not a valid key"),
        (rsa(2048, "Ag"), "not a valid key"),
        (json!({"kty": "EC", "crv": "P-256", "x": b64(&[1; 32]), "y": b64(&[1; 32])}), "not a valid key"),
        (json!({"kty": "EC", "crv": "P-384", "x": b64(&[1; 32]), "y": b64(&[1; 32])}), "not a valid key"),
        (json!({"kty": "EC", "crv": "P-256", "x": b64(&[1; 32])}), "has no y"),
    ];
    for (jwk, expected) in cases {
        assert!(reason(&jwk).contains(expected), "{jwk}: {}", reason(&jwk));
        // The valid key beside it still works.
        let set = read(&json!({"keys": [jwk, TestSigner::ed("good").jwk()]})).unwrap();
        assert!(set.find(Some("good")).is_some() && set.count_faults() == 1, "{jwk}");
    }
}

#[test]
fn two_keys_of_one_id_are_told_apart_or_left_out() {
    let (one, other, good) = (TestSigner::ed("d"), TestSigner::ed("d"), TestSigner::ec("e"));
    let set = read(&json!({"keys": [one.jwk(), good.jwk(), other.jwk()]})).unwrap();
    assert!(set.find(Some("d")).is_none() && set.find(Some("e")).is_some());
    assert_eq!(set.skipped().iter().map(|skipped| skipped.place).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(set.faults(), ": d (another key has the same kid), d (another key has the same kid)");
    // The same key twice is one key, with the algorithms of both.
    let (mut first, mut second) = (TestSigner::rsa("r").jwk(), TestSigner::rsa("r").jwk());
    (first["alg"], second["alg"]) = (json!("RS256"), json!("PS256"));
    let set = read(&json!({"keys": [first, second, good.jwk()]})).unwrap();
    let key = set.find(Some("r")).unwrap();
    assert!(key.is_for("RS256") && key.is_for("PS256") && !key.is_for("RS512") && set.skipped().is_empty());
    // For different algorithms: the token decides.
    let set = read(&jwks(&[TestSigner::ec("k"), TestSigner::ed("k")])).unwrap();
    assert!(set.key_for(Some("k"), "ES256").unwrap().is_for("ES256"));
    assert!(set.key_for(Some("k"), "EdDSA").unwrap().is_for("EdDSA"));
    assert!(!set.key_for(Some("k"), "HS256").unwrap().is_for("HS256") && set.skipped().is_empty());
    // One of them is for encryption, so it is clear which one is meant.
    let mut encryption = other.jwk();
    encryption["use"] = json!("enc");
    let set = read(&json!({"keys": [encryption, one.jwk()]})).unwrap();
    assert!(set.find(Some("d")).is_some());
    assert_eq!((set.skipped().len(), set.count_faults()), (1, 0), "it is rightly there");
}

#[test]
fn a_published_secret_is_no_secret() {
    let document = jwks(&[TestSigner::hmac("h")]).to_string();
    let refused = KeySet::from_jwks(document.as_bytes(), HmacSecrets::Refused, &ALGORITHMS).unwrap_err();
    assert_eq!(refused, KeySetError::Empty(": h (is a publicly known secret)".into()));
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", KeySet::from_secret(&[b'S'; 32]).unwrap());
    assert_eq!(shown, "KeySet { keys: [Key(None, [HS256])], skipped: [] }");
}
