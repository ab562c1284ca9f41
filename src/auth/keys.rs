//! The issuer's keys: a JWKS document (RFC 7517), each entry parsed strictly.
//!
//! What must stay true: a key verifies only those algorithms of its type that its issuer may use (and only the one that
//! it names, if it names one). They are fixed when the document is parsed, so that a token cannot make an RSA key be
//! used as an HMAC secret. An unusable entry is skipped and reported ([`KeySet::skipped`]), and never affects the
//! others; two different keys with the same id and algorithm are both skipped, because it is unclear which one is
//! meant. A document without a usable key is refused.
//!
//! Called by [`super::jwks`] and [`super::issuer`]. It does no I/O.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::identity::issuer::ALGORITHMS;
use crate::domain::identity::issuer::explanation::SkippedKey;
use crate::domain::identity::issuer::subject::is_plain;

mod jwk;
#[cfg(test)]
mod tests;

use jwk::{Jwk, JwkSkip};

/// The minimum length of an HMAC key in bytes (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// Real providers have fewer than ten keys.
const MAX_KEYS: usize = 100;
/// The maximum length of a key id in bytes, in a document or a token: with the prefix `kid:`, it still fits an audit
/// entry.
pub const MAX_KID_BYTES: usize = 120;

/// Why a document cannot be used. Never contains key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a JSON object with an array `keys`.
    #[error("is not a JWKS document: a JSON object with an array `keys`")]
    NotJwks,
    /// It contains no key that could verify a token.
    #[error("has no usable key{0}")]
    Empty(String),
    /// It contains more keys than any issuer needs.
    #[error("has more than {MAX_KEYS} keys")]
    TooMany,
    /// A secret shorter than [`MIN_SECRET_BYTES`].
    #[error("has an HMAC key of fewer than {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
}

/// Whether a document may contain HMAC secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacSecrets {
    /// In a file of the operator.
    Allowed,
    /// In anything that came over the network or is shown to others.
    Refused,
}

/// A key and the algorithms that it verifies.
#[derive(Clone)]
pub struct VerificationKey {
    /// The key's id, if it has one.
    pub kid: Option<String>,
    algorithms: Vec<Algorithm>,
    material: DecodingKey,
    /// The numbers that distinguish it from other keys of its type.
    numbers: Vec<Vec<u8>>,
}

impl std::fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?}, {:?})", self.kid, self.algorithms)
    }
}

impl VerificationKey {
    /// Whether a token that names `alg` may be verified with this key.
    pub fn is_for(&self, alg: &str) -> bool {
        self.algorithm(alg).is_some()
    }

    /// A description for people: its id and its algorithms.
    pub fn described(&self) -> String {
        let algorithms: Vec<&str> = self.algorithms.iter().map(|algorithm| name_of(*algorithm)).collect();
        format!("{} ({})", self.kid.as_deref().unwrap_or("one without a kid"), algorithms.join(", "))
    }

    fn algorithm(&self, alg: &str) -> Option<Algorithm> {
        self.algorithms.iter().copied().find(|algorithm| name_of(*algorithm) == alg)
    }

    /// Whether `signature` (base64url, as in the token) is this key's signature of `message`, with this algorithm.
    pub fn verifies(&self, alg: &str, message: &str, signature: &str) -> bool {
        self.algorithm(alg).is_some_and(|algorithm| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.material, algorithm).unwrap_or(false)
        })
    }

    fn shares_algorithm(&self, other: &Self) -> bool {
        self.algorithms.iter().any(|algorithm| other.algorithms.contains(algorithm))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.numbers == other.numbers && self.material.family() == other.material.family()
    }
}

/// The name of an algorithm in [`ALGORITHMS`]; empty for any other, which matches no token.
fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::RS512 => "RS512",
        Algorithm::PS256 => "PS256",
        Algorithm::PS384 => "PS384",
        Algorithm::PS512 => "PS512",
        Algorithm::ES256 => "ES256",
        Algorithm::ES384 => "ES384",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::HS256 => "HS256",
        _ => "",
    }
}

/// All keys of one issuer.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: Vec<Skipped>,
}

/// An unusable entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Skipped {
    place: usize,
    kid: Option<String>,
    why: JwkSkip,
}

impl KeySet {
    /// One HS256 key without an id, for development.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        let material = jwk::hmac(secret).map_err(|_| KeySetError::ShortSecret)?;
        let key = VerificationKey { kid: None, algorithms: vec![Algorithm::HS256], material, numbers: Vec::new() };
        Ok(Self { keys: vec![key], skipped: Vec::new() })
    }

    /// Parses a JWKS document, for tokens that are signed with one of `algorithms`.
    pub fn from_jwks<S: AsRef<str>>(json: &[u8], secrets: HmacSecrets, algorithms: &[S]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(json).map_err(|_| KeySetError::NotJwks)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut set = Self { keys: Vec::new(), skipped: Vec::new() };
        let mut places = Vec::new();
        for (place, entry) in document.keys.iter().enumerate() {
            match Jwk(entry).key(secrets, algorithms) {
                Ok(key) => {
                    set.keys.push(key);
                    places.push(place);
                }
                Err(why) => set.skipped.push(Skipped { place, kid: shown_kid(entry), why }),
            }
        }
        set.leave_doubles_out(&places);
        if set.keys.is_empty() { Err(KeySetError::Empty(set.faults())) } else { Ok(set) }
    }

    /// Leaves one key for each id and algorithm: of equal keys one is kept, different keys are all removed. Keys for
    /// different algorithms are kept, because the token names the algorithm.
    fn leave_doubles_out(&mut self, places: &[usize]) {
        let mut kept: Vec<VerificationKey> = Vec::new();
        let keys = std::mem::take(&mut self.keys);
        let ambiguous = |key: &VerificationKey| {
            let other = |one: &VerificationKey| one.kid == key.kid && !one.is_same(key) && one.shares_algorithm(key);
            key.kid.is_some() && keys.iter().any(other)
        };
        for (key, place) in keys.iter().zip(places) {
            let before = kept.iter_mut().find(|one| key.kid.is_some() && one.kid == key.kid && one.is_same(key));
            match before {
                _ if ambiguous(key) => {
                    self.skipped.push(Skipped { place: *place, kid: key.kid.clone(), why: JwkSkip::Double });
                }
                Some(one) => one.algorithms.extend(&key.algorithms),
                None => kept.push(key.clone()),
            }
        }
        self.keys = kept;
        self.skipped.sort_by_key(|skipped| skipped.place);
    }

    /// The key with that id, if possible for that algorithm; for a token without a key id, the only key.
    pub fn key_for(&self, kid: Option<&str>, alg: &str) -> Option<&VerificationKey> {
        let Some(kid) = kid else { return self.keys.first().filter(|_| self.keys.len() == 1) };
        let of_id = || self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid));
        of_id().find(|key| key.is_for(alg)).or_else(|| of_id().next())
    }

    /// A key with that id; without an id, the only key.
    pub fn find(&self, kid: Option<&str>) -> Option<&VerificationKey> {
        self.key_for(kid, "")
    }

    /// A description of every key: its id and its algorithms.
    pub fn described(&self) -> Vec<String> {
        self.keys.iter().map(VerificationKey::described).collect()
    }

    /// Every unusable entry, with the reason.
    pub fn skipped(&self) -> Vec<SkippedKey> {
        let told = |one: &Skipped| SkippedKey {
            place: u32::try_from(one.place).unwrap_or(u32::MAX),
            kid: one.kid.clone(),
            reason: one.why.to_string(),
        };
        self.skipped.iter().map(told).collect()
    }

    /// How many entries are invalid. Keys for encryption are valid and not counted.
    pub fn count_faults(&self) -> usize {
        self.skipped.iter().filter(|one| one.why != JwkSkip::OtherUse).count()
    }

    /// The invalid entries, for a log line; empty if there are none.
    pub fn faults(&self) -> String {
        let told = |one: &Skipped| match &one.kid {
            Some(kid) => format!("{kid} ({})", one.why),
            None => format!("the key at place {} ({})", one.place, one.why),
        };
        let told: Vec<String> = self.skipped.iter().filter(|one| one.why != JwkSkip::OtherUse).map(told).collect();
        if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
    }
}

/// The id of an entry, if it can be shown.
fn shown_kid(entry: &Value) -> Option<String> {
    let kid = entry.get("kid")?.as_str()?;
    (kid.len() <= MAX_KID_BYTES && is_plain(kid)).then(|| kid.to_owned())
}

/// The algorithms that do not use a shared secret.
pub fn public_algorithms() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.into_iter().filter(|name| *name != "HS256")
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}
