//! Keyed hashes: to compare values without storing them, and to sign what clients carry.
//!
//! A plain hash of a password can be brute-forced; a keyed one cannot without the key. Used for idempotency keys (is
//! this the same body?), for parameters that must not be in the audit in plain text, and for list cursors (which are
//! also encrypted). Labels separate the uses: equal bytes with different labels have unrelated fingerprints.
//!
//! While the former master key is configured, its fingerprints are recognized: a request that is repeated after a
//! rotation is still the same request, and cursors still work.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use secrecy::ExposeSecret;

use super::cursor::CursorCipher;
use super::master::MasterKey;

const LABEL: &str = "eci-cache-gateway fingerprint v1";

/// The length of a signature in bytes: 128 bits, which cannot be guessed online.
pub const SIGNATURE_BYTES: usize = 16;

/// Computes keyed hashes.
pub struct Fingerprint {
    key: hmac::Key,
    former: Option<hmac::Key>,
    cursors: Vec<CursorCipher>,
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

impl Fingerprint {
    /// Derives its own key from the master key.
    pub fn new(master: &MasterKey) -> Self {
        Self { key: derived(master), former: None, cursors: vec![CursorCipher::new(master)] }
    }

    /// Also recognizes fingerprints of the former master key.
    pub fn with_former(self, former: Option<&MasterKey>) -> Self {
        let mut cursors = self.cursors;
        cursors.extend(former.map(CursorCipher::new));
        Self { former: former.map(derived), cursors, ..self }
    }

    /// The fingerprint of `bytes` for the use `label`.
    pub fn of(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        print(&self.key, label, bytes)
    }

    /// The fingerprint with the former key, if it is configured.
    pub fn of_former(&self, label: &str, bytes: &[u8]) -> Option<[u8; 32]> {
        self.former.as_ref().map(|key| print(key, label, bytes))
    }

    /// Whether `print` is the fingerprint of `bytes` for the use `label`, in constant time.
    pub fn is(&self, label: &str, bytes: &[u8], print: &[u8]) -> bool {
        let made = |own: [u8; 32]| constant_time::verify_slices_are_equal(&own, print).is_ok();
        made(self.of(label, bytes)) || self.of_former(label, bytes).is_some_and(made)
    }

    /// Encrypts a position in the list `label` for a client.
    pub fn seal_place(&self, label: &str, place: &[u8]) -> Vec<u8> {
        self.cursors.first().map(|cipher| cipher.seal(label, place)).unwrap_or_default()
    }

    /// The position that [`Self::seal_place`] encrypted for the same list.
    pub fn open_place(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.cursors.iter().find_map(|cipher| cipher.open(label, sealed))
    }

    /// A signature that is sent together with `bytes`, for example with a cursor.
    pub fn sign(&self, label: &str, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        short(&self.of(label, bytes))
    }

    /// Whether `signature` is ours for `label` and `bytes`, in constant time.
    pub fn verify(&self, label: &str, bytes: &[u8], signature: &[u8]) -> bool {
        let made = |print: [u8; 32]| constant_time::verify_slices_are_equal(&short(&print), signature).is_ok();
        made(self.of(label, bytes)) || self.of_former(label, bytes).is_some_and(made)
    }
}

fn derived(master: &MasterKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, master.derive(LABEL).expose_secret())
}

fn short(print: &[u8; 32]) -> [u8; SIGNATURE_BYTES] {
    let mut signature = [0; SIGNATURE_BYTES];
    signature.copy_from_slice(&print[..SIGNATURE_BYTES]);
    signature
}

fn print(key: &hmac::Key, label: &str, bytes: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    // The length comes first, so that different pairs of label and bytes never give the same input.
    context.update(&(label.len() as u64).to_be_bytes());
    context.update(label.as_bytes());
    context.update(bytes);
    let mut print = [0; 32];
    print.copy_from_slice(context.sign().as_ref());
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prints() -> Fingerprint {
        Fingerprint::new(&MasterKey::new([1; 32]))
    }

    #[test]
    fn equal_means_equal_key_label_and_bytes() {
        let print = prints().of("audit", b"x");
        assert_eq!(print, prints().of("audit", b"x"));
        assert_ne!(print, prints().of("audit", b"y"));
        assert_ne!(print, prints().of("idempotency", b"x"));
        assert_ne!(print, prints().of("audi", b"tx"));
        assert_ne!(print, Fingerprint::new(&MasterKey::new([2; 32])).of("audit", b"x"));
        assert!(prints().is("audit", b"x", &print) && !prints().is("audit", b"x", &print[..31]));
        assert!(!prints().is("audit", b"y", &print) && !prints().is("audit", b"x", &[]));
    }

    #[test]
    fn only_our_signatures_hold() {
        let signature = prints().sign("cursor", b"42");
        assert!(prints().verify("cursor", b"42", &signature));
        assert!(!prints().verify("cursor", b"43", &signature));
        assert!(!prints().verify("other", b"42", &signature));
        assert!(!prints().verify("cursor", b"42", &signature[..15]));
        assert!(!prints().verify("cursor", b"42", &[]));
        assert!(!prints().verify("cursor", b"42", &prints().of("cursor", b"42")));
    }

    #[test]
    fn what_the_former_key_made_is_known() {
        let (old, new) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        let rotated = Fingerprint::new(&new).with_former(Some(&old));
        assert_eq!(rotated.of_former("x", b"1"), Some(Fingerprint::new(&old).of("x", b"1")));
        assert!(rotated.verify("x", b"1", &Fingerprint::new(&old).sign("x", b"1")));
        assert!(rotated.verify("x", b"1", &rotated.sign("x", b"1")));
        assert_eq!(rotated.sign("x", b"1"), Fingerprint::new(&new).sign("x", b"1"));
        assert!(!Fingerprint::new(&new).verify("x", b"1", &Fingerprint::new(&old).sign("x", b"1")));
        let carried = Fingerprint::new(&old).seal_place("x", b"1");
        assert_eq!(rotated.open_place("x", &carried).as_deref(), Some(&b"1"[..]));
        assert_eq!(Fingerprint::new(&new).open_place("x", &rotated.seal_place("x", b"1")).as_deref(), Some(&b"1"[..]));
        assert_eq!(Fingerprint::new(&new).open_place("x", &carried), None);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", prints()), "Fingerprint(…)");
    }
}
