//! Decides whether a request may call at all: key, signature, timestamp, nonce, version, action.
//!
//! The nonce is spent only after the signature held, so that nobody can spend another's.

use std::collections::HashMap;

use chrono::Duration;

use super::answer::Refusal;
use super::{Settings, Signatory, roles};
use crate::domain::clock::Instant;
use crate::eci::incoming::{self, Incoming};
use crate::eci::{Action, Product};

/// How long a nonce is remembered: longer than any timestamp that was accepted with it stays acceptable.
const NONCE: Duration = Duration::minutes(31);

/// The nonces of verified requests, and when each was seen.
#[derive(Debug, Default)]
pub(super) struct Nonces(HashMap<String, Instant>);

impl Nonces {
    /// Spends a nonce; false if it was spent before.
    fn spend(&mut self, nonce: &str, now: Instant) -> bool {
        let fresh = self.0.get(nonce).is_none_or(|seen| now - *seen >= NONCE);
        if fresh {
            self.0.insert(nonce.to_owned(), now);
        }
        fresh
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, seen| now - *seen < NONCE);
    }
}

/// What lets in: the settings, and how often all sessions were ended.
pub(super) struct Door<'a> {
    pub(super) settings: &'a Settings,
    pub(super) round: u64,
}

/// Whose a verified call is, as [`Signatory`] borrows it.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) account: String,
    pub(super) access_key_id: String,
    /// The role of the session that signed, if it was one.
    pub(super) role: Option<String>,
    /// How that session is called.
    pub(super) session: String,
}

impl Signed {
    pub(super) fn borrowed(&self) -> Signatory<'_> {
        let session = self.role.as_deref().map(|role| (role, self.session.as_str()));
        Signatory { account: &self.account, access_key_id: &self.access_key_id, session }
    }
}

impl From<Signatory<'_>> for Signed {
    fn from(of: Signatory<'_>) -> Self {
        Self {
            account: of.account.to_owned(),
            access_key_id: of.access_key_id.to_owned(),
            role: None,
            session: String::new(),
        }
    }
}

/// The action that a request asks for, and whose it is, once it is verified. `clock` is the clock itself: the watch that the
/// admin door turns has no say in signatures.
pub(super) fn verify(
    incoming: &Incoming,
    door: &Door<'_>,
    nonces: &mut Nonces,
    clock: Instant,
) -> Result<(Action, Signed), Refusal> {
    let signed = if let Some((secret, signatory)) = door.settings.key(&incoming.access_key_id) {
        incoming.verify(secret)?;
        signatory.into()
    } else if incoming.access_key_id.starts_with("STS.") {
        let (secret, signed) = roles::secret(door, incoming, clock)?;
        incoming.verify(&secret)?;
        signed
    } else {
        return Err(incoming::Refusal::UnknownKey.into());
    };
    incoming.check_time(clock)?;
    if !nonces.spend(&incoming.nonce, clock) {
        return Err(incoming::Refusal::NonceUsed.into());
    }
    let action = Action::from_name(&incoming.action);
    let product = action.map_or(Product::Eci, Action::product);
    if incoming.version != product.version() {
        return Err(incoming::Refusal::Version.into());
    }
    Ok((action.ok_or(incoming::Refusal::UnknownApi)?, signed))
}
