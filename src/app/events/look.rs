//! The look itself: a task that lives as long as anyone waits.
//!
//! It looks at once when this process has committed something, and again soon after, for an event is held back while
//! an older transaction runs; then less and less often. It never takes more than about a tenth of one connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Events;
use crate::app::Error;
use crate::app::event_hub::HubEvent;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::store::FeedPosition;

/// Between two looks, at the least.
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// Between two looks, at the most: another gateway's changes give no signal here.
pub(in crate::app) const LONGEST_REST: Duration = Duration::from_millis(100);
/// After a look that failed.
const REST_AFTER_FAULT: Duration = Duration::from_secs(1);
/// A look that took long is followed by a rest of as many times that.
const REST_FOR_WORK: u32 = 10;
/// Events of one team in one look.
const EVENTS: usize = 100;

/// Says that nobody looks any more, should the task end otherwise than by itself.
struct LookGuard(Events);

impl Drop for LookGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.hub.looks_no_more();
        }
    }
}

impl Events {
    /// How many requests and streams wait at this gateway.
    pub fn waiting(&self) -> usize {
        self.hub.waiting()
    }

    /// Hears of every event of the team from `read_to` on. None: the feed is handed on from a later place; read what is
    /// in between first.
    pub(in crate::app) fn join_feed(
        &self,
        team: &TeamId,
        read_to: FeedPosition,
    ) -> Option<broadcast::Receiver<Arc<HubEvent>>> {
        let receiver = self.hub.join_feed(team, read_to);
        self.begin_looking();
        receiver
    }

    /// Hears of every change of the image cache after the version in which it is known.
    pub(in crate::app) fn join_cache(&self, id: CacheId, version: i64) -> watch::Receiver<Option<Arc<ImageCache>>> {
        let receiver = self.hub.join_cache(id, version);
        self.begin_looking();
        receiver
    }

    /// Makes sure that somebody looks, once there is what for.
    fn begin_looking(&self) {
        if self.hub.start_looking() {
            let looking = LookGuard(self.clone());
            self.base.tasks().spawn(async move { looking.0.keep_looking().await });
        }
    }

    async fn keep_looking(&self) {
        let mut rest = SHORTEST_REST;
        while !self.base.leaving().is_cancelled() {
            let began = Instant::now();
            match self.base.supervised("event hub", self.look_for_all()).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "waiting requests receive no events for \
                        now"
                    );
                    rest = REST_AFTER_FAULT;
                }
            }
            let least = (began.elapsed() * REST_FOR_WORK).clamp(SHORTEST_REST, REST_AFTER_FAULT);
            sleep(least).await;
            let woken = async { self.base.leaving().run_until_cancelled(self.hub.woken()).await };
            rest = match timeout(rest.saturating_sub(least), woken).await {
                Ok(_woken) => SHORTEST_REST,
                Err(_) => (rest * 2).min(LONGEST_REST),
            };
        }
    }

    /// One look for everything that is waited for. `false`: nobody waits, and nobody looks any more.
    async fn look_for_all(&self) -> Result<bool, Error> {
        let wanted = self.hub.wanted();
        if wanted.is_empty() {
            return Ok(false);
        }
        metrics::counter!("ecg_looks_total").increment(1);
        metrics::gauge!("ecg_waiting").set(f64::from(u32::try_from(self.waiting()).unwrap_or(u32::MAX)));
        if !wanted.caches.is_empty() {
            self.hub.show(self.base.store().moved_caches(&wanted.caches).await?);
        }
        if !wanted.feeds.is_empty() {
            for (team, stretch) in self.base.store().feeds_after(&wanted.feeds, EVENTS).await? {
                self.hub.tell(&team, stretch);
            }
        }
        Ok(true)
    }
}
