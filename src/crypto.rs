//! Floor 1: encryption at rest, keyed hashes, the audit's Merkle tree and signed notes.
//!
//! [`MasterKey`] is what the operator hands in. It is never used itself: [`Sealer`] and [`Fingerprint`] derive
//! their own keys from it, each with its own label, so that no use of one can tell anything about the other.
//!
//! What must stay true: what was sealed for one purpose cannot be opened for another; whatever bytes come back from
//! the database, opening them returns the plain text or an error and never panics; no key is ever printed.
//!
//! Who calls it: `app`. What it does not do: TLS, tokens (`auth`), signatures of webhooks (`webhook`).

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
