//! Checks one delivery: is its signature valid, is it a repeat, is it a challenge?

use std::collections::{HashSet, VecDeque};
use std::sync::PoisonError;

use hyper::HeaderMap;
use serde_json::Value;

use super::{Received, ReceiverState};
use crate::domain::webhooks::endpoint::CHALLENGE;
use crate::webhook::secret::SigningSecret;
use crate::webhook::sign::{self, ID_HEADER};

/// How many ids are remembered.
const REMEMBERED: usize = 10_000;

/// The ids of verified deliveries, oldest first.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl SeenIds {
    /// Remembers an id; returns true if it was known.
    fn is_repeat(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return true;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

/// What to answer a challenge; `None` if the body is not a challenge.
pub(super) fn challenge(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    (body["type"] == CHALLENGE).then(|| body["data"]["challenge"].as_str().map(str::to_owned)).flatten()
}

/// The delivery in this request.
pub(super) fn judge(shared: &ReceiverState, secret: &SigningSecret, headers: &HeaderMap, body: &[u8]) -> Received {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let at = shared.clock.now();
    let verified = sign::verify(secret, header, body, at);
    let id = header(ID_HEADER).unwrap_or_default().to_owned();
    let repeat = verified.is_ok() && shared.seen.lock().unwrap_or_else(PoisonError::into_inner).is_repeat(&id);
    let event_type =
        serde_json::from_slice::<Value>(body).ok().and_then(|body| Some(body["type"].as_str()?.to_owned()));
    Received { id, event_type, verified, repeat, body: String::from_utf8_lossy(body).into_owned(), at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_remembered_while_they_are_few() {
        let mut seen = SeenIds::default();
        assert!(!seen.is_repeat("evt_0"));
        assert!(seen.is_repeat("evt_0"));
        for number in 1..=REMEMBERED {
            assert!(!seen.is_repeat(&format!("evt_{number}")));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!seen.is_repeat("evt_0"), "the oldest is forgotten");
    }
}
