//! Wake-ups within one process. They save time and nothing rests on them: workers also look by interval,
//! and so does the look for those who wait ([`super::news`]).

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use super::news::News;
use crate::domain::ids::CacheId;

/// Who can be woken.
#[derive(Debug)]
pub struct Signals {
    /// The worker that resumes operations.
    pub operations: Notify,
    /// The tracker.
    pub tracker: Notify,
    news: Arc<News>,
    changed: broadcast::Sender<CacheId>,
}

impl Signals {
    pub(super) fn new(news: Arc<News>) -> Self {
        let (changed, _) = broadcast::channel(1_024);
        Self { operations: Notify::new(), tracker: Notify::new(), news, changed }
    }

    /// Tells waiting requests that a cache has changed. (Its deliveries find their way with the commit: `store::HandOver`.)
    pub(super) fn cache_changed(&self, id: CacheId) {
        // Nobody may be waiting.
        let _waiting = self.changed.send(id);
        self.news.wake();
    }

    /// Hears of every change from here on. Subscribe before you look.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<CacheId> {
        self.changed.subscribe()
    }
}
