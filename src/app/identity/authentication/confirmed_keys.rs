//! Which keys this process has seen to exist, so that a query about them is worthwhile.
//!
//! What must stay true: made-up ids never get in; the number is bounded. Being in this list does not authenticate
//! anybody: it only exempts the key from the limits for unknown credentials. Access keys leave it by
//! `forget_access_key`; an outdated entry does no harm, because each request still checks its key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::Error;
use crate::app::identity::Identity;
use crate::domain::identity::access_key::AccessKeyId;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::ApiKeyId;
use crate::eci::incoming::Incoming;
use crate::store::SealedKey;

/// The most keys of each kind.
const MOST: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct ConfirmedKeys {
    api_keys: Mutex<HashSet<ApiKeyId>>,
    access_keys: Mutex<HashMap<AccessKeyId, Arc<SealedKey>>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while the lock is held.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConfirmedKeys {
    pub(super) fn has_api_key(&self, id: ApiKeyId) -> bool {
        lock(&self.api_keys).contains(&id)
    }

    pub(super) fn note_api_key(&self, id: ApiKeyId) {
        let mut keys = lock(&self.api_keys);
        if keys.len() >= MOST && !keys.contains(&id) {
            keys.clear();
        }
        keys.insert(id);
    }

    fn note_access_key(&self, key: Arc<SealedKey>) {
        let mut keys = lock(&self.access_keys);
        if keys.len() >= MOST && !keys.contains_key(&key.key.id) {
            keys.clear();
        }
        keys.insert(key.key.id.clone(), key);
    }
}

impl Identity {
    /// The team of an access key that this process has seen, if the request is signed with the secret that the key had
    /// then. Costs no query; [`Identity::authenticate_signed`] decides whether the key is still valid.
    pub fn met_signer(&self, incoming: &Incoming) -> Option<TeamId> {
        let id: AccessKeyId = incoming.access_key_id.parse().ok()?;
        let found = lock(&self.credentials.met.access_keys).get(&id).cloned()?;
        self.verify_signed(&id, &found, incoming).is_ok().then(|| found.key.team.clone())
    }

    pub(in crate::app) fn note_access_key(&self, key: &SealedKey) {
        self.credentials.met.note_access_key(Arc::new(key.clone()));
    }

    pub(in crate::app) fn forget_access_key(&self, id: &AccessKeyId) {
        lock(&self.credentials.met.access_keys).remove(id);
    }

    /// Loads the existing keys, so that their owners are not held up by a flood right after the start.
    pub async fn meet_keys(&self) -> Result<(), Error> {
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        for key in self.base.store().usable_access_keys(most).await? {
            self.credentials.met.note_access_key(Arc::new(key));
        }
        for id in self.base.store().usable_api_keys(self.base.now(), most).await? {
            self.credentials.met.note_api_key(id);
        }
        Ok(())
    }
}
