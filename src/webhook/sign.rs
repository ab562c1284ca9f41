//! Signatures by Standard Webhooks 1.0.0 over `id.timestamp.body`, in base64: HMAC-SHA256 (scheme `v1`), and also
//! ed25519 (`v1a`) if an endpoint asks for it.
//!
//! During a rotation every valid key signs, and a receiver needs to know only one of them. The timestamp is that of the
//! attempt, so signing comes last, just before sending. [`verify`] is what receivers do; here, tests and `receiver`
//! call it.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ed25519::{self, Ed25519Key};
use super::secret::SigningSecret;
use crate::domain::clock::Instant;

/// The id of the message; the same for every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// When this attempt was made, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// `v1,<base64>` or `v1a,<base64>` for each valid key, separated by single spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const SCHEME: &str = "v1,";
const ASYMMETRIC_SCHEME: &str = "v1a,";
const TOLERANCE_SECONDS: u64 = 300;

/// Signs a message with one scheme.
pub trait MessageSigner {
    /// The scheme, a comma, and the signature in base64.
    fn sign(&self, message: &[u8]) -> String;
}

impl MessageSigner for SigningSecret {
    fn sign(&self, message: &[u8]) -> String {
        format!("{SCHEME}{}", STANDARD.encode(hmac::sign(&key(self), message)))
    }
}

/// A valid key of an endpoint.
#[derive(Debug)]
pub enum SigningKey {
    /// Scheme `v1`.
    Hmac(SigningSecret),
    /// Scheme `v1a`.
    Ed25519(Box<Ed25519Key>),
}

impl SigningKey {
    /// Parses the text form of either.
    pub fn parse(text: &str) -> Result<Self, super::secret::BadSecret> {
        let other = || SigningSecret::parse(text).map(Self::Hmac);
        Ed25519Key::parse(text).map(|key| Self::Ed25519(Box::new(key))).or_else(|_| other())
    }
}

impl MessageSigner for SigningKey {
    fn sign(&self, message: &[u8]) -> String {
        match self {
            Self::Hmac(secret) => secret.sign(message),
            Self::Ed25519(key) => format!("{ASYMMETRIC_SCHEME}{}", key.sign(message)),
        }
    }
}

/// The three headers of one attempt, signed with every valid key.
pub fn headers(keys: &[impl MessageSigner], id: &str, now: Instant, body: &str) -> [(&'static str, String); 3] {
    let timestamp = now.timestamp().to_string();
    let message = message(id, &timestamp, body.as_bytes());
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&message)).collect();
    [(ID_HEADER, id.to_owned()), (TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signatures.join(" "))]
}

/// Why a received message cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// One of the three headers is absent.
    #[error("a signature header is missing")]
    MissingHeader,
    /// The timestamp is not a number, or differs by more than 5 minutes from now.
    #[error("the timestamp is too far from now")]
    Timestamp,
    /// No signature of a known scheme was made with the secret.
    #[error("no signature matches")]
    Signature,
}

/// Checks that a message with these headers (returned by `header`) was signed with `secret`, within 5 minutes of `now`.
pub fn verify<'a>(
    secret: &SigningSecret,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: Instant,
) -> Result<(), VerifyError> {
    verify_any(header, body, now, |scheme, signature, message| {
        let tag = (scheme == SCHEME).then(|| STANDARD.decode(signature).ok()).flatten();
        tag.is_some_and(|tag| hmac::verify(&key(secret), message, &tag).is_ok())
    })
}

/// The same for the scheme `v1a` and a public key (`whpk_…`).
pub fn verify_asymmetric<'a>(
    public_key: &str,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: Instant,
) -> Result<(), VerifyError> {
    verify_any(header, body, now, |scheme, signature, message| {
        scheme == ASYMMETRIC_SCHEME && ed25519::is_signed_by(public_key, message, signature)
    })
}

fn verify_any<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: Instant,
    matches: impl Fn(&str, &str, &[u8]) -> bool,
) -> Result<(), VerifyError> {
    let id = header(ID_HEADER).ok_or(VerifyError::MissingHeader)?;
    let timestamp = header(TIMESTAMP_HEADER).ok_or(VerifyError::MissingHeader)?;
    let signatures = header(SIGNATURE_HEADER).ok_or(VerifyError::MissingHeader)?;
    let sent: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if now.timestamp().abs_diff(sent) > TOLERANCE_SECONDS {
        return Err(VerifyError::Timestamp);
    }
    let message = message(id, timestamp, body);
    let one = |text: &str| {
        let (scheme, signature) = text.split_at(text.find(',').map_or(0, |comma| comma + 1));
        matches(scheme, signature, &message)
    };
    if signatures.split(' ').any(one) { Ok(()) } else { Err(VerifyError::Signature) }
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
    use proptest::prelude::*;
    use proptest::sample::Index;
    use secrecy::ExposeSecret;
    use serde::Deserialize;

    use super::*;
    use crate::domain::clock::{Clock, SystemClock};
    use crate::domain::entropy::Entropy;
    use crate::domain::property::holds;

    /// Test vectors on which the reference libraries of three languages agree.
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
        public_key: Option<String>,
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
    fn every_vector_of_scheme_v1a_is_judged_as_it_says() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let mut tried = 0;
        for vector in vectors.vectors.iter().filter(|vector| vector.schemes.iter().any(|scheme| scheme == "v1a")) {
            let body = STANDARD.decode(&vector.body_b64).unwrap();
            let now = DateTime::from_timestamp(vector.now, 0).unwrap();
            let public = vector.public_key.as_ref().unwrap();
            let judge =
                |body: &[u8]| verify_asymmetric(public, |name| vector.headers.get(name).map(String::as_str), body, now);
            assert_eq!(judge(&body).is_ok(), vector.valid, "{}", vector.name);
            assert!(judge(b"another").is_err(), "{}", vector.name);
            tried += 1;
        }
        assert_eq!(tried, 3);
    }

    #[test]
    fn both_schemes_sign_side_by_side() {
        let entropy = Entropy::from_seed(7);
        let (secret, asymmetric) = (SigningSecret::generate(&entropy), Ed25519Key::generate(&entropy));
        let texts = [secret.text(), asymmetric.text()];
        let keys: Vec<_> = texts.iter().map(|text| SigningKey::parse(text.expose_secret()).unwrap()).collect();
        let now = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let signed = headers(&keys, "evt_1", now, "{}");
        let header = |name: &str| signed.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        verify(&secret, header, b"{}", now).unwrap();
        verify_asymmetric(&asymmetric.public_text(), header, b"{}", now).unwrap();
        assert_eq!(verify_asymmetric(&asymmetric.public_text(), header, b"{ }", now), Err(VerifyError::Signature));
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

    #[test]
    fn any_message_is_verified_by_its_secret_for_five_minutes_and_no_other_is() {
        let message = (any::<u64>(), "[!-~]{1,40}", any::<String>(), -700..700_i64, any::<Index>(), 1..=255_u8);
        holds(500, message, |(seed, id, body, later, at, turn)| {
            let entropy = Entropy::from_seed(seed);
            let (secret, other) = (SigningSecret::generate(&entropy), SigningSecret::generate(&entropy));
            let sent = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
            let signed = headers(std::slice::from_ref(&secret), &id, sent, &body);
            let header = |name: &str| signed.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
            let now = sent + chrono::Duration::seconds(later);
            let told = verify(&secret, header, body.as_bytes(), now);
            let late = later.unsigned_abs() > TOLERANCE_SECONDS;
            prop_assert_eq!(told, if late { Err(VerifyError::Timestamp) } else { Ok(()) });
            prop_assert_eq!(verify(&other, header, body.as_bytes(), sent), Err(VerifyError::Signature));
            let mut altered = [body.as_bytes(), b"x"].concat();
            let place = at.index(altered.len());
            altered[place] ^= turn;
            prop_assert_eq!(verify(&secret, header, &altered, sent), Err(VerifyError::Signature));
            Ok(())
        });
    }
}
