//! Floor 1: encryption at rest, keyed hashes, the audit's Merkle tree and signed notes.
//!
//! [`MasterKey`] is the operator's key. It is never used directly: [`Sealer`] and [`Fingerprint`] derive their own keys
//! from it, each with its own label, so that knowing one reveals nothing about the other.
//!
//! What must stay true: what was sealed for one purpose cannot be opened for another; opening any bytes from the
//! database returns the plaintext or an error, and never panics; no key is ever printed.
//!
//! Called by `app`, and for keys also by `config`, `assembly` and `cli`. It does not handle TLS, tokens (`auth`) or
//! signatures of webhooks (`webhook`).

pub mod audit_keys;
mod cursor;
pub mod fingerprint;
pub mod master;
pub mod merkle;
pub mod note;
pub mod seal;

pub use audit_keys::AuditKeys;
pub use fingerprint::Fingerprint;
pub use master::MasterKey;
pub use seal::Sealer;
