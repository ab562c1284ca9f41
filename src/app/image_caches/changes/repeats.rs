//! What a change that is repeated with its idempotency key is answered with: what the first request was told.
//!
//! What must stay true: the same request has the same fingerprint while a master key is replaced, and creates also have
//! the one that earlier versions gave them.

use crate::app::Error;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{Changed, IdempotencyKey};
use crate::app::operations::IdempotentAnswer;
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{CacheId, OperationId};
use crate::store::{Claimed, NewKey};

impl ImageCaches {
    /// A replay returns the answer given then, with the image cache's current status beside it.
    pub(in crate::app) async fn replayed(&self, caller: &Caller, changed: Changed) -> Result<Changed, Error> {
        let id = changed.image_cache.id.parse::<CacheId>().map_err(|error| Error::Internal(error.into()))?;
        let now = self.base.store().image_cache(&caller.team, id).await?;
        Ok(Changed { status_now: now.map(|now| now.status), ..changed })
    }

    /// The answer to an earlier request with this key.
    pub(super) async fn earlier_change(&self, caller: &Caller, key: &NewKey) -> Result<Option<Changed>, Error> {
        match self.base.store().earlier_of_key(&caller.team, key).await? {
            Some(Claimed::Earlier { answer, operation }) => {
                self.replayed(caller, replay(answer, operation)?).await.map(Some)
            }
            Some(Claimed::Mismatch) => Err(Error::IdempotencyMismatch),
            _ => Ok(None),
        }
    }

    pub(in crate::app) fn new_key(&self, action: &'static str, key: &IdempotencyKey) -> NewKey {
        let prints = &self.base.fingerprint();
        let forms = [Some(&key.meaning), key.exact.as_ref()].into_iter().flatten();
        let mut known = forms.flat_map(|form| {
            [Some(prints.of("idempotency", form)), prints.of_former("idempotency", form)].into_iter().flatten()
        });
        let fingerprint = known.next().unwrap_or_default().to_vec();
        NewKey { action, key: key.key.clone(), fingerprint, others: known.map(Vec::from).collect() }
    }
}

impl IdempotentAnswer {
    pub(super) fn into_result(self, replayed: bool) -> Result<Changed, Error> {
        match self {
            Self::Cache { image_cache, settled } => {
                Ok(Changed { image_cache: *image_cache, settled, replayed, status_now: None })
            }
            Self::Refused { error, operation } => Err(Error::CloudRefused { error, operation: Some(operation) }),
        }
    }
}

/// The answer that the first request with the key got.
pub(in crate::app) fn replay(answer: Option<serde_json::Value>, operation: OperationId) -> Result<Changed, Error> {
    let answer = answer.ok_or(Error::IdempotencyInFlight)?;
    tracing::info!(operation = %operation, "answered from the idempotency key");
    IdempotentAnswer::from_json(answer)?.into_result(true)
}
