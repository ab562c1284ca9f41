//! The database work of the deliverer's longer statements: recording outcomes with what follows from them, and the
//! heartbeat.
//!
//! [`super::chores`] calls it, and so does whoever cleans up after dead workers. It does not decide when.

use uuid::Uuid;

use crate::app::Error;
use crate::app::webhooks::Webhooks;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::store::Finished;

/// The result of a heartbeat.
pub(super) struct Beat {
    /// Whether the other workers consider this worker alive.
    pub(super) alive: bool,
}

impl Webhooks {
    /// Records how attempts ended, and does what follows for endpoints that fail.
    pub(super) async fn record(&self, finished: &[Finished]) -> Result<(), Error> {
        let ailing = self.base.store().finish_deliveries(self.base.now(), finished).await?;
        for endpoint in &ailing {
            // The outcomes are recorded already: an alert that cannot be sent now is sent with the next failure.
            if let Err(error) = self.tell_of_ailing(endpoint).await {
                tracing::warn!(endpoint = %endpoint.endpoint, error = &error as &dyn std::error::Error, "could not \
                    report a failing endpoint");
            }
        }
        Ok(())
    }

    pub(super) async fn beat_deliverer(&self, worker: Uuid, known: &[DeliveryId]) -> Result<Beat, Error> {
        let store = self.base.store();
        if !store.renew_worker(worker, self.base.settings().deliverer_lease.as_secs_f64()).await? {
            return Ok(Beat { alive: false });
        }
        let found = self.reclaim_deliveries().await? + store.give_back_unknown(worker, known).await?;
        if found > 0 {
            self.base.outlet().look.notify_one();
        }
        Ok(Beat { alive: true })
    }

    /// The endpoints that somebody changed since the revision that is known here, with their newest revision.
    pub(super) async fn compare_endpoints(&self, known: &[(EndpointId, i64)]) -> Result<Vec<(EndpointId, i64)>, Error> {
        Ok(self.base.store().changed_endpoints(known).await?)
    }

    /// Returns the deliveries of dead workers to the queue.
    pub async fn reclaim_deliveries(&self) -> Result<u64, Error> {
        Ok(self.base.store().reclaim_deliveries(self.base.now()).await?)
    }
}
