//! API keys: `ecg_`, the key's id, a secret that is displayed once, and a checksum; 68 letters and digits in a row, so
//! that a double click selects all of it and a scanner of source code finds it.
//!
//! What must stay true: a text whose form or checksum is wrong is no key, and costs no database query; only a caller
//! who has the secret learns that a key is revoked or expired. Called by `app`, which stores hashes and looks them up.

use secrecy::{ExposeSecret as _, SecretString};

use super::access_key::letters;
use super::caller::{Scope, TeamId};
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::ids::{ApiKeyId, RevocationId};

/// How many keys a team may have, not counting revoked ones.
pub const MAX_API_KEYS: i64 = 100;
/// How many secrets older than the previous one the gateway still recognizes as the key's.
pub const RETIRED_SECRETS: i32 = 10;
/// The prefix of every key.
pub const PREFIX: &str = "ecg_";
/// The longest time, in hours, that the old secret may remain valid beside a new one.
pub const MAX_OVERLAP_HOURS: i32 = 168;

const ID_LETTERS: usize = 26;
const SECRET_LETTERS: usize = 32;
const CHECK_LETTERS: usize = 6;
const LENGTH: usize = PREFIX.len() + ID_LETTERS + SECRET_LETTERS + CHECK_LETTERS;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key of a team, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The gateway's id of the key.
    pub id: ApiKeyId,
    /// The team of the key.
    pub team: TeamId,
    /// A name for people: 1 to 128 characters.
    pub name: String,
    /// The scopes of the key.
    pub scopes: Vec<Scope>,
    /// The subject that created the key.
    pub created_by: String,
    /// The credential that the key was created with, as the audit names it, and the one that that was exchanged for;
    /// empty for keys from before this was recorded.
    pub made_with: Vec<String>,
    /// When the key was created.
    pub created_at: Instant,
    /// When the secret of the key was last replaced.
    pub rotated_at: Option<Instant>,
    /// The subject that replaced it, and so knows the secret.
    pub rotated_by: Option<String>,
    /// When the previous secret stops being valid.
    pub previous_until: Option<Instant>,
    /// When the key expires; none if it is valid until it is revoked.
    pub expires_at: Option<Instant>,
    /// When the key was last used, accurate to the minute.
    pub last_used_at: Option<Instant>,
    /// When the key was revoked.
    pub revoked_at: Option<Instant>,
    /// The revocation that included the key; none if it was revoked by itself.
    pub revoked_with: Option<RevocationId>,
}

/// Which of a key's two secrets was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedSecret {
    /// The current secret.
    Current,
    /// The one before the last rotation.
    Previous,
    /// An older secret.
    Retired,
}

/// Why a well-formed key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDenial {
    /// No key has that id, or the secret is wrong. The two are not distinguished.
    Unknown,
    /// It was revoked.
    Revoked,
    /// The key, or the secret that was presented, has expired.
    Expired,
}

impl ApiKey {
    /// Until when the secret before the last rotation is accepted; none if it ended with the rotation.
    pub fn overlap(&self) -> Option<Instant> {
        self.previous_until.filter(|until| self.rotated_at.is_none_or(|rotated| rotated < *until))
    }

    /// Until when a request that presented `which` of the secrets is admitted; none if there is no limit.
    pub fn admit(&self, which: Option<PresentedSecret>, now: Instant) -> Result<Option<Instant>, KeyDenial> {
        let which = which.ok_or(KeyDenial::Unknown)?;
        if self.revoked_at.is_some() {
            return Err(KeyDenial::Revoked);
        }
        let overlap = match which {
            PresentedSecret::Current => None,
            PresentedSecret::Previous => Some(self.overlap().ok_or(KeyDenial::Expired)?),
            PresentedSecret::Retired => return Err(KeyDenial::Expired),
        };
        let end = self.expires_at.into_iter().chain(overlap).min();
        if end.is_some_and(|end| end <= now) { Err(KeyDenial::Expired) } else { Ok(end) }
    }
}

/// A key as a request presents it; only its form is known to be right.
#[derive(Debug)]
pub struct PresentedKey {
    /// The id that the key claims to have.
    pub id: ApiKeyId,
    /// The whole key, which is hashed.
    pub text: SecretString,
}

/// A text that cannot be one of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no API key")]
pub struct Malformed;

impl PresentedKey {
    /// Whether `text` looks like an API key.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Parses a key. Every letter counts: a key has only one spelling.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let rest = text.strip_prefix(PREFIX).filter(|_| text.len() == LENGTH).ok_or(Malformed)?;
        if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Malformed);
        }
        let (body, check) = text.split_at(LENGTH - CHECK_LETTERS);
        let id = format!("{}{}", ApiKeyId::PREFIX, &rest[..ID_LETTERS]).parse().map_err(|_| Malformed)?;
        if checksum(body) == check { Ok(Self { id, text: SecretString::from(text) }) } else { Err(Malformed) }
    }

    /// A new random key with this id.
    pub fn fresh(id: ApiKeyId, entropy: &Entropy) -> Self {
        let id_letters = id.to_string().split_off(ApiKeyId::PREFIX.len());
        let body = format!("{PREFIX}{id_letters}{}", letters(SECRET_LETTERS, entropy));
        let check = checksum(&body);
        Self { id, text: SecretString::from(body + &check) }
    }

    /// The bytes that are hashed.
    pub fn bytes(&self) -> &[u8] {
        self.text.expose_secret().as_bytes()
    }
}

/// CRC-32 (IEEE) in six digits of base 62. It catches typing errors, not attacks: whoever invents a key can compute its
/// checksum, but still has to guess 190 bits.
fn checksum(body: &str) -> String {
    let mut crc = body.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    });
    crc = !crc;
    let mut digits = [b'0'; CHECK_LETTERS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(crc % 62) as usize];
        crc /= 62;
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::property::holds;

    fn fresh() -> PresentedKey {
        let entropy = Entropy::from_seed(1);
        PresentedKey::fresh(ApiKeyId::new(Instant::UNIX_EPOCH, &entropy), &entropy)
    }

    #[test]
    fn a_fresh_key_reads_back() {
        let key = fresh();
        let text = key.text.expose_secret();
        assert_eq!(text.len(), 68);
        let read = PresentedKey::parse(text).unwrap();
        assert_eq!((read.id, read.bytes()), (key.id, key.bytes()));
        assert!(!format!("{key:?}").contains(&text[30..]), "{key:?}");
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // 0xCBF43926, the check value of CRC-32, in base 62.
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    #[test]
    fn any_changed_letter_is_found() {
        let text = fresh().text.expose_secret().to_owned();
        for place in 0..text.len() {
            for letter in ["0", "a", "Z", "-", "é", ""] {
                let changed = format!("{}{letter}{}", &text[..place], &text[place + 1..]);
                assert_eq!(PresentedKey::parse(&changed).is_ok(), changed == text, "{place} {letter}");
            }
        }
    }

    #[test]
    fn who_is_admitted_until_when() {
        let now = Instant::UNIX_EPOCH + Duration::days(1);
        let (past, soon, late) = (now, now + Duration::seconds(1), now + Duration::hours(1));
        let key = |expires_at, previous_until, revoked_at| ApiKey {
            id: fresh().id,
            team: "web".parse().unwrap(),
            name: "ci".into(),
            scopes: vec![Scope::Read],
            created_by: "alice".into(),
            made_with: Vec::new(),
            created_at: now,
            rotated_at: None,
            rotated_by: None,
            previous_until,
            expires_at,
            last_used_at: None,
            revoked_at,
            revoked_with: None,
        };
        let (current, previous) = (Some(PresentedSecret::Current), Some(PresentedSecret::Previous));
        for (key, which, expected) in [
            (key(None, None, None), None, Err(KeyDenial::Unknown)),
            (key(Some(past), None, Some(past)), None, Err(KeyDenial::Unknown)),
            (key(None, None, None), current, Ok(None)),
            (key(Some(late), None, None), current, Ok(Some(late))),
            (key(Some(past), None, None), current, Err(KeyDenial::Expired)),
            (key(Some(late), None, Some(late)), current, Err(KeyDenial::Revoked)),
            (key(Some(late), Some(soon), None), current, Ok(Some(late))),
            (key(Some(late), Some(soon), None), previous, Ok(Some(soon))),
            (key(Some(soon), Some(late), None), previous, Ok(Some(soon))),
            (key(None, Some(past), None), previous, Err(KeyDenial::Expired)),
            (key(None, Some(soon), None), Some(PresentedSecret::Retired), Err(KeyDenial::Expired)),
            (key(None, Some(soon), Some(past)), Some(PresentedSecret::Retired), Err(KeyDenial::Revoked)),
        ] {
            assert_eq!(key.admit(which, now), expected, "{key:?} {which:?}");
        }
        // Whatever the clock says: the old secret ended with the rotation.
        let at_once = ApiKey { rotated_at: Some(late), ..key(None, Some(late), None) };
        assert_eq!(at_once.admit(previous, now), Err(KeyDenial::Expired));
    }

    #[test]
    fn any_fresh_key_reads_back_and_no_slip_of_the_hand_does() {
        holds(500, (any::<u64>(), any::<Index>(), "[0-9A-Za-z]"), |(seed, at, letter)| {
            let entropy = Entropy::from_seed(seed);
            let key = PresentedKey::fresh(ApiKeyId::new(Instant::UNIX_EPOCH, &entropy), &entropy);
            let text = key.text.expose_secret();
            prop_assert_eq!(PresentedKey::parse(text).map(|read| read.id), Ok(key.id));
            let at = at.index(text.len() - 1);
            let other = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
            prop_assert!(other == text || PresentedKey::parse(&other).is_err(), "one letter at {}", at);
            let (one, two) = (&text[at..=at], &text[at + 1..at + 2]);
            let turned = format!("{}{two}{one}{}", &text[..at], &text[at + 2..]);
            prop_assert!(one == two || PresentedKey::parse(&turned).is_err(), "two letters turned at {}", at);
            Ok(())
        });
    }
}
