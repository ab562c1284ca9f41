//! The audit's keys: the current one signs checkpoints and stamps entries, the previous one may still verify.
//!
//! Both are derived from one seed of 32 bytes: it is the seed of the Ed25519 key that signs notes, and the stamping key
//! is derived from it with its own label. All gateways of a database have the same.

use aws_lc_rs::{constant_time, hmac};
use secrecy::ExposeSecret as _;

use super::master::MasterKey;
use super::note::{NoteSigner, NoteVerifier};

const LABEL: &str = "eci-cache-gateway audit stamp v1";
/// The length of a stamp in bytes.
pub const STAMP_BYTES: usize = 32;

/// Signs and stamps with the current key, verifies with both.
#[derive(Debug)]
pub struct AuditKeys {
    signer: NoteSigner,
    stamp: StampKey,
    previous: Option<(NoteVerifier, StampKey)>,
}

/// Stamps entries.
#[derive(Clone)]
pub struct StampKey(hmac::Key);

impl std::fmt::Debug for StampKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StampKey(…)")
    }
}

impl StampKey {
    fn new(seed: &MasterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, seed.derive(LABEL).expose_secret()))
    }

    /// The stamp of an entry's bytes.
    pub fn stamp(&self, bytes: &[u8]) -> [u8; STAMP_BYTES] {
        let mut stamp = [0; STAMP_BYTES];
        stamp.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        stamp
    }

    fn made(&self, bytes: &[u8], stamp: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.stamp(bytes), stamp).is_ok()
    }
}

impl AuditKeys {
    /// The keys of the log `origin`; `None` if that is not a valid name.
    pub fn new(origin: &str, current: &MasterKey, previous: Option<&MasterKey>) -> Option<Self> {
        let known = |seed| Some((NoteSigner::new(origin, seed)?.verifier().clone(), StampKey::new(seed)));
        let previous = previous.map(known);
        Some(Self {
            signer: NoteSigner::new(origin, current)?,
            stamp: StampKey::new(current),
            previous: previous.flatten(),
        })
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.signer.verifier().name()
    }

    /// The key that stamps entries.
    pub fn stamp(&self) -> &StampKey {
        &self.stamp
    }

    /// Whether one of the keys made that stamp.
    pub fn stamped(&self, bytes: &[u8], stamp: &[u8]) -> bool {
        self.stamp.made(bytes, stamp) || self.previous.as_ref().is_some_and(|(_, key)| key.made(bytes, stamp))
    }

    /// Signs a note.
    pub fn sign(&self, text: &str) -> String {
        self.signer.sign(text)
    }

    /// The verifiers of its notes, that of the current key first.
    pub fn verifiers(&self) -> Vec<NoteVerifier> {
        let previous = self.previous.as_ref().map(|(verifier, _)| verifier.clone());
        std::iter::once(self.signer.verifier().clone()).chain(previous).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::new([byte; 32])
    }

    #[test]
    fn a_replaced_key_is_still_known() {
        let old = AuditKeys::new("log", &key(1), None).unwrap();
        let new = AuditKeys::new("log", &key(2), Some(&key(1))).unwrap();
        let stamp = old.stamp().stamp(b"entry");
        assert!(old.stamped(b"entry", &stamp) && new.stamped(b"entry", &stamp));
        assert!(!new.stamped(b"entri", &stamp) && !new.stamped(b"entry", &stamp[1..]));
        assert!(!AuditKeys::new("log", &key(2), None).unwrap().stamped(b"entry", &stamp));
        let note = old.sign("text\n");
        assert!(new.verifiers().iter().any(|key| key.open(&note) == Some("text\n")));
        assert!(old.verifiers().iter().all(|key| key.open(&new.sign("text\n")).is_none()));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", AuditKeys::new("log", &key(1), None).unwrap());
        assert!(shown.contains("StampKey(…)") && !shown.contains("[1, 1"), "{shown}");
    }
}
