//! Events as they happen, as one long answer: for the team, or for one image cache.
//!
//! What must stay true: the consumer pulls, so nothing is buffered for a slow one; a consumer that falls behind reads
//! the database again from its own position. A stream ends when its credential expires or is revoked, when this process
//! stops, and when the database cannot be read; a client that reconnects with the last id loses nothing. The number of
//! streams per team is limited.
//!
//! The REST API's server-sent events use it. It receives events through [`event_hub`](crate::app::event_hub).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::Receiver;
use tokio::time::{Duration, timeout};

use super::feed::{Cursors, check_kept};
use crate::app::event_hub::HubEvent;
use crate::app::events::Events;
use crate::app::identity::authentication::CredentialWatch;
use crate::app::{Error, access};
use crate::domain::filter::EventFilter;
use crate::domain::identity::caller::{Caller, Scope, TeamId};
use crate::domain::ids::CacheId;
use crate::domain::problem::Code;
use crate::store::FeedPosition;

/// How many events to read from the database at once.
const EVENTS: usize = 100;

/// An event with the cursor that continues after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// The cursor, which clients send back as `Last-Event-ID`.
    pub cursor: String,
    /// The name of its type.
    pub kind: String,
    /// The event as the feed returns it, as JSON without line breaks.
    pub json: String,
}

/// One item of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// The start of the stream: a cursor to reconnect with if nothing happens before.
    Begun(String),
    /// Events, oldest first; never empty.
    Events(Vec<Streamed>),
    /// Nothing happened for a while: send a heartbeat.
    Quiet,
}

/// A stream of events. Dropping it ends it.
#[derive(Debug)]
pub struct EventStream {
    events: Events,
    caller: Caller,
    credential_watch: CredentialWatch,
    filter: EventFilter,
    place: FeedPosition,
    begun: bool,
    news: Option<Receiver<Arc<HubEvent>>>,
    _slot: StreamSlot,
}

/// How many streams each team has open.
#[derive(Debug, Default)]
pub(in crate::app) struct Streams(Mutex<HashMap<TeamId, usize>>);

/// One open stream of a team; given back when dropped.
#[derive(Debug)]
struct StreamSlot {
    events: Events,
    team: TeamId,
}

impl Events {
    /// The team's events after `cursor`; without one, those that happen from now on.
    pub async fn stream_events(
        &self,
        caller: &Caller,
        filter: EventFilter,
        cursor: Option<&str>,
    ) -> Result<EventStream, Error> {
        access::check(caller, "stream_events")?;
        let place = match cursor {
            Some(cursor) => Cursors::of(self, caller).read(Some(cursor))?,
            None => self.base.store().feed_end().await?,
        };
        self.open_stream(caller, filter, place).await
    }

    /// The events of one image cache after `cursor`; without one, all of them, so that a late client misses nothing.
    pub async fn stream_image_cache_events(
        &self,
        caller: &Caller,
        id: CacheId,
        cursor: Option<&str>,
    ) -> Result<EventStream, Error> {
        access::check(caller, "stream_image_cache_events")?;
        self.check_image_cache(caller, id).await?;
        let place = Cursors::of(self, caller).read(cursor)?;
        self.open_stream(caller, EventFilter { cache: Some(id), ..EventFilter::default() }, place).await
    }

    async fn open_stream(
        &self,
        caller: &Caller,
        filter: EventFilter,
        place: FeedPosition,
    ) -> Result<EventStream, Error> {
        let filter = EventFilter { platform: caller.may(Scope::PlatformSecurity), ..filter };
        if place != FeedPosition::BEGINNING {
            check_kept(place, &self.base.store().events(&caller.team, &filter, place, 1).await?)?;
        }
        let slot = self.take_slot(&caller.team)?;
        let (events, caller, credential_watch) =
            (self.clone(), caller.clone(), CredentialWatch::over(&self.identity, caller));
        Ok(EventStream { events, caller, credential_watch, filter, place, begun: false, news: None, _slot: slot })
    }

    fn take_slot(&self, team: &TeamId) -> Result<StreamSlot, Error> {
        let mut streams = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(team.clone()).or_default();
        if *open >= self.base.settings().streams_per_team {
            let detail = "the team has reached its limit of open event streams on this gateway";
            return Err(Error::TooMany { code: Code::TooManyStreams, detail, retry_after_seconds: 30 });
        }
        *open += 1;
        Ok(StreamSlot { events: self.clone(), team: team.clone() })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut streams = self.events.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.team) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.team);
            }
        }
    }
}

impl EventStream {
    /// The next item; `None` once the stream has ended. Cancel-safe: an event that was not returned is returned later.
    pub async fn next(&mut self) -> Option<StreamItem> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(StreamItem::Begun(self.cursors().write(self.place)));
        }
        loop {
            if self.events.base.leaving().is_cancelled() || !self.credential_watch.holds().await {
                return None;
            }
            let pulse = match self.news.take() {
                Some(news) => self.hear(news).await,
                None => self.read().await?,
            };
            if pulse.is_some() {
                return pulse;
            }
        }
    }

    /// Reads the next page from the database. After the last page, subscribes to new events.
    async fn read(&mut self) -> Option<Option<StreamItem>> {
        let found = self.events.base.store().events(&self.caller.team, &self.filter, self.place, EVENTS).await;
        let stretch = found
            .inspect_err(|error| tracing::warn!(error = error as &dyn std::error::Error, "an event stream ends"))
            .ok()?;
        if !stretch.more {
            self.news = self.events.join_feed(&self.caller.team, stretch.read_to);
        }
        let told: Vec<HubEvent> = stretch.events.into_iter().filter_map(HubEvent::new).collect();
        self.place = stretch.read_to;
        let events: Vec<Streamed> = told.iter().map(|told| self.streamed(told)).collect();
        Some((!events.is_empty()).then_some(StreamItem::Events(events)))
    }

    /// The next event from the subscription, or a heartbeat. `None`: check again what has changed.
    async fn hear(&mut self, mut news: Receiver<Arc<HubEvent>>) -> Option<StreamItem> {
        let leaving = self.events.base.leaving().clone();
        let hearing = self.credential_watch.with(timeout(self.max_wait(), news.recv()));
        let heard = leaving.run_until_cancelled(hearing).await??;
        let pulse = match heard {
            Ok(Ok(told)) if told.place > self.place => {
                self.place = told.place;
                told.passes(&self.filter).then(|| StreamItem::Events(vec![self.streamed(&told)]))
            }
            Ok(Ok(_known)) => None,
            // We fell behind: read what was missed from the database.
            Ok(Err(_lagged)) => return None,
            Err(_quiet) => (!self.has_expired()).then_some(StreamItem::Quiet),
        };
        self.news = Some(news);
        pulse
    }

    /// The time until the next heartbeat, or until the credential expires.
    fn max_wait(&self) -> Duration {
        let beat = self.events.base.settings().stream_heartbeat;
        let left = self.caller.expires_at.map(|end| (end - self.events.base.now()).to_std().unwrap_or_default());
        left.map_or(beat, |left| left.min(beat))
    }

    fn has_expired(&self) -> bool {
        self.caller.expires_at.is_some_and(|end| end <= self.events.base.now())
    }

    fn streamed(&self, told: &HubEvent) -> Streamed {
        let kind = told.view.body.kind.clone();
        Streamed { cursor: self.cursors().write(told.place), kind, json: told.json.clone() }
    }

    fn cursors(&self) -> Cursors<'_> {
        Cursors::of(&self.events, &self.caller)
    }
}
