//! Removals that the gateway begins by itself: of what nobody was told of, and once more of what the cloud has accepted
//! to remove and still has.
//!
//! What must stay true: such a removal is an operation like any other, with its audit entry; the cloud has had time to
//! carry the one before out.
//!
//! Who calls it: the janitor, and deletes that are repeated. What it does not do: send (`crate::app::operations`).

use chrono::Duration;

use crate::app::operations::Operations;
use crate::app::{Call, Error};
use crate::domain::identity::caller::{Caller, CredentialKind, Door, Origin, Scope};
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::{Operation, OperationKind};
use crate::store::Begun;

/// Who does it, in audit entries.
pub(in crate::app) const JANITOR: &str = "janitor";
/// A cache that the cloud still shows so long after it accepted the delete is asked to be removed again.
const SEND_AGAIN_AFTER: Duration = Duration::minutes(5);
/// So many in one pass.
const PASS: i64 = 32;

impl Operations {
    /// Whether a delete may be sent once more: the one before has ended, so long ago that looks show what came of it.
    pub(in crate::app) async fn may_send_again(&self, cache: &ImageCache) -> Result<bool, Error> {
        let Some(last) = self.base.store().operation(Some(&cache.team), cache.operation).await? else {
            return Ok(false);
        };
        let lag = self.base.settings().rule.list_lag;
        Ok(last.finished_at.is_some_and(|ended| ended + lag <= self.base.now()))
    }

    /// Sends deletes again that the cloud has accepted and not carried out. Returns how many.
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

    /// Records a delete as the janitor's own, for the sake of `operation`; whichever worker comes first carries it out.
    /// `false`: the row has moved on.
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
        let mut intent = self.intent(&caller, &call, OperationKind::Delete, cache, spec, &[], None);
        intent.audit.parameters.insert("reason".to_owned(), reason.to_owned());
        // In nobody's hands.
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
