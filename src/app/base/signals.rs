//! Wake-ups within one process. They only save time, and nothing depends on them: workers also poll, and so does the
//! query for those who wait ([`event_hub`](crate::app::event_hub)).

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::app::event_hub::EventHub;
use crate::domain::ids::CacheId;

/// The signals of one process.
#[derive(Debug)]
pub struct Signals {
    /// Wakes the worker that resumes operations.
    pub operations: Notify,
    /// Wakes the tracker.
    pub tracker: Notify,
    event_hub: Arc<EventHub>,
    changed: broadcast::Sender<CacheId>,
}

impl Signals {
    pub(in crate::app) fn new(event_hub: Arc<EventHub>) -> Self {
        let (changed, _) = broadcast::channel(1_024);
        Self { operations: Notify::new(), tracker: Notify::new(), event_hub, changed }
    }

    /// Tells waiting requests that a cache has changed. (Its deliveries are dispatched with the commit:
    /// `store::Dispatch`.)
    pub(in crate::app) fn cache_changed(&self, id: CacheId) {
        // Nobody may be waiting.
        let _waiting = self.changed.send(id);
        self.event_hub.wake();
    }

    /// Receives every change from now on. Subscribe before the first read.
    pub(in crate::app) fn subscribe(&self) -> broadcast::Receiver<CacheId> {
        self.changed.subscribe()
    }
}
