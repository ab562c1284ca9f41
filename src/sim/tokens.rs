//! `ClientToken`: the same token with the same parameters gives the same answer and does nothing again;
//! with other parameters it is refused.
//!
//! Only successes are remembered, for an hour (the cloud's own time is undocumented). Parameters are kept as
//! a hash: they hold passwords.

use std::collections::HashMap;

use chrono::Duration;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::answer::{Outcome, Refusal};
use super::params::Params;
use super::verify::Action;
use crate::domain::clock::Instant;
use crate::eci::sign_v1;

/// How long a token is remembered.
const REMEMBERED: Duration = Duration::hours(1);
/// What differs between two attempts at the same thing.
const SYSTEM: [&str; 10] = [
    "AccessKeyId",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

#[derive(Debug, Clone)]
struct Remembered {
    fingerprint: [u8; 32],
    answer: Map<String, Value>,
    at: Instant,
}

/// The tokens of successful calls, by action and token.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<(&'static str, String), Remembered>);

/// A call's token, checked and ready to be remembered.
#[derive(Debug)]
pub(super) struct Token {
    key: (&'static str, String),
    fingerprint: [u8; 32],
}

impl Tokens {
    /// The call's token, if it has one. A look has none: it must show the present.
    pub(super) fn read(action: Action, params: &Params) -> Result<Option<Token>, Refusal> {
        let Some(token) = params.text("ClientToken").filter(|_| action != Action::Describe) else { return Ok(None) };
        if token.len() > 64 || !token.is_ascii() {
            return Err(Refusal::invalid("ClientToken", "it must be at most 64 ASCII characters"));
        }
        let key = (action.as_str(), token.to_owned());
        Ok(Some(Token { key, fingerprint: fingerprint(params) }))
    }

    /// The answer that was given to this token before.
    pub(super) fn recall(&self, token: &Token, now: Instant) -> Option<Outcome> {
        let known = self.0.get(&token.key).filter(|known| now - known.at < REMEMBERED)?;
        if known.fingerprint == token.fingerprint {
            return Some(Ok(known.answer.clone()));
        }
        let message = "Request uses a client token in a previous request but is not identical to that request.";
        Some(Err(Refusal::new(400, "IdempotentParameterMismatch", message)))
    }

    /// Remembers what a success answered.
    pub(super) fn keep(&mut self, token: Token, answer: &Map<String, Value>, now: Instant) {
        let Token { key, fingerprint } = token;
        self.0.insert(key, Remembered { fingerprint, answer: answer.clone(), at: now });
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, known| now - known.at < REMEMBERED);
    }
}

fn fingerprint(params: &Params) -> [u8; 32] {
    let mut pairs = params.pairs();
    pairs.retain(|(key, _)| !SYSTEM.contains(&key.as_str()));
    Sha256::digest(sign_v1::canonical(&pairs).as_bytes()).into()
}
