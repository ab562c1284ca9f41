//! `ClientToken`: the same token with the same parameters gets the same response, and nothing is done again; with other
//! parameters it is refused.
//!
//! Only successes are remembered, for an hour (the cloud's own time is undocumented). Parameters are stored as a keyed
//! hash: they contain passwords, which must not be guessable from a state file either.

use std::collections::HashMap;

use chrono::Duration;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{ActionRefusal, ActionResult};
use crate::domain::clock::Instant;
use crate::eci::Action;
use crate::eci::params::read::ParameterError;
use crate::eci::sign_v1;

/// How long a token is remembered.
const REMEMBERED: Duration = Duration::hours(1);
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RememberedAnswer {
    fingerprint: String,
    answer: Map<String, Value>,
    at: Instant,
}

/// The tokens of successful calls by account, action and token.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tokens(HashMap<String, RememberedAnswer>);

/// A call's token, validated.
#[derive(Debug)]
pub(super) struct CheckedToken {
    key: String,
    fingerprint: String,
}

impl Tokens {
    /// The call's token, if it has one. Reads have none: they must return the current state. `secret` is the key of the
    /// hash.
    pub(super) fn read(
        action: Action,
        account: &str,
        params: &[(String, String)],
        secret: &SecretString,
    ) -> Result<Option<CheckedToken>, ActionRefusal> {
        let given = params.iter().find(|(key, value)| key == "ClientToken" && !value.is_empty());
        let Some((_, token)) = given.filter(|_| !action.is_look()) else { return Ok(None) };
        if token.len() > 64 || !token.is_ascii() {
            return Err(ParameterError::invalid("ClientToken", "it must be at most 64 ASCII characters").into());
        }
        // The first account has no prefix, as when it was the only one.
        let of = if account.is_empty() { String::new() } else { format!("{account}/") };
        let key = format!("{of}{} {token}", action.as_str());
        Ok(Some(CheckedToken { key, fingerprint: fingerprint(params, secret) }))
    }

    /// The response to the earlier call with this token.
    pub(super) fn recall(&self, token: &CheckedToken, now: Instant) -> Option<ActionResult> {
        let known = self.0.get(&token.key).filter(|known| now - known.at < REMEMBERED)?;
        if known.fingerprint == token.fingerprint {
            return Some(Ok(known.answer.clone()));
        }
        let message = "Request uses a client token in a previous request but is not identical to that request.";
        Some(Err(ActionRefusal::new(400, "IdempotentParameterMismatch", message)))
    }

    /// Remembers the response of a success.
    pub(super) fn keep(&mut self, token: CheckedToken, answer: &Map<String, Value>, now: Instant) {
        let CheckedToken { key, fingerprint } = token;
        self.0.insert(key, RememberedAnswer { fingerprint, answer: answer.clone(), at: now });
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Forgets old tokens.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, known| now - known.at < REMEMBERED);
    }
}

fn fingerprint(params: &[(String, String)], secret: &SecretString) -> String {
    sign_v1::signature(secret, &sign_v1::canonical(params))
}
