//! Encryption at rest: AES-256-GCM with a named key, in an envelope that contains the key's id.
//!
//! An envelope consists of the byte `1`, the length of the key's id, the id, a random nonce of 12 bytes, the ciphertext
//! and the tag. Version, id and the caller's context are authenticated with it: a webhook secret that was moved to
//! another endpoint's row, or a password in the place of a webhook secret, does not open.
//!
//! Old keys stay in the list until nothing needs them any more ([`Sealer::is_current`] tells a rotation what is left).
//! With random nonces, a key is good for about four billion envelopes, which no gateway will reach.

use std::borrow::Borrow;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretSlice};

use super::master::MasterKey;
use crate::domain::entropy::Entropy;

const VERSION: u8 = 1;
const LABEL: &str = "eci-cache-gateway seal v1";
const MAX_ID_BYTES: usize = 32;

/// Why a list of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// An id is invalid.
    #[error("key ids must be 1 to {MAX_ID_BYTES} characters of a-z, A-Z, 0-9, - and _")]
    BadId,
    /// Two keys have the same id.
    #[error("two keys have one id")]
    DuplicateId,
    /// The current key is not in the list.
    #[error("the current key is not in the list")]
    NoCurrent,
}

/// Why an envelope cannot be opened. Deliberately coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not an envelope of a known version.
    #[error("is not an encrypted value")]
    Malformed,
    /// It was sealed with a key that is not, or no longer, in the list.
    #[error("was encrypted with a key that is not configured")]
    UnknownKey,
    /// Key, context or bytes are not those with which it was sealed.
    #[error("was altered, or encrypted for a different purpose")]
    Forged,
}

struct NamedKey {
    id: String,
    key: LessSafeKey,
}

/// Seals with the current key, opens with any.
pub struct Sealer {
    current: NamedKey,
    others: Vec<NamedKey>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<&str> = self.others.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("Sealer").field("current", &self.current.id).field("others", &others).finish()
    }
}

impl Sealer {
    /// A sealer with these keys (id and key); `current` is the id of the key that seals.
    pub fn new<K: Borrow<MasterKey>>(
        keys: impl IntoIterator<Item = (String, K)>,
        current: &str,
    ) -> Result<Self, KeyringError> {
        let mut named: Vec<NamedKey> = Vec::new();
        for (id, master) in keys {
            if !is_id(&id) {
                return Err(KeyringError::BadId);
            }
            if named.iter().any(|known| known.id == id) {
                return Err(KeyringError::DuplicateId);
            }
            named.push(NamedKey { id, key: aead_key(master.borrow()) });
        }
        let at = named.iter().position(|key| key.id == current).ok_or(KeyringError::NoCurrent)?;
        Ok(Self { current: named.swap_remove(at), others: named })
    }

    /// Encrypts `plain` for one purpose and place, for example `webhook_secret:we_…`.
    pub fn seal(&self, plain: &[u8], context: &str, entropy: &Entropy) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = entropy.bytes();
        let mut sealed = plain.to_vec();
        let aad = aad(&self.current.id, context);
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        let done = self.current.key.seal_in_place_append_tag(nonce_once, aad, &mut sealed);
        done.expect("AES-GCM refuses only texts of more than 64 GiB");
        [&header(&self.current.id), nonce.as_slice(), &sealed].concat()
    }

    /// Decrypts what [`Sealer::seal`] encrypted for the same context.
    pub fn open(&self, envelope: &[u8], context: &str) -> Result<SecretSlice<u8>, OpenError> {
        let (id, nonce, sealed) = split(envelope).ok_or(OpenError::Malformed)?;
        let key = self.find(id).ok_or(OpenError::UnknownKey)?;
        let mut text = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = key.key.open_in_place(nonce, aad(id, context), &mut text).map_err(|_| OpenError::Forged)?;
        let length = plain.len();
        // Truncated in place: the plaintext is at the front, and a copy would leave it behind in freed memory.
        text.truncate(length);
        Ok(SecretSlice::from(text))
    }

    /// Whether an envelope was sealed with the current key; otherwise it has to be re-encrypted.
    pub fn is_current(&self, envelope: &[u8]) -> bool {
        split(envelope).is_some_and(|(id, ..)| id == self.current.id)
    }

    /// The id of the key that sealed an envelope; `None` if it is not an envelope.
    pub fn key_of(envelope: &[u8]) -> Option<&str> {
        split(envelope).map(|(id, ..)| id)
    }

    /// The id of the key that seals.
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// The beginning of every envelope of the current key.
    pub fn header(&self) -> Vec<u8> {
        header(&self.current.id)
    }

    fn find(&self, id: &str) -> Option<&NamedKey> {
        std::iter::once(&self.current).chain(&self.others).find(|key| key.id == id)
    }
}

/// What [`is_id`] allows.
pub const IDS: &str = "1 to 32 letters, digits, - and _";

/// Whether this is a valid id of a key.
pub fn is_id(id: &str) -> bool {
    let letters = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    letters && (1..=MAX_ID_BYTES).contains(&id.len())
}

fn aead_key(master: &MasterKey) -> LessSafeKey {
    let key = master.derive(LABEL);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose_secret()).expect("AES-256 takes any 32 bytes"))
}

fn header(id: &str) -> Vec<u8> {
    // Ids are at most 32 bytes long, so the length always fits.
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [&[VERSION, length], id.as_bytes()].concat()
}

fn aad(id: &str, context: &str) -> Aad<Vec<u8>> {
    // The header contains the length of the id, so different pairs of id and context never give the same bytes.
    Aad::from([header(id).as_slice(), context.as_bytes()].concat())
}

fn split(envelope: &[u8]) -> Option<(&str, &[u8; NONCE_LEN], &[u8])> {
    let (&version, rest) = envelope.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (id, rest) = rest.split_at_checked(usize::from(length))?;
    let (nonce, sealed) = rest.split_first_chunk()?;
    let id = std::str::from_utf8(id).ok()?;
    let whole = version == VERSION && sealed.len() >= AES_256_GCM.tag_len();
    whole.then_some((id, nonce, sealed))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::property::holds;

    const CONTEXT: &str = "webhook_secret:we_1";

    fn ring(current: &str) -> Sealer {
        let keys = vec![("k1".to_owned(), MasterKey::new([1; 32])), ("k2".to_owned(), MasterKey::new([2; 32]))];
        Sealer::new(keys, current).unwrap()
    }

    fn entropy() -> Entropy {
        Entropy::from_seed(7)
    }

    #[test]
    fn what_is_sealed_opens_again() {
        for plain in [vec![], vec![1], vec![0; 100_000]] {
            let envelope = ring("k1").seal(&plain, CONTEXT, &entropy());
            assert_eq!(ring("k1").open(&envelope, CONTEXT).unwrap().expose_secret(), plain);
        }
    }

    #[test]
    fn equal_texts_have_different_envelopes() {
        let entropy = entropy();
        assert_ne!(ring("k1").seal(b"same", CONTEXT, &entropy), ring("k1").seal(b"same", CONTEXT, &entropy));
    }

    #[test]
    fn an_old_key_opens_but_is_not_current() {
        let envelope = ring("k1").seal(b"secret", CONTEXT, &entropy());
        let rotated = ring("k2");
        assert_eq!(rotated.open(&envelope, CONTEXT).unwrap().expose_secret(), b"secret");
        assert!(!rotated.is_current(&envelope));
        assert!(rotated.is_current(&rotated.seal(b"secret", CONTEXT, &entropy())));
        let without = Sealer::new(vec![("k2".into(), MasterKey::new([2; 32]))], "k2").unwrap();
        assert_eq!(without.open(&envelope, CONTEXT).unwrap_err(), OpenError::UnknownKey);
    }

    #[test]
    fn another_context_or_key_does_not_open() {
        let envelope = ring("k1").seal(b"secret", CONTEXT, &entropy());
        for context in ["", "webhook_secret:we_2", "webhook_secret:we_", "registry_password:we_1"] {
            assert_eq!(ring("k1").open(&envelope, context).unwrap_err(), OpenError::Forged, "{context}");
        }
        let namesake = Sealer::new(vec![("k1".into(), MasterKey::new([9; 32]))], "k1").unwrap();
        assert_eq!(namesake.open(&envelope, CONTEXT).unwrap_err(), OpenError::Forged);
    }

    #[test]
    fn every_altered_bit_and_every_cut_is_found() {
        let sealer = ring("k1");
        let envelope = sealer.seal(b"secret", CONTEXT, &entropy());
        for bit in 0..envelope.len() * 8 {
            let mut altered = envelope.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(&altered, CONTEXT).is_err(), "bit {bit}");
        }
        for length in 0..envelope.len() {
            assert!(sealer.open(&envelope[..length], CONTEXT).is_err(), "cut to {length}");
        }
        assert!(sealer.open(&[&envelope[..], &[0]].concat(), CONTEXT).is_err(), "a byte more");
    }

    #[test]
    fn garbage_never_panics() {
        let entropy = entropy();
        for length in 0..=255_u8 {
            let mut bytes = entropy.bytes::<300>().to_vec();
            bytes[0] = VERSION;
            bytes[1] = length;
            bytes.truncate(usize::from(entropy.bytes::<1>()[0]) + 45);
            assert!(ring("k1").open(&bytes, CONTEXT).is_err());
        }
    }

    #[test]
    fn unusable_keyrings_are_refused() {
        let ring = |ids: &[&str], current| {
            let keys = ids.iter().map(|id| ((*id).to_owned(), MasterKey::new([1; 32])));
            Sealer::new(keys, current).unwrap_err()
        };
        assert_eq!(ring(&["a", "a"], "a"), KeyringError::DuplicateId);
        assert_eq!(ring(&["a"], "b"), KeyringError::NoCurrent);
        assert_eq!(ring(&[], "a"), KeyringError::NoCurrent);
        for id in ["", "a b", "ä", &"k".repeat(33)] {
            assert_eq!(ring(&[id], id), KeyringError::BadId);
        }
    }

    #[test]
    fn debug_shows_ids_only() {
        assert_eq!(format!("{:?}", ring("k2")), r#"Sealer { current: "k2", others: ["k1"] }"#);
    }

    #[test]
    fn any_text_opens_in_its_context_alone_and_never_altered() {
        let altered = (any::<Index>(), 1..=255_u8);
        holds(
            500,
            (vec(any::<u8>(), 0..200), "[a-z_:0-9]{0,20}", any::<u64>(), altered),
            |(plain, context, seed, (at, turn))| {
                let ring = ring("k1");
                let mut envelope = ring.seal(&plain, &context, &Entropy::from_seed(seed));
                let opened = ring.open(&envelope, &context).map(|opened| opened.expose_secret().to_vec());
                prop_assert_eq!(opened.ok(), Some(plain));
                let elsewhere = context.clone() + "1";
                prop_assert!(ring.open(&envelope, &elsewhere).is_err());
                let at = at.index(envelope.len());
                envelope[at] ^= turn;
                prop_assert!(ring.open(&envelope, &context).is_err());
                Ok(())
            },
        );
    }

    #[test]
    fn no_bytes_make_an_envelope_panic() {
        holds(2_000, vec(prop_oneof![any::<u8>(), 0..4_u8], 0..60), |bytes| {
            prop_assert!(ring("k1").open(&bytes, CONTEXT).is_err());
            let _key = Sealer::key_of(&bytes);
            Ok(())
        });
    }
}
