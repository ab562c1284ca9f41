//! The nonces of verified requests: each may be used once.

use std::collections::HashMap;

use chrono::Duration;

use crate::domain::clock::Instant;

/// How long a nonce is remembered: longer than any accepted timestamp stays acceptable.
const NONCE: Duration = Duration::minutes(31);

/// The nonces of verified requests, and when each was used.
#[derive(Debug, Default)]
pub(super) struct Nonces(HashMap<String, Instant>);

impl Nonces {
    /// Stores a nonce; false if it was used before.
    pub(super) fn spend(&mut self, nonce: &str, now: Instant) -> bool {
        let fresh = self.0.get(nonce).is_none_or(|seen| now - *seen >= NONCE);
        if fresh {
            self.0.insert(nonce.to_owned(), now);
        }
        fresh
    }

    /// Forgets old nonces.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, seen| now - *seen < NONCE);
    }
}
