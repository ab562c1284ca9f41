//! Access keys, with which unmodified SDKs sign: an id like the cloud's own, and a secret that is displayed once.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;

use super::caller::{Scope, TeamId};
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::ids::RevocationId;

/// How many keys a team may have, not counting revoked ones.
pub const MAX_ACCESS_KEYS: i64 = 100;
/// The scopes that a key may have: the cloud's API only reads and writes image caches.
pub const KEY_SCOPES: [Scope; 2] = [Scope::Read, Scope::Write];

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ID_LETTERS: usize = 20;
const SECRET_LETTERS: usize = 30;

/// `AccessKeyId`: `LTAI` followed by letters and digits, like the cloud's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(String);

/// A text that cannot be the id of one of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be LTAI and 1 to 60 letters and digits")]
pub struct AccessKeyIdError;

impl AccessKeyId {
    /// The prefix of ids of this kind.
    pub const PREFIX: &'static str = "LTAI";

    /// A new random id.
    pub fn new(entropy: &Entropy) -> Self {
        Self(format!("{}{}", Self::PREFIX, letters(ID_LETTERS, entropy)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = AccessKeyIdError;

    fn from_str(text: &str) -> Result<Self, AccessKeyIdError> {
        let rest = text.strip_prefix(Self::PREFIX).ok_or(AccessKeyIdError)?;
        let good = (1..=60).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        if good { Ok(Self(text.to_owned())) } else { Err(AccessKeyIdError) }
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key of a team, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AccessKeyId`.
    pub id: AccessKeyId,
    /// The team that the key acts for.
    pub team: TeamId,
    /// The scopes of the key.
    pub scopes: Vec<Scope>,
    /// A description for human readers.
    pub description: Option<String>,
    /// The subject that created the key; none for keys from before this was recorded.
    pub created_by: Option<String>,
    /// The credential that the key was created with, as the audit names it, and the one that that was exchanged for.
    pub made_with: Vec<String>,
    /// When the key was created.
    pub created_at: Instant,
    /// When the secret of the key was last replaced.
    pub rotated_at: Option<Instant>,
    /// The subject that replaced it, and so knows the secret.
    pub rotated_by: Option<String>,
    /// When the key expires; none if it is valid until it is revoked.
    pub expires_at: Option<Instant>,
    /// Until when the secret before the last rotation is accepted, if it still is.
    pub previous_until: Option<Instant>,
    /// When the key was revoked.
    pub revoked_at: Option<Instant>,
    /// The revocation that included the key; none if it was revoked by itself.
    pub revoked_with: Option<RevocationId>,
}

impl AccessKey {
    /// Whether it is accepted at all: neither revoked nor expired.
    pub fn is_active(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the secret before the last rotation is still accepted.
    pub fn takes_previous(&self, now: Instant) -> bool {
        self.previous_until.is_some_and(|until| now < until)
    }
}

/// A fresh secret of 30 letters and digits: 178 bits.
pub fn new_secret(entropy: &Entropy) -> SecretString {
    SecretString::from(letters(SECRET_LETTERS, entropy))
}

/// Random letters without bias: a byte that would favour some letters is drawn again.
pub(in crate::domain) fn letters(count: usize, entropy: &Entropy) -> String {
    let even = 256 / LETTERS.len() * LETTERS.len();
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let [byte] = entropy.bytes::<1>();
        if usize::from(byte) < even {
            text.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn fresh_keys_have_the_clouds_form() {
        let entropy = Entropy::from_seed(1);
        let id = AccessKeyId::new(&entropy);
        assert_eq!(id.as_str().len(), 24);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_ne!(AccessKeyId::new(&entropy), id);
        let secret = new_secret(&entropy);
        assert_eq!(secret.expose_secret().len(), 30);
        assert!(secret.expose_secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for bad in ["", "LTAI", "ltaiabc", "LTAI-abc", "STS.abc", "LTAIé", &format!("LTAI{}", "x".repeat(61))] {
            assert_eq!(bad.parse::<AccessKeyId>(), Err(AccessKeyIdError), "{bad}");
        }
        assert!("LTAIdevteam".parse::<AccessKeyId>().is_ok());
    }
}
