//! An endpoint's signing secret: `whsec_` and the base64 of 32 random bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::domain::entropy::Entropy;

/// The prefix of the text form.
pub const PREFIX: &str = "whsec_";
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that signs messages.
#[derive(Clone)]
pub struct SigningSecret(SecretSlice<u8>);

/// The text is not a signing secret. Does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `whsec_` and the base64 (standard alphabet, with its padding) of 24 to 64 bytes")]
pub struct BadSecret;

impl SigningSecret {
    /// Generates a secret of 32 bytes.
    pub fn generate(entropy: &Entropy) -> Self {
        Self(SecretSlice::from(entropy.bytes::<32>().to_vec()))
    }

    /// Parses the text form. As in the reference libraries, the prefix may be missing.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| BadSecret)?;
        if LENGTHS.contains(&bytes.len()) { Ok(Self(SecretSlice::from(bytes))) } else { Err(BadSecret) }
    }

    /// The text form, to be shown once and encrypted.
    pub fn text(&self) -> SecretString {
        SecretString::from(format!("{PREFIX}{}", STANDARD.encode(self.bytes())))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_secret_reads_back() {
        let secret = SigningSecret::generate(&Entropy::from_seed(7));
        let text = secret.text();
        assert_eq!(text.expose_secret().len(), 6 + 44);
        assert_eq!(SigningSecret::parse(text.expose_secret()).unwrap().bytes(), secret.bytes());
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }

    #[test]
    fn only_24_to_64_bytes_of_base64_are_a_secret() {
        for length in [24, 32, 64] {
            assert!(SigningSecret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; length]))).is_ok(), "{length}");
        }
        for length in [0, 23, 65] {
            assert!(SigningSecret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; length]))).is_err(), "{length}");
        }
        for text in ["", "whsec_", "whsec_!", "whpk_QfpjaalvSaUiRUpzhUqfP3kf7s6gQvcJ/Esgnc5Ebc4="] {
            assert_eq!(SigningSecret::parse(text).err(), Some(BadSecret), "{text}");
        }
    }
}
