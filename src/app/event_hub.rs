//! Lets everybody who waits in this process share one database query.
//!
//! A waiter joins here with what it has read so far: a team's feed up to a position, or an image cache at a version.
//! While anyone is waiting, [`look`](super::events::look) asks the database what is new, for all of them in two small
//! statements, and passes it on in memory. So ten thousand waiters cost what one costs, and none of them holds a
//! connection. A commit in this process triggers the query at once; another gateway's commit is seen within
//! [`LONGEST_REST`](super::events::look::LONGEST_REST).
//!
//! What must stay true: nothing is lost between what a waiter has read and what it receives here. A waiter may join a
//! feed only if the feed's position is not past the waiter's own; otherwise it reads the database again. A cache is
//! passed on if its version is higher than the lowest version that any waiter joined with. A waiter that falls too far
//! behind loses its subscription but no events: it reads the database again.
//!
//! Why not NOTIFY: inside the transaction of a change it cut the commit rate to a fifth. Sent after the transaction it
//! can be lost if the process dies, so polling is needed anyway. It also needs a connection that a pooler cannot share.
//!
//! The waiting reads of [`wait`](super::image_caches::wait), [`feed`](super::events::feed),
//! [`stream`](super::events::stream) and [`gate`](super::image_caches::gate) call it.

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

/// How many events per team are buffered for waiters that have not received them yet.
const KEPT: usize = 256;

/// An event on its way to the waiters, parsed and rendered once for all of them.
#[derive(Debug)]
pub(in crate::app) struct HubEvent {
    /// Its position in the feed.
    pub(in crate::app) place: FeedPosition,
    /// The name of its type.
    kind: String,
    cache: Option<CacheId>,
    /// The event as the feed returns it.
    pub(in crate::app) view: EventView,
    /// The same, as JSON.
    pub(in crate::app) json: String,
}

impl HubEvent {
    /// Renders a stored event; `None` if this version does not know the format of its body.
    pub(in crate::app) fn new(event: StoredEvent) -> Option<Self> {
        let body: EventBody = event.unless_unreadable(EventBody::from_stored(&event.body))?;
        let view = EventView { id: event.id.to_string(), body: body.without_url() };
        let json = event.unless_unreadable(serde_json::to_string(&view))?;
        Some(Self { place: event.place, kind: event.kind, cache: event.cache, view, json })
    }

    /// Whether the event matches the filter.
    pub(in crate::app) fn passes(&self, filter: &EventFilter) -> bool {
        let cache = filter.cache.is_none_or(|cache| self.cache == Some(cache));
        let platform = filter.platform || !self.kind.starts_with(PLATFORM);
        cache && platform && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind.as_str() == self.kind))
    }
}

/// Which feeds and image caches are waited for, and by whom.
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
    /// Everything before this position has been passed on.
    place: FeedPosition,
    told: broadcast::Sender<Arc<HubEvent>>,
}

#[derive(Debug)]
struct WatchedCache {
    /// The lowest version that any waiter has.
    version: i64,
    news: watch::Sender<Option<Arc<ImageCache>>>,
}

impl EventHub {
    /// Triggers the next query at once, because something was committed in this process.
    pub(in crate::app) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until something is committed in this process.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The number of waiters.
    pub(super) fn waiting(&self) -> usize {
        let state = self.state();
        let feeds = state.feeds.values().map(|feed| feed.told.receiver_count());
        feeds.chain(state.caches.values().map(|watched| watched.news.receiver_count())).sum()
    }

    /// Subscribes to every event of the team from `read_to` on. `None` if the feed is already past that position.
    pub(super) fn join_feed(&self, team: &TeamId, read_to: FeedPosition) -> Option<broadcast::Receiver<Arc<HubEvent>>> {
        let mut state = self.state();
        let fresh = || Feed { place: read_to, told: broadcast::Sender::new(KEPT) };
        let feed = state.feeds.entry(team.clone()).or_insert_with(fresh);
        (feed.place <= read_to).then(|| feed.told.subscribe())
    }

    /// Subscribes to every change of the image cache after `version`.
    pub(super) fn join_cache(&self, id: CacheId, version: i64) -> watch::Receiver<Option<Arc<ImageCache>>> {
        let mut state = self.state();
        let fresh = || WatchedCache { version, news: watch::Sender::new(None) };
        let watched = state.caches.entry(id).or_insert_with(fresh);
        watched.version = watched.version.min(version);
        watched.news.subscribe()
    }

    /// Whether the caller should start querying, because nobody else does.
    pub(super) fn start_looking(&self) -> bool {
        !std::mem::replace(&mut self.state().looking, true)
    }

    /// Marks that nobody is querying any more.
    pub(super) fn looks_no_more(&self) {
        self.state().looking = false;
    }

    /// What to query for. If there is nothing, marks that nobody is querying any more.
    pub(super) fn wanted(&self) -> HubQuery {
        let mut state = self.state();
        let wanted = state.wanted();
        state.looking = !wanted.is_empty();
        wanted
    }

    /// Passes new events on to the waiters of a feed.
    pub(super) fn tell(&self, team: &TeamId, stretch: Stretch) {
        self.state().tell(team, stretch);
    }

    /// Passes changed image caches on to their waiters.
    pub(super) fn show(&self, caches: Vec<ImageCache>) {
        let mut state = self.state();
        for cache in caches {
            state.show(cache);
        }
    }

    fn state(&self) -> MutexGuard<'_, HubState> {
        // Nothing panics while the lock is held, and no entry depends on another.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubState {
    /// What to query for. Drops everything that nobody waits for any more.
    fn wanted(&mut self) -> HubQuery {
        self.feeds.retain(|_, feed| feed.told.receiver_count() > 0);
        self.caches.retain(|_, watched| watched.news.receiver_count() > 0);
        HubQuery {
            feeds: self.feeds.iter().map(|(team, feed)| (team.clone(), feed.place)).collect(),
            caches: self.caches.iter().map(|(id, watched)| (*id, watched.version)).collect(),
        }
    }

    /// Passes one stretch of a feed on.
    fn tell(&mut self, team: &TeamId, stretch: Stretch) {
        if !stretch.known {
            // The database was restored from an earlier state: the waiters read it again and find that out.
            self.feeds.remove(team);
            return;
        }
        let Some(feed) = self.feeds.get_mut(team) else { return };
        for told in stretch.events.into_iter().filter_map(HubEvent::new) {
            // There may be no waiters left.
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

/// What one query asks for.
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
