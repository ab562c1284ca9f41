//! Signed notes (C2SP signed-note) with Ed25519: text, an empty line, and a line for each signature.
//!
//! The line of a signature is `— NAME BASE64`; the base64 contains 4 bytes that identify the key (the start of SHA-256
//! of name, line feed, the byte 1 and the public key) and the signature of the text. A verifier key is
//! `NAME+HASH+BASE64`; the base64 contains the byte 1 and the public key.
//!
//! Called by `app` and `cli`. It does not interpret the text (`domain::checkpoint` does).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::master::MasterKey;
use crate::domain::audit::checkpoint::is_origin;

/// The byte for Ed25519.
const ALGORITHM: u8 = 1;
/// The maximum number of signatures of a note that are checked.
const MOST_SIGNATURES: usize = 100;

/// Signs notes.
pub struct NoteSigner {
    verifier: NoteVerifier,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier)
    }
}

impl NoteSigner {
    /// A signer with this name and the Ed25519 seed `seed`; `None` if the name is invalid.
    pub fn new(name: &str, seed: &MasterKey) -> Option<Self> {
        let pair = seed.ed25519();
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { verifier: NoteVerifier::new(name, public)?, pair })
    }

    /// The verifier of its notes.
    pub fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// Signs `text`, which must end with a line feed, and returns the note.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let signed = BASE64_STANDARD.encode([&self.verifier.hash[..], signature.as_ref()].concat());
        format!("{text}\n— {} {signed}\n", self.verifier.name)
    }
}

/// Verifies notes. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    hash: [u8; 4],
    public: [u8; 32],
}

/// The text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a verifier key: NAME+HASH+BASE64, as `audit key` prints it")]
pub struct BadVerifier;

impl NoteVerifier {
    fn new(name: &str, public: [u8; 32]) -> Option<Self> {
        let digest =
            Sha256::new_with_prefix(name.as_bytes()).chain_update([b'\n', ALGORITHM]).chain_update(public).finalize();
        let hash = digest.first_chunk().copied()?;
        is_origin(name).then(|| Self { name: name.to_owned(), hash, public })
    }

    /// The key's name, which is the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name and hash, as in the text format before the key itself.
    pub fn short(&self) -> String {
        format!("{}+{:08x}", self.name, u32::from_be_bytes(self.hash))
    }

    /// The text of a note that this key signed; `None` if it did not, or if it is not a note.
    pub fn open<'a>(&self, note: &'a str) -> Option<&'a str> {
        // The last empty line, because the text may contain others.
        let end = note.rfind("\n\n")? + 1;
        let (text, signatures) = (&note[..end], &note[end + 1..]);
        if !signatures.ends_with('\n') {
            return None;
        }
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        let mut good = false;
        for (count, line) in signatures.lines().enumerate() {
            let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
            let bytes = BASE64_STANDARD.decode(signature).ok()?;
            let (hash, signature) = bytes.split_first_chunk::<4>()?;
            if count >= MOST_SIGNATURES {
                return None;
            }
            if name == self.name && *hash == self.hash {
                good = key.verify(text.as_bytes(), signature).is_ok();
                if !good {
                    return None;
                }
            }
        }
        good.then_some(text)
    }
}

/// The signers that a note names, in the format of [`NoteVerifier::short`]; nothing is verified.
pub fn signers(note: &str) -> Vec<String> {
    let lines = note.rsplit("\n\n").next().unwrap_or_default().lines().take(MOST_SIGNATURES);
    let signer = |line: &str| {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(signature).ok()?;
        Some(format!("{name}+{:08x}", u32::from_be_bytes(*bytes.first_chunk()?)))
    };
    lines.filter_map(signer).collect()
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode([&[ALGORITHM], &self.public[..]].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.hash))
    }
}

impl FromStr for NoteVerifier {
    type Err = BadVerifier;

    fn from_str(text: &str) -> Result<Self, BadVerifier> {
        let (name, rest) = text.split_once('+').ok_or(BadVerifier)?;
        let (_, key) = rest.split_once('+').ok_or(BadVerifier)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| BadVerifier)?;
        let [ALGORITHM, public @ ..] = &key[..] else { return Err(BadVerifier) };
        let read = Self::new(name, public.try_into().map_err(|_| BadVerifier)?).ok_or(BadVerifier)?;
        // The hash in the text must match the name and the key.
        if read.to_string() == text { Ok(read) } else { Err(BadVerifier) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example in Go's golang.org/x/mod/sumdb/note.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const LINE: &str =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signer() -> NoteSigner {
        let seed = BASE64_STANDARD.decode(SECRET).unwrap()[1..].try_into().unwrap();
        NoteSigner::new("PeterNeumann", &MasterKey::new(seed)).unwrap()
    }

    #[test]
    fn the_known_key_signs_the_known_note() {
        assert_eq!(signer().verifier().to_string(), KEY);
        assert_eq!(signer().sign(TEXT), format!("{TEXT}\n{LINE}"));
        assert_eq!(KEY.parse::<NoteVerifier>().unwrap().open(&format!("{TEXT}\n{LINE}")), Some(TEXT));
        assert_eq!(signers(&format!("{TEXT}\n{LINE}")), ["PeterNeumann+c74f20a3"]);
        assert_eq!(signer().verifier().short(), "PeterNeumann+c74f20a3");
        assert_eq!(signers("no note"), [""; 0]);
        assert_eq!(format!("{:?}", signer()), format!("NoteSigner({KEY})"));
    }

    #[test]
    fn every_altered_byte_is_found() {
        let (note, key) = (signer().sign(TEXT), KEY.parse::<NoteVerifier>().unwrap());
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(altered) = String::from_utf8(bytes) {
                assert_eq!(key.open(&altered), None, "byte {at}");
            }
            assert!(!note.is_char_boundary(at) || key.open(&note[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn other_signatures_may_stand_beside() {
        let key: NoteVerifier = KEY.parse().unwrap();
        let other = NoteSigner::new("other", &MasterKey::new([1; 32])).unwrap().sign(TEXT);
        let line = other.strip_prefix(TEXT).unwrap().trim_start();
        assert_eq!(key.open(&format!("{TEXT}\n{line}{LINE}")), Some(TEXT));
        assert_eq!(key.open(&format!("{TEXT}\n{line}")), None);
        assert_eq!(key.open(&format!("{TEXT}\n{LINE}nonsense\n")), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "a", "a+b", &KEY.replace("c74f20a3", "c74f20a4"), &KEY.replace("Peter", "Pater")] {
            assert_eq!(text.parse::<NoteVerifier>(), Err(BadVerifier), "{text}");
        }
        assert!(NoteSigner::new("two words", &MasterKey::new([1; 32])).is_none());
    }
}
