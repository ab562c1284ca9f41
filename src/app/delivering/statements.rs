//! What the deliverer's longer chores ask of the database: recording with what follows from it, and the sign of life.
//!
//! Who calls it: [`super::chores`], and whoever cleans up after dead workers. What it does not do: decide when.

use uuid::Uuid;

use crate::app::{Error, Gateway};
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::store::Finished;

/// What a sign of life found.
pub(super) struct Beat {
    /// Whether the worker is alive to the others.
    pub(super) alive: bool,
    /// Endpoints that are not as they were when something for them was taken in hand.
    pub(super) changed: Vec<EndpointId>,
}

impl Gateway {
    /// Records how attempts ended, and does what follows for endpoints that fail.
    pub(super) async fn record(&self, finished: &[Finished]) -> Result<(), Error> {
        let ailing = self.store().finish_deliveries(self.now(), finished).await?;
        for endpoint in &ailing {
            // Recorded is recorded: what cannot be told now is told with the next failure.
            if let Err(error) = self.tell_of_ailing(endpoint).await {
                tracing::warn!(endpoint = %endpoint.endpoint, error = &error as &dyn std::error::Error, "a failing endpoint was not told of");
            }
        }
        Ok(())
    }

    pub(super) async fn beat_deliverer(
        &self,
        worker: Uuid,
        known: &[DeliveryId],
        endpoints: &[(Uuid, i64)],
    ) -> Result<Beat, Error> {
        let store = self.store();
        if !store.renew_worker(worker, self.settings().deliverer_lease.as_secs_f64()).await? {
            return Ok(Beat { alive: false, changed: Vec::new() });
        }
        let found = self.reclaim_deliveries().await? + store.give_back_unknown(worker, known).await?;
        if found > 0 {
            self.outlet().look.notify_one();
        }
        let changed = if endpoints.is_empty() { Vec::new() } else { store.changed_endpoints(endpoints).await? };
        Ok(Beat { alive: true, changed: changed.into_iter().map(Into::into).collect() })
    }

    /// Returns what dead workers held to the queue.
    pub async fn reclaim_deliveries(&self) -> Result<u64, Error> {
        Ok(self.store().reclaim_deliveries(self.now()).await?)
    }
}
