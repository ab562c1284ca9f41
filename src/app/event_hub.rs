//! What everybody who waits in this process has in common: one look at the database for all of them.
//!
//! Who waits joins here with what they have read: a team's feed up to a place, or an image cache in a version. While
//! anyone does, [`look`](super::events::look) asks the database what came after, all of it in two small statements, and
//! hands it around in memory. So ten thousand waiters cost what one costs, and none holds a connection. A commit of
//! this process makes the look at once; another gateway's is seen within
//! [`LONGEST_REST`](super::events::look::LONGEST_REST).
//!
//! What must stay true: nothing is missed between what the waiter read and what it is handed. A feed is handed on from
//! a place that is not behind the waiter's own, else the waiter reads again; a cache is handed on if its version is
//! higher than that of any who joined. A waiter who takes too long to take loses its place here, not events: it reads
//! the database again.
//!
//! Why not NOTIFY: inside the transaction of a change it cut the commit rate to a fifth, after it it can be lost with
//! the process, so a look is needed all the same; and it needs a connection that a pooler cannot share.
//!
//! Who calls it: the waiting reads of [`wait`](super::image_caches::wait), [`feed`](super::events::feed),
//! [`stream`](super::events::stream) and [`gate`](super::image_caches::gate).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use super::view::{EventBody, EventView};
use crate::domain::event::PLATFORM;
use crate::domain::filter::EventFilter;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::store::{FeedPosition, StoredEvent, Stretch};

/// Events of a team that are kept for waiters who have not taken them yet.
const KEPT: usize = 256;

/// An event on its way to those who wait, read and rendered once.
#[derive(Debug)]
pub(in crate::app) struct HubEvent {
    /// Its place in the feed.
    pub(in crate::app) place: FeedPosition,
    /// Its type, in a word.
    kind: String,
    cache: Option<CacheId>,
    /// As the feed shows it.
    pub(in crate::app) view: EventView,
    /// The same as JSON.
    pub(in crate::app) json: String,
}

impl HubEvent {
    /// The event as it is shown; none where its body is of a form that this version does not know.
    pub(in crate::app) fn new(event: StoredEvent) -> Option<Self> {
        let body: EventBody = event.unless_unreadable(serde_json::from_str(&event.body))?;
        let view = EventView { id: event.id.to_string(), body: body.without_url() };
        let json = event.unless_unreadable(serde_json::to_string(&view))?;
        Some(Self { place: event.place, kind: event.kind, cache: event.cache, view, json })
    }

    /// Whether somebody who asks for this wants it.
    pub(in crate::app) fn passes(&self, filter: &EventFilter) -> bool {
        let cache = filter.cache.is_none_or(|cache| self.cache == Some(cache));
        let platform = filter.platform || !self.kind.starts_with(PLATFORM);
        cache && platform && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind.as_str() == self.kind))
    }
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(in crate::app) struct EventHub {
    state: Mutex<HubState>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct HubState {
    looking: bool,
    feeds: HashMap<TeamId, Feed>,
    caches: HashMap<CacheId, WatchedCache>,
}

#[derive(Debug)]
struct Feed {
    /// Everything before it was handed on.
    place: FeedPosition,
    told: broadcast::Sender<Arc<HubEvent>>,
}

#[derive(Debug)]
struct WatchedCache {
    /// The lowest version that anyone knows.
    version: i64,
    news: watch::Sender<Option<Arc<ImageCache>>>,
}

impl EventHub {
    /// Something was committed in this process: look now.
    pub(in crate::app) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends once something was committed in this process.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let state = self.state();
        let feeds = state.feeds.values().map(|feed| feed.told.receiver_count());
        feeds.chain(state.caches.values().map(|watched| watched.news.receiver_count())).sum()
    }

    /// Hears of every event of the team from `read_to` on. None: the feed is handed on from a later place.
    pub(super) fn join_feed(&self, team: &TeamId, read_to: FeedPosition) -> Option<broadcast::Receiver<Arc<HubEvent>>> {
        let mut state = self.state();
        let fresh = || Feed { place: read_to, told: broadcast::Sender::new(KEPT) };
        let feed = state.feeds.entry(team.clone()).or_insert_with(fresh);
        (feed.place <= read_to).then(|| feed.told.subscribe())
    }

    /// Hears of every change of the image cache after the version in which it is known.
    pub(super) fn join_cache(&self, id: CacheId, version: i64) -> watch::Receiver<Option<Arc<ImageCache>>> {
        let mut state = self.state();
        let fresh = || WatchedCache { version, news: watch::Sender::new(None) };
        let watched = state.caches.entry(id).or_insert_with(fresh);
        watched.version = watched.version.min(version);
        watched.news.subscribe()
    }

    /// Whether the one who asks is to look from now on: nobody does.
    pub(super) fn start_looking(&self) -> bool {
        !std::mem::replace(&mut self.state().looking, true)
    }

    /// Nobody looks any more.
    pub(super) fn looks_no_more(&self) {
        self.state().looking = false;
    }

    /// What to look for; where there is nothing, nobody looks any more.
    pub(super) fn wanted(&self) -> HubQuery {
        let mut state = self.state();
        let wanted = state.wanted();
        state.looking = !wanted.is_empty();
        wanted
    }

    /// Hands on what a feed has.
    pub(super) fn tell(&self, team: &TeamId, stretch: Stretch) {
        self.state().tell(team, stretch);
    }

    /// Hands on image caches that have changed.
    pub(super) fn show(&self, caches: Vec<ImageCache>) {
        let mut state = self.state();
        for cache in caches {
            state.show(cache);
        }
    }

    fn state(&self) -> MutexGuard<'_, HubState> {
        // Nothing panics while it is held, and every entry stands for itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubState {
    /// What to look for. Whom nobody waits for any more is forgotten.
    fn wanted(&mut self) -> HubQuery {
        self.feeds.retain(|_, feed| feed.told.receiver_count() > 0);
        self.caches.retain(|_, watched| watched.news.receiver_count() > 0);
        HubQuery {
            feeds: self.feeds.iter().map(|(team, feed)| (team.clone(), feed.place)).collect(),
            caches: self.caches.iter().map(|(id, watched)| (*id, watched.version)).collect(),
        }
    }

    /// Hands a stretch on.
    fn tell(&mut self, team: &TeamId, stretch: Stretch) {
        if !stretch.known {
            // The database was restored from an earlier state: who waits reads it again, and is told.
            self.feeds.remove(team);
            return;
        }
        let Some(feed) = self.feeds.get_mut(team) else { return };
        for told in stretch.events.into_iter().filter_map(HubEvent::new) {
            // Nobody may be waiting any more.
            drop(feed.told.send(Arc::new(told)));
        }
        feed.place = stretch.read_to;
    }

    fn show(&mut self, cache: ImageCache) {
        let Some(watched) = self.caches.get_mut(&cache.id) else { return };
        watched.version = cache.version;
        watched.news.send_replace(Some(Arc::new(cache)));
    }
}

/// What one look asks for.
pub(super) struct HubQuery {
    pub(super) feeds: Vec<(TeamId, FeedPosition)>,
    pub(super) caches: Vec<(CacheId, i64)>,
}

impl HubQuery {
    pub(super) fn is_empty(&self) -> bool {
        self.feeds.is_empty() && self.caches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let mut state = HubState::default();
        let feed = Feed { place: FeedPosition::BEGINNING, told: broadcast::Sender::new(1) };
        let receiver = feed.told.subscribe();
        state.feeds.insert("web".parse().unwrap(), feed);
        assert_eq!(state.wanted().feeds.len(), 1);
        drop(receiver);
        assert!(state.wanted().is_empty());
    }
}
