//! Signatures as Standard Webhooks 1.0.0 has them (scheme `v1`): HMAC-SHA256 over `id.timestamp.body`, in base64.
//!
//! During a rotation every live secret signs, and a receiver needs to know only one of them. The timestamp is the
//! attempt's, so signing comes last, just before sending. [`verify`] is what receivers do; ours are the tests and `receiver`.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::secret::SigningSecret;
use crate::domain::clock::Instant;

/// Names the message; the same on every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// When this attempt was made, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// `v1,<base64>`, one per live secret, separated by single spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const SCHEME: &str = "v1,";
const TOLERANCE_SECONDS: u64 = 300;

/// The three headers of one attempt, signed with every live secret.
pub fn headers(secrets: &[SigningSecret], id: &str, now: Instant, body: &str) -> [(&'static str, String); 3] {
    let timestamp = now.timestamp().to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let tag = hmac::sign(&key(secret), &message(id, &timestamp, body.as_bytes()));
            format!("{SCHEME}{}", STANDARD.encode(tag))
        })
        .collect();
    [(ID_HEADER, id.to_owned()), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signatures.join(" "))]
}

/// Why a received message is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// One of the three headers is absent.
    #[error("a signature header is missing")]
    MissingHeader,
    /// The timestamp is no number, or more than 5 minutes from now.
    #[error("the timestamp is too far from now")]
    Timestamp,
    /// No signature of a known scheme is the secret's.
    #[error("no signature matches")]
    Signature,
}

/// Whether a message with these headers (found by `header`) was signed with `secret`, less than 5 minutes from `now`.
pub fn verify<'a>(
    secret: &SigningSecret,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: Instant,
) -> Result<(), VerifyError> {
    let id = header(ID_HEADER).ok_or(VerifyError::MissingHeader)?;
    let timestamp = header(TIMESTAMP_HEADER).ok_or(VerifyError::MissingHeader)?;
    let signatures = header(SIGNATURE_HEADER).ok_or(VerifyError::MissingHeader)?;
    let sent: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if now.timestamp().abs_diff(sent) > TOLERANCE_SECONDS {
        return Err(VerifyError::Timestamp);
    }
    let (key, message) = (key(secret), message(id, timestamp, body));
    let matches = |signature: &str| {
        let tag = signature.strip_prefix(SCHEME).and_then(|text| STANDARD.decode(text).ok());
        tag.is_some_and(|tag| hmac::verify(&key, &message, &tag).is_ok())
    };
    if signatures.split(' ').any(matches) { Ok(()) } else { Err(VerifyError::Signature) }
}

fn key(secret: &SigningSecret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.bytes())
}

fn message(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::DateTime;
    use secrecy::ExposeSecret;
    use serde::Deserialize;

    use super::*;
    use crate::domain::clock::{Clock, SystemClock};
    use crate::domain::entropy::Entropy;

    /// Vectors that the reference libraries of three languages agree on.
    const VECTORS: &str = include_str!("../../tests/vectors/webhooks.json");

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        valid: bool,
        secret: Option<String>,
        schemes: Vec<String>,
        headers: HashMap<String, String>,
        body_b64: String,
        now: i64,
    }

    #[test]
    fn every_vector_of_scheme_v1_is_judged_as_the_reference_libraries_do() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let mut tried = 0;
        for vector in vectors.vectors.iter().filter(|vector| vector.schemes.iter().any(|scheme| scheme == "v1")) {
            let secret = SigningSecret::parse(vector.secret.as_ref().unwrap()).unwrap();
            let body = STANDARD.decode(&vector.body_b64).unwrap();
            let now = DateTime::from_timestamp(vector.now, 0).unwrap();
            let judged = verify(&secret, |name| vector.headers.get(name).map(String::as_str), &body, now);
            assert_eq!(judged.is_ok(), vector.valid, "{}: {judged:?}", vector.name);
            tried += 1;
        }
        assert_eq!(tried, 29);
    }

    #[test]
    fn we_sign_as_the_vectors_do() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let simple = |vector: &&Vector| {
            let signature = vector.headers.get(SIGNATURE_HEADER).map_or("", String::as_str);
            vector.valid && signature.starts_with(SCHEME) && !signature.contains(' ')
        };
        for vector in vectors.vectors.iter().filter(simple) {
            let secret = SigningSecret::parse(vector.secret.as_ref().unwrap()).unwrap();
            let body = String::from_utf8(STANDARD.decode(&vector.body_b64).unwrap()).unwrap();
            let sent = DateTime::from_timestamp(vector.headers[TIMESTAMP_HEADER].parse().unwrap(), 0).unwrap();
            for (name, value) in headers(&[secret], &vector.headers[ID_HEADER], sent, &body) {
                assert_eq!(value, vector.headers[name], "{}: {name}", vector.name);
            }
        }
    }

    #[test]
    fn the_reference_library_accepts_both_keys_of_a_rotation() {
        let entropy = Entropy::from_seed(7);
        let secrets = [SigningSecret::generate(&entropy), SigningSecret::generate(&entropy)];
        let body = r#"{"type":"image_cache.ready","data":{"name":"镜像 ✓"}}"#;
        // The library reads the system clock itself.
        let signed = headers(&secrets, "evt_1", SystemClock.now(), body);
        assert_eq!(signed[2].1.matches(' ').count(), 1);
        let mut map = http::HeaderMap::new();
        for (name, value) in &signed {
            map.insert(*name, value.parse().unwrap());
        }
        for secret in &secrets {
            let theirs = standardwebhooks::Webhook::new(secret.text().expose_secret()).unwrap();
            theirs.verify(body.as_bytes(), &map).unwrap();
        }
        let stranger = SigningSecret::generate(&entropy).text();
        let theirs = standardwebhooks::Webhook::new(stranger.expose_secret()).unwrap();
        assert!(theirs.verify(body.as_bytes(), &map).is_err());
    }
}
