//! An idempotency key to claim.

/// An idempotency key to claim.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The API operation that it belongs to.
    pub action: &'static str,
    /// As the caller sent it.
    pub key: String,
    /// A keyed hash of what the request means.
    pub fingerprint: Vec<u8>,
    /// Other hashes under which the same request may have been recorded: with the previous master key, and of its exact
    /// bytes.
    pub others: Vec<Vec<u8>>,
}

impl NewKey {
    /// Whether the recorded request is this one.
    pub fn is_of(&self, recorded: &[u8]) -> bool {
        self.fingerprint == recorded || self.others.iter().any(|other| other == recorded)
    }
}
