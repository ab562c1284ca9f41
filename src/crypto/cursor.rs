//! Encrypts what clients carry but need not read: positions in lists, among them sequence numbers of the database.
//!
//! AES-256-GCM-SIV (RFC 8452) with a key of its own and the list as associated data. The nonce is always the same:
//! equal positions in one list give equal cursors, as before they were encrypted, and two cursors reveal nothing else.
//! This cipher is designed to withstand that; plain GCM is not.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::ExposeSecret;

use super::master::MasterKey;

const LABEL: &str = "eci-cache-gateway cursor v1";

pub(super) struct CursorCipher(LessSafeKey);

impl fmt::Debug for CursorCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorCipher(…)")
    }
}

impl CursorCipher {
    /// Derives its own key from the master key.
    pub(super) fn new(master: &MasterKey) -> Self {
        let key = master.derive(LABEL);
        let key = UnboundKey::new(&AES_256_GCM_SIV, key.expose_secret()).expect("32 bytes are a key of AES-256");
        Self(LessSafeKey::new(key))
    }

    /// The cursor of a position in the list `label`.
    pub(super) fn seal(&self, label: &str, place: &[u8]) -> Vec<u8> {
        let mut sealed = place.to_vec();
        let done = self.0.seal_in_place_append_tag(nonce(), Aad::from(label.as_bytes()), &mut sealed);
        done.expect("the cipher refuses only texts of more than 64 GiB");
        sealed
    }

    /// The position in a cursor of this list.
    pub(super) fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut text = sealed.to_vec();
        let plain = self.0.open_in_place(nonce(), Aad::from(label.as_bytes()), &mut text).ok()?;
        Some(plain.to_vec())
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::property::holds;

    #[test]
    fn a_cursor_opens_only_unaltered_and_for_its_list() {
        let cipher = CursorCipher::new(&MasterKey::new([1; 32]));
        let sealed = cipher.seal("a", b"42 7");
        assert_eq!(cipher.open("a", &sealed).as_deref(), Some(&b"42 7"[..]));
        assert_eq!(cipher.seal("a", b"42 7"), sealed);
        assert_ne!(cipher.seal("b", b"42 7"), sealed);
        assert_eq!(cipher.open("b", &sealed), None);
        assert_eq!(CursorCipher::new(&MasterKey::new([2; 32])).open("a", &sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cipher.open("a", &altered), None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(cipher.open("a", &sealed[..length]), None, "cut to {length}");
        }
    }

    #[test]
    fn any_place_of_any_list_opens_there_and_nowhere_else_and_never_altered() {
        let cipher = CursorCipher::new(&MasterKey::new([1; 32]));
        let altered = (any::<Index>(), 1..=255_u8);
        holds(
            500,
            (any::<String>(), any::<String>(), vec(any::<u8>(), 0..100), altered),
            |(list, other, place, (at, turn))| {
                let mut sealed = cipher.seal(&list, &place);
                prop_assert_eq!(cipher.open(&list, &sealed), Some(place));
                prop_assert!(list == other || cipher.open(&other, &sealed).is_none());
                let at = at.index(sealed.len());
                sealed[at] ^= turn;
                prop_assert_eq!(cipher.open(&list, &sealed), None);
                Ok(())
            },
        );
    }
}
