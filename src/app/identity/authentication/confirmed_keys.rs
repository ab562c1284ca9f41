//! Which keys this process has met: they exist, so asking about them is worth a query.
//!
//! What must stay true: ids that somebody makes up never get in; the number is bounded. What is remembered lets nobody
//! in: it tells who need not stand among those of whom nothing is known.

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
    // Nothing panics while it is held.
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
    /// The team of an access key that this process has met, if the request is signed with its secret as it was then.
    /// Costs no query; whether the key is good still is for [`Identity::authenticate_signed`] to tell.
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

    /// Reads which keys there are, so that whoever has one is not held up by a flood at the start.
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
