//! Deletes that the gateway starts itself: of caches whose ids nobody got, and once more of caches that the cloud still
//! has although it accepted the delete.
//!
//! What must stay true: such a delete is an operation like any other, with its audit entry; the cloud has had time to
//! carry out the previous one.
//!
//! The janitor and repeated deletes call it. Sending is not done here (`crate::app::operations`).

use chrono::Duration;

use crate::app::operations::Operations;
use crate::app::{Call, Error};
use crate::domain::identity::caller::{Caller, CredentialKind, Door, Origin, Scope};
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::{Operation, OperationKind};
use crate::store::Begun;

/// The actor in audit entries.
pub(in crate::app) const JANITOR: &str = "janitor";
/// How long after it accepted a delete the cloud may still show the cache before the delete is sent again.
const SEND_AGAIN_AFTER: Duration = Duration::minutes(5);
/// How many deletes to repeat in one pass.
const PASS: i64 = 32;

impl Operations {
    /// Whether a delete may be sent again: the previous one has ended long enough ago for lookups to show its effect.
    pub(in crate::app) async fn may_send_again(&self, cache: &ImageCache) -> Result<bool, Error> {
        let Some(last) = self.base.store().operation(Some(&cache.team), cache.operation).await? else {
            return Ok(false);
        };
        let lag = self.base.settings().rule.list_lag;
        Ok(last.finished_at.is_some_and(|ended| ended + lag <= self.base.now()))
    }

    /// Repeats deletes that the cloud accepted but did not carry out. Returns how many.
    pub(in crate::app) async fn send_deletes_again(&self) -> Result<usize, Error> {
        let mut begun = 0;
        for cache in self.base.store().undone_deletes(self.base.now() - SEND_AGAIN_AFTER, PASS).await? {
            let Some(last) = self.base.store().operation(Some(&cache.team), cache.operation).await? else { continue };
            if self.begin_own_delete(&cache, &last, "not_carried_out").await? {
                metrics::counter!("ecg_deletes_sent_again_total").increment(1);
                tracing::warn!(image_cache = %cache.id, "the cloud accepted a delete and still has the image cache: \
                                                         sending it again");
                begun += 1;
            }
        }
        Ok(begun)
    }

    /// Records a delete by the janitor, for the sake of `operation`. The next free worker carries it out. `false` if
    /// the row has changed.
    pub(in crate::app) async fn begin_own_delete(
        &self,
        cache: &ImageCache,
        operation: &Operation,
        reason: &str,
    ) -> Result<bool, Error> {
        let caller = Caller {
            team: cache.team.clone(),
            subject: format!("worker:{JANITOR}"),
            credential: operation.credential.clone().unwrap_or_default(),
            kind: CredentialKind::Own,
            scopes: vec![Scope::Write],
            expires_at: None,
            provenance: None,
        };
        let origin = Origin { door: Door::Worker, request_id: operation.request_id.clone(), address: None };
        let call = Call::new(origin, self.base.now());
        let spec = cache.spec.clone();
        let mut intent = self.intent(&caller, &call, OperationKind::Delete, cache, spec, &[], self.named_once(None));
        intent.audit.parameters.insert("reason".to_owned(), reason.to_owned());
        // Not held by anybody yet.
        intent.lease_seconds = 0.0;
        let begun = match self.base.store().begin_change(&intent, cache.version, None).await {
            Ok(begun) => begun != Begun::Moved,
            Err(error) if error.is_constraint("operations_one_running") => false,
            Err(error) if error.is_constraint("operations_one_waiting") => false,
            Err(error) => return Err(error.into()),
        };
        if begun {
            self.base.signals().operations.notify_one();
        }
        Ok(begun)
    }
}
