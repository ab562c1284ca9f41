//! Recently used API keys: a busy key costs one query a second, whatever its load.
//!
//! What must stay true: the number is bounded; made-up ids displace each other before they displace keys that exist. A
//! key is at most as old as the caller of `known_key` allows; whoever changes a key here calls `ask_for_key`. The last
//! use of a key is recorded in the background, once a minute.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;

use super::API_KEY;
use crate::app::Error;
use crate::app::identity::Identity;
use crate::app::ttl_memo::{self, TtlMemo};
use crate::domain::clock::{Instant, within};
use crate::domain::identity::api_key::{ApiKey, PresentedKey};
use crate::domain::ids::ApiKeyId;
use crate::store::HashedKey;

/// The most keys that are remembered.
const MOST: usize = 4_096;
/// The precision of the time of last use.
const USE: Duration = Duration::seconds(60);

#[derive(Debug, Default)]
pub(super) struct KnownKeys(Mutex<HashMap<ApiKeyId, Arc<KnownKey>>>);

#[derive(Debug, Default)]
struct KnownKey {
    kept: TtlMemo<Option<Arc<HashedKey>>>,
    /// When this process last recorded its use.
    noted: Mutex<Option<Instant>>,
    /// Whether this process has rehashed its secret.
    rehashed: AtomicBool,
}

impl KnownKeys {
    fn entry(&self, id: ApiKeyId) -> Arc<KnownKey> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(&id) && keys.len() >= MOST {
            keys.retain(|_, key| key.kept.holds(Option::is_some));
            if keys.len() >= MOST {
                keys.clear();
            }
        }
        Arc::clone(keys.entry(id).or_default())
    }
}

impl Identity {
    /// The presented key, read at most `age` ago.
    pub(super) async fn known_key(
        &self,
        presented: &PresentedKey,
        age: Duration,
    ) -> Result<Option<Arc<HashedKey>>, Error> {
        self.known_key_of(presented.id, age).await
    }

    async fn known_key_of(&self, id: ApiKeyId, age: Duration) -> Result<Option<Arc<HashedKey>>, Error> {
        let read = async { Ok(self.base.store().hashed_key(id).await?.map(Arc::new)) };
        self.credentials.keys.entry(id).kept.get(self.base.clock(), age, read).await
    }

    /// Invalidates this key: the next request reads it again.
    pub(in crate::app) async fn ask_for_key(&self, id: ApiKeyId) {
        self.credentials.keys.entry(id).kept.forget().await;
    }

    /// Whether a key that admitted somebody at `since` is not revoked and, if it was rotated after that, whether the
    /// old secret is still accepted.
    pub(super) async fn key_holds(&self, id: ApiKeyId, since: Instant) -> bool {
        let Ok(Some(found)) = self.known_key_of(id, ttl_memo::BOUND).await else { return false };
        let turned = found.key.rotated_at.is_some_and(|at| at > since);
        let beside = found.key.overlap().is_some_and(|until| until > self.base.now());
        found.key.revoked_at.is_none() && (!turned || beside)
    }

    /// Rehashes a secret that was hashed under the previous master key, so that keys used in the meantime keep working
    /// once that master key is removed. Nobody waits for it; if it fails, the next process that sees the key does it.
    pub(super) fn rehash(&self, found: &HashedKey, presented: &PresentedKey) {
        let fingerprint = &self.base.fingerprint();
        let is = fingerprint.of(API_KEY, presented.bytes());
        let Some(was) = fingerprint.of_former(API_KEY, presented.bytes()) else { return };
        let id = found.key.id;
        let known = found.hash == is || found.previous_hash.as_deref() == Some(&is);
        if known || self.credentials.keys.entry(id).rehashed.swap(true, Ordering::Relaxed) {
            return;
        }
        let identity = self.clone();
        self.base.tasks().spawn(async move {
            if let Err(error) = identity.base.store().rehash_api_key(id, &was, &is).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "could not rehash an API key");
            }
        });
    }

    /// Records that a key was used. Nobody waits for it; if it fails, a use a minute later is recorded.
    pub(super) fn note_use(&self, key: &ApiKey) {
        let (id, now) = (key.id, self.base.now());
        let entry = self.credentials.keys.entry(id);
        let mut noted = entry.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if within(*noted, USE, now) || within(key.last_used_at, USE, now) {
            return;
        }
        *noted = Some(now);
        let identity = self.clone();
        self.base.tasks().spawn(async move {
            if let Err(error) = identity.base.store().note_api_key_use(id, now, now - USE).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "could not record the use of an API key");
            }
        });
    }
}
