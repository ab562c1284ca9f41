//! The issuer's keys: a JWKS document (RFC 7517), read strictly.
//!
//! What must stay true: each key verifies exactly one algorithm, fixed when the document is read, so that a token
//! cannot have an RSA key taken for an HMAC secret. A weak or ambiguous key makes the whole document unusable,
//! loudly; a key that is simply not for us (encryption, another curve, a type we do not know) is left out, since
//! real identity providers publish such keys beside the ones that we need.
//!
//! Called by [`super::jwks`] and [`super::verify`]. It does no I/O.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use aws_lc_rs::signature::{RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The least length of an HMAC key, in bytes (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const MAX_KEYS: usize = 100;
/// The longest key id, in bytes, in a document or a token: with `kid:` before it, it still fits an audit entry.
pub const MAX_KID_BYTES: usize = 120;

/// Why a document cannot be used. Never shows key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a JSON object with an array `keys`, or one of its members has the wrong type.
    #[error("is not a JWKS document")]
    NotJwks,
    /// It holds no key that could verify a token.
    #[error("has no key for RS256, ES256, EdDSA or HS256")]
    Empty,
    /// It holds more keys than any issuer needs.
    #[error("has more than {MAX_KEYS} keys")]
    TooMany,
    /// Two keys claim one id.
    #[error("has two keys with one kid")]
    DuplicateKid,
    /// A key id longer than [`MAX_KID_BYTES`].
    #[error("has a kid longer than {MAX_KID_BYTES} bytes")]
    LongKid,
    /// A secret below [`MIN_SECRET_BYTES`].
    #[error("has an HMAC key of fewer than {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// A secret in a document that anybody can fetch.
    #[error("publishes an HMAC key, which must stay secret")]
    PublishedSecret,
    /// The private half of a key pair.
    #[error("contains a private key")]
    PrivateKey,
    /// An RSA modulus outside 2048 to 8192 bits.
    #[error("has an RSA key outside 2048 to 8192 bits")]
    RsaSize,
    /// Numbers that are no key.
    #[error("has a key that cannot be read")]
    BadKey,
}

/// Whether a document may contain HMAC secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// A file of the operator's.
    Allowed,
    /// Anything that came over the network.
    Refused,
}

/// One key and the one algorithm that it verifies.
#[derive(Clone)]
pub struct Key {
    /// Its id, where it has one.
    pub kid: Option<String>,
    algorithm: Algorithm,
    material: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?}, {:?})", self.kid, self.algorithm)
    }
}

impl Key {
    /// Whether a token that names `alg` may be checked with this key.
    pub fn is_for(&self, alg: &str) -> bool {
        alg == name_of(self.algorithm)
    }

    /// Whether `signature` (base64url, as in the token) is this key's over `message`.
    pub fn verifies(&self, message: &str, signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.material, self.algorithm).unwrap_or(false)
    }
}

fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::HS256 => "HS256",
        // No key is ever made for another algorithm; the empty name matches no token.
        _ => "",
    }
}

/// Every key of one issuer.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// The names of the algorithms that any key can have.
    pub const ALGORITHMS: [&str; 4] = ["RS256", "ES256", "EdDSA", "HS256"];

    /// One HS256 key without an id, for development.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        Ok(Self(vec![Key { kid: None, algorithm: Algorithm::HS256, material: hmac(secret)? }]))
    }

    /// Reads a JWKS document.
    pub fn from_jwks(json: &[u8], secrets: Secrets) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(json).map_err(|_| KeySetError::NotJwks)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys: Vec<Key> = Vec::new();
        for jwk in document.keys {
            let Some(key) = jwk.into_key(secrets)? else { continue };
            if key.kid.is_some() && keys.iter().any(|known| known.kid == key.kid) {
                return Err(KeySetError::DuplicateKid);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// The key of that id; or, for a token that names none, the only key there is.
    pub fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match kid {
            Some(kid) => self.0.iter().find(|key| key.kid.as_deref() == Some(kid)),
            None => self.0.first().filter(|_| self.0.len() == 1),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    fn into_key(self, secrets: Secrets) -> Result<Option<Key>, KeySetError> {
        if self.d.is_some() {
            return Err(KeySetError::PrivateKey);
        }
        let Some(algorithm) = self.algorithm() else { return Ok(None) };
        if self.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(KeySetError::LongKid);
        }
        let material = match algorithm {
            Algorithm::RS256 => rsa(&bytes(self.n.as_ref())?, &bytes(self.e.as_ref())?)?,
            Algorithm::ES256 => p256(&bytes(self.x.as_ref())?, &bytes(self.y.as_ref())?)?,
            Algorithm::EdDSA => ed25519(&bytes(self.x.as_ref())?)?,
            _ if secrets == Secrets::Refused => return Err(KeySetError::PublishedSecret),
            _ => hmac(&bytes(self.k.as_ref())?)?,
        };
        Ok(Some(Key { kid: self.kid, algorithm, material }))
    }

    /// The one algorithm of this key; nothing if it is not meant for verifying tokens of ours.
    fn algorithm(&self) -> Option<Algorithm> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => Algorithm::RS256,
            ("EC", Some("P-256")) => Algorithm::ES256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDSA,
            ("oct", None) => Algorithm::HS256,
            _ => return None,
        };
        let signs = self.usage.as_ref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let ours = self.alg.as_ref().is_none_or(|alg| alg == name_of(algorithm));
        (signs && verifies && ours).then_some(algorithm)
    }
}

fn bytes(text: Option<&String>) -> Result<Vec<u8>, KeySetError> {
    URL_SAFE_NO_PAD.decode(text.ok_or(KeySetError::BadKey)?).map_err(|_| KeySetError::BadKey)
}

fn hmac(secret: &[u8]) -> Result<DecodingKey, KeySetError> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(KeySetError::ShortSecret);
    }
    Ok(DecodingKey::from_secret(secret))
}

fn rsa(n: &[u8], e: &[u8]) -> Result<DecodingKey, KeySetError> {
    // Some issuers write a leading zero byte, which is not part of the number.
    let n = &n[n.iter().take_while(|byte| **byte == 0).count()..];
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(KeySetError::RsaSize);
    }
    // With an exponent of 1 every message is its own signature.
    if e.last().is_none_or(|last| last % 2 == 0) || e == [1] || e[0] == 0 {
        return Err(KeySetError::BadKey);
    }
    let components = RsaPublicKeyComponents { n, e };
    components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| KeySetError::BadKey)?;
    Ok(DecodingKey::from_rsa_raw_components(n, e))
}

fn p256(x: &[u8], y: &[u8]) -> Result<DecodingKey, KeySetError> {
    if (x.len(), y.len()) != (32, 32) {
        return Err(KeySetError::BadKey);
    }
    let point = [&[4], x, y].concat();
    parses(&ECDSA_P256_SHA256_FIXED, &point)?;
    Ok(DecodingKey::from_ec_der(&point))
}

fn ed25519(x: &[u8]) -> Result<DecodingKey, KeySetError> {
    parses(&ED25519, x)?;
    Ok(DecodingKey::from_ed_der(x))
}

/// Finds a point off the curve now, rather than as a bad signature later.
fn parses(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Result<(), KeySetError> {
    ParsedPublicKey::new(algorithm, key).map(drop).map_err(|_| KeySetError::BadKey)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Signer, b64, jwks};
    use super::*;
    use serde_json::json;

    fn read(document: &serde_json::Value) -> Result<KeySet, KeySetError> {
        KeySet::from_jwks(document.to_string().as_bytes(), Secrets::Allowed)
    }

    #[test]
    fn every_kind_of_key_is_found_by_its_id() {
        let set = read(&jwks(&[Signer::rsa("r"), Signer::ec("e"), Signer::ed("d"), Signer::hmac("h")])).unwrap();
        for (kid, alg) in [("r", "RS256"), ("e", "ES256"), ("d", "EdDSA"), ("h", "HS256")] {
            let key = set.find(Some(kid)).unwrap();
            assert!(KeySet::ALGORITHMS.into_iter().all(|name| key.is_for(name) == (name == alg)), "{kid}");
        }
        assert!(set.find(None).is_none(), "four keys: which one?");
        assert!(set.find(Some("other")).is_none());
    }

    #[test]
    fn a_token_without_id_takes_the_only_key() {
        let set = read(&jwks(&[Signer::ed("d")])).unwrap();
        assert!(set.find(None).is_some());
        assert!(set.find(Some("")).is_none());
    }

    #[test]
    fn weak_and_ambiguous_documents_are_refused() {
        let ed = || Signer::ed("d").jwk();
        let with = |key: &str, value: serde_json::Value| {
            let mut jwk = ed();
            jwk[key] = value;
            json!({ "keys": [jwk] })
        };
        let rsa = |bits: usize, e: &str| json!({"keys": [{"kty": "RSA", "n": b64(&vec![0xff; bits / 8]), "e": e}]});
        let cases = [
            (json!([]), KeySetError::NotJwks),
            (json!({"keys": {}}), KeySetError::NotJwks),
            (json!({"keys": [{"kid": "no type"}]}), KeySetError::NotJwks),
            (json!({"keys": []}), KeySetError::Empty),
            (json!({"keys": vec![ed(); 101]}), KeySetError::TooMany),
            (json!({"keys": [ed(), ed()]}), KeySetError::DuplicateKid),
            (with("kid", json!("k".repeat(121))), KeySetError::LongKid),
            (with("d", json!("AAAA")), KeySetError::PrivateKey),
            (with("x", json!("AAAA")), KeySetError::BadKey),
            (with("x", json!("not base64!")), KeySetError::BadKey),
            (with("use", json!("enc")), KeySetError::Empty),
            (with("key_ops", json!(["sign"])), KeySetError::Empty),
            (with("alg", json!("HS256")), KeySetError::Empty),
            (with("kty", json!("XYZ")), KeySetError::Empty),
            (with("crv", json!("Ed448")), KeySetError::Empty),
            (json!({"keys": [{"kty": "oct", "k": b64(&[7; 31])}]}), KeySetError::ShortSecret),
            (json!({"keys": [{"kty": "oct", "k": ""}]}), KeySetError::ShortSecret),
            (json!({"keys": [{"kty": "oct"}]}), KeySetError::BadKey),
            (rsa(1024, "AQAB"), KeySetError::RsaSize),
            (rsa(2040, "AQAB"), KeySetError::RsaSize),
            (rsa(16384, "AQAB"), KeySetError::RsaSize),
            (rsa(2048, ""), KeySetError::BadKey),
            (rsa(2048, "AQ"), KeySetError::BadKey),
            (rsa(2048, "AAE"), KeySetError::BadKey),
            (rsa(2048, "Ag"), KeySetError::BadKey),
            (
                json!({"keys": [{"kty": "EC", "crv": "P-256", "x": b64(&[1; 32]), "y": b64(&[1; 32])}]}),
                KeySetError::BadKey,
            ),
            (json!({"keys": [{"kty": "EC", "crv": "P-256", "x": b64(&[1; 32])}]}), KeySetError::BadKey),
        ];
        for (document, expected) in cases {
            assert_eq!(read(&document).unwrap_err(), expected, "{document}");
        }
    }

    #[test]
    fn a_key_for_something_else_does_not_spoil_the_others() {
        let mut encryption = Signer::rsa("enc").jwk();
        encryption["use"] = json!("enc");
        let set = read(&json!({"keys": [encryption, {"kty": "AKP", "kid": "pq"}, Signer::ed("d").jwk()]})).unwrap();
        assert!(set.find(Some("d")).is_some());
        assert!(set.find(Some("enc")).is_none());
    }

    #[test]
    fn a_published_secret_is_no_secret() {
        let document = jwks(&[Signer::hmac("h")]).to_string();
        let refused = KeySet::from_jwks(document.as_bytes(), Secrets::Refused).unwrap_err();
        assert_eq!(refused, KeySetError::PublishedSecret);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", KeySet::from_secret(&[b'S'; 32]).unwrap());
        assert_eq!(shown, "KeySet([Key(None, HS256)])");
    }
}
