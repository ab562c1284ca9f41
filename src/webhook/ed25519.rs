//! The asymmetric key of an endpoint (scheme `v1a`): receivers verify with the public key, and cannot sign.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::secret::BadSecret;
use crate::domain::entropy::Entropy;

const SECRET_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";

/// A key pair that signs messages.
pub struct Ed25519Key {
    seed: SecretSlice<u8>,
    pair: Ed25519KeyPair,
}

impl Ed25519Key {
    /// Generates a key pair.
    pub fn generate(entropy: &Entropy) -> Self {
        Self::of(&entropy.bytes::<32>()).expect("any 32 bytes are a seed")
    }

    fn of(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { seed: SecretSlice::from(seed.to_vec()), pair })
    }

    /// Parses the text form: `whsk_` and the base64 of the seed, or of seed and public key.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok()).ok_or(BadSecret)?;
        let seed = bytes.get(..32).filter(|_| [32, 64].contains(&bytes.len())).ok_or(BadSecret)?;
        Self::of(seed)
            .filter(|key| bytes.len() == 32 || bytes[32..] == *key.pair.public_key().as_ref())
            .ok_or(BadSecret)
    }

    /// The text form, to be encrypted.
    pub fn text(&self) -> SecretString {
        let bytes = [self.seed.expose_secret(), self.pair.public_key().as_ref()].concat();
        SecretString::from(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// The public key for receivers: `whpk_` and its base64.
    pub fn public_text(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.pair.public_key()))
    }

    pub(super) fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.pair.sign(message))
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ed25519Key").field(&self.public_text()).finish()
    }
}

/// Whether `signature` (base64) of `message` was made with the private key of a `whpk_…`.
pub fn is_signed_by(public: &str, message: &[u8], signature: &str) -> bool {
    let decode = |text: &str| STANDARD.decode(text).ok();
    let (Some(key), Some(tag)) = (public.strip_prefix(PUBLIC_PREFIX).and_then(decode), decode(signature)) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, key).verify(message, &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_reads_back_and_shows_only_its_public_half() {
        let key = Ed25519Key::generate(&Entropy::from_seed(7));
        let text = key.text();
        let again = Ed25519Key::parse(text.expose_secret()).unwrap();
        assert_eq!(again.public_text(), key.public_text());
        assert!(!format!("{key:?}").contains(&text.expose_secret()[5..40]));
        assert!(is_signed_by(&key.public_text(), b"message", &again.sign(b"message")));
        assert!(!is_signed_by(&key.public_text(), b"massage", &again.sign(b"message")));
        for bad in ["", "whsk_", "whsk_AAAA", "whsec_AAAA"] {
            assert!(Ed25519Key::parse(bad).is_err(), "{bad}");
        }
    }
}
