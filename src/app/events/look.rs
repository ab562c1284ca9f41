//! The shared query: a task that lives as long as anyone waits.
//!
//! It queries at once when this process has committed something, and again soon after, because an event is held back
//! while an older transaction is running; then less and less often. It never uses more than about a tenth of one
//! connection.

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

/// The shortest pause between two queries.
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// The longest pause between two queries: changes of other gateways send no signal here.
pub(in crate::app) const LONGEST_REST: Duration = Duration::from_millis(100);
/// The pause after a query that failed.
const REST_AFTER_FAULT: Duration = Duration::from_secs(1);
/// The pause after a query is at least this many times as long as the query took.
const REST_FOR_WORK: u32 = 10;
/// The most events of one team in one query.
const EVENTS: usize = 100;

/// Marks that nobody is querying any more if the task panics.
struct LookGuard(Events);

impl Drop for LookGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.hub.looks_no_more();
        }
    }
}

impl Events {
    /// The number of requests and streams that wait at this gateway.
    pub fn waiting(&self) -> usize {
        self.hub.waiting()
    }

    /// Subscribes to every event of the team from `read_to` on. `None` if the feed is already past that position; read
    /// what is in between first.
    pub(in crate::app) fn join_feed(
        &self,
        team: &TeamId,
        read_to: FeedPosition,
    ) -> Option<broadcast::Receiver<Arc<HubEvent>>> {
        let receiver = self.hub.join_feed(team, read_to);
        self.begin_looking();
        receiver
    }

    /// Subscribes to every change of the image cache after `version`.
    pub(in crate::app) fn join_cache(&self, id: CacheId, version: i64) -> watch::Receiver<Option<Arc<ImageCache>>> {
        let receiver = self.hub.join_cache(id, version);
        self.begin_looking();
        receiver
    }

    /// Starts the task if there is something to wait for and it is not running.
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

    /// One query for everything that is waited for. `false`: nobody waits, so the task ends.
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
