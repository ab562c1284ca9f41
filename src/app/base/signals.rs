//! Wake-ups within one process. They save time and nothing rests on them: workers also look by interval,
//! and so does the look for those who wait ([`event_hub`](crate::app::event_hub)).

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::app::event_hub::EventHub;
use crate::domain::ids::CacheId;

/// Who can be woken.
#[derive(Debug)]
pub struct Signals {
    /// The worker that resumes operations.
    pub operations: Notify,
    /// The tracker.
    pub tracker: Notify,
    event_hub: Arc<EventHub>,
    changed: broadcast::Sender<CacheId>,
}

impl Signals {
    pub(in crate::app) fn new(event_hub: Arc<EventHub>) -> Self {
        let (changed, _) = broadcast::channel(1_024);
        Self { operations: Notify::new(), tracker: Notify::new(), event_hub, changed }
    }

    /// Tells waiting requests that a cache has changed. (Its deliveries find their way with the commit:
    /// `store::Dispatch`.)
    pub(in crate::app) fn cache_changed(&self, id: CacheId) {
        // Nobody may be waiting.
        let _waiting = self.changed.send(id);
        self.event_hub.wake();
    }

    /// Hears of every change from here on. Subscribe before you look.
    pub(in crate::app) fn subscribe(&self) -> broadcast::Receiver<CacheId> {
        self.changed.subscribe()
    }
}
