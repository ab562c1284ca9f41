//! A master key as operators write it: 32 bytes in base64 or hex.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretBox};

/// The length of a key in bytes.
pub const KEY_BYTES: usize = 32;
/// The label for deriving the key that signs the gateway's own tokens.
const TOKENS: &str = "eci-cache-gateway tokens ed25519 v1";

/// A key of 32 bytes, zeroed when dropped.
pub struct MasterKey(SecretBox<[u8; KEY_BYTES]>);

/// The formats that [`MasterKey::parse`] accepts.
pub const ALLOWED: &str = "32 random bytes in base64 or as 64 hexadecimal digits (openssl rand -base64 32)";

/// The text is not a valid key. Does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {ALLOWED}")]
pub struct BadKey;

impl MasterKey {
    /// A key from these bytes.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Parses hex or base64 (either alphabet, with or without padding). A key of 32 equal bytes is refused, because it
    /// is a forgotten placeholder.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES { hex(text) } else { base64(text) };
        let bytes: [u8; KEY_BYTES] = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(BadKey)?;
        if bytes.iter().all(|byte| *byte == bytes[0]) { Err(BadKey) } else { Ok(Self::new(bytes)) }
    }

    /// The signing key with these bytes as its seed.
    pub(super) fn ed25519(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(self.0.expose_secret()).expect("any 32 bytes are a seed")
    }

    /// The seed of the Ed25519 key that signs the gateway's own tokens: all gateways with this master key have the
    /// same.
    pub fn token_seed(&self) -> SecretBox<[u8; KEY_BYTES]> {
        self.derive(TOKENS)
    }

    /// Derives the key for one purpose: HMAC-SHA256 of the purpose's label with the master key.
    pub(super) fn derive(&self, label: &str) -> SecretBox<[u8; KEY_BYTES]> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret()), label.as_bytes());
        SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| key.copy_from_slice(tag.as_ref()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?)).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let read = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    read(&STANDARD).or_else(|| read(&URL_SAFE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_both_base64s_read_the_same() {
        let bytes: [u8; 32] = std::array::from_fn(|place| 0xef_u8.wrapping_add(u8::try_from(place).unwrap()));
        let hex = bytes.map(|byte| format!("{byte:02x}")).concat();
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
        assert_ne!(url, standard.trim_end_matches('='), "the sample shows the difference");
        for text in [hex.to_uppercase(), hex, url, format!(" {standard}\n")] {
            assert_eq!(MasterKey::parse(&text).unwrap().0.expose_secret(), &bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let zeros = "0".repeat(64);
        for text in
            ["", "password", "AAAA", &zeros, &"A".repeat(43), &"g".repeat(64), &"ab".repeat(31), &"é".repeat(32)]
        {
            assert_eq!(MasterKey::parse(text).unwrap_err(), BadKey, "{text}");
        }
    }

    #[test]
    fn each_label_has_its_own_key() {
        let key = MasterKey::new([7; 32]);
        assert_ne!(key.derive("a").expose_secret(), key.derive("b").expose_secret());
        assert_ne!(key.derive("a").expose_secret(), &[7; 32]);
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
    }
}
