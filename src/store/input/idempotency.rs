//! An idempotency key to claim.

/// A key to claim.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// For which operation of the API.
    pub action: &'static str,
    /// As the caller sent it.
    pub key: String,
    /// A keyed hash of what the request means.
    pub fingerprint: Vec<u8>,
    /// Other hashes that the same request may have been recorded by: under the key before, and of its exact bytes.
    pub others: Vec<Vec<u8>>,
}

impl NewKey {
    /// Whether the request that was recorded is this one.
    pub fn is_of(&self, recorded: &[u8]) -> bool {
        self.fingerprint == recorded || self.others.iter().any(|other| other == recorded)
    }
}
