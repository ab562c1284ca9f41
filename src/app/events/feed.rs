//! The team's events in the order in which they happened: page by page, and waiting for the next one.
//!
//! A cursor is a position in the feed and nothing else. So the same cursor works for every filter, for long polling and
//! for streams: a client that switches between them loses nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::app::cursor::{CursorList, unreadable};
use crate::app::event_hub::HubEvent;
use crate::app::events::Events;
use crate::app::events::wait_limit::WaitLimit;
use crate::app::input::FeedPage;
use crate::app::{Call, Error, access};
use crate::domain::filter::{EventFilter, Page};
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::ids::CacheId;
use crate::domain::problem::Code;
use crate::store::{FeedPosition, Stretch};

impl Events {
    /// The team's events after the page's cursor, oldest first. If there are none yet, waits at most `wait` for one.
    /// The answer always has a cursor that continues.
    pub async fn list_events(
        &self,
        caller: &Caller,
        call: &Call,
        filter: &EventFilter,
        page: &Page,
        wait: Duration,
    ) -> Result<FeedPage, Error> {
        access::check(caller, "list_events")?;
        let filter = &EventFilter { platform: caller.may(Scope::PlatformSecurity), ..filter.clone() };
        let cursors = Cursors::of(self, caller);
        let mut place = cursors.read(page.cursor.as_deref())?;
        let wait_limit = self.wait_limit(caller, call, wait)?;
        let limit = page.limit.clamp(1, Page::MAX_LIMIT) as usize;
        loop {
            let stretch = self.base.store().events(&caller.team, filter, place, limit).await?;
            check_kept(place, &stretch)?;
            if stretch.events.is_empty() && stretch.more {
                place = stretch.read_to;
                continue;
            }
            if !stretch.events.is_empty() || wait_limit.is_over() {
                return Ok(cursors.page(stretch));
            }
            place = stretch.read_to;
            let Some(told) = self.join_feed(&caller.team, place) else { continue };
            if let Some(page) = wait_for_events(told, filter, &mut place, limit, &wait_limit, &cursors).await {
                return Ok(page);
            }
        }
    }

    /// Refuses an id that is not an image cache of the team.
    pub(in crate::app) async fn check_image_cache(&self, caller: &Caller, id: CacheId) -> Result<(), Error> {
        let found = self.base.store().image_cache(&caller.team, id).await?;
        found.map(drop).ok_or(Error::NotFound("image cache"))
    }
}

/// Refuses a position if events after it were removed which a client at that position has not read. A client that
/// starts at the beginning gets what there is.
pub(in crate::app) fn check_kept(place: FeedPosition, stretch: &Stretch) -> Result<(), Error> {
    if !stretch.known {
        let detail = "this cursor is from a different database, or from a later state of this database than the \
                      backup that it was restored from; continue without a cursor, from the oldest event that is \
                      kept, and compare with the current image caches";
        return Err(Error::NoLongerKept { code: Code::EventsNoLongerKept, detail });
    }
    if place == FeedPosition::BEGINNING || place >= stretch.removed_to {
        return Ok(());
    }
    let detail = "events after this cursor are no longer kept; continue without a cursor, from the oldest event that \
                  is kept, and compare with the current image caches";
    Err(Error::NoLongerKept { code: Code::EventsNoLongerKept, detail })
}

/// The first new events after `place`, or none when the time is over. `None`: the caller has to read the database
/// again.
async fn wait_for_events(
    mut news: Receiver<Arc<HubEvent>>,
    filter: &EventFilter,
    place: &mut FeedPosition,
    limit: usize,
    wait_limit: &WaitLimit,
    cursors: &Cursors<'_>,
) -> Option<FeedPage> {
    let mut found: Vec<Arc<HubEvent>> = Vec::new();
    loop {
        let told = match wait_limit.with(news.recv()).await {
            Some(Ok(told)) => told,
            // Return what was already found: the position is after it.
            Some(Err(RecvError::Lagged(_) | RecvError::Closed)) if found.is_empty() => return None,
            Some(Err(_)) | None => return Some(cursors.page_of(&found, *place, false)),
        };
        if told.place <= *place {
            continue;
        }
        *place = told.place;
        if told.passes(filter) {
            found.push(told);
        }
        // Events that arrived together are returned together.
        if !found.is_empty() && (found.len() == limit || news.is_empty()) {
            return Some(cursors.page_of(&found, *place, !news.is_empty()));
        }
    }
}

/// The cursors of one team's feed.
pub(in crate::app) struct Cursors<'a>(CursorList<'a>);

impl<'a> Cursors<'a> {
    /// The cursors of the caller's team.
    pub(in crate::app) fn of(events: &'a Events, caller: &Caller) -> Self {
        Self(CursorList::new(&events.base, caller, "events", &()))
    }

    /// The position of a cursor; the beginning if there is none.
    pub(in crate::app) fn read(&self, cursor: Option<&str>) -> Result<FeedPosition, Error> {
        let Some(cursor) = cursor else { return Ok(FeedPosition::BEGINNING) };
        let page = Page { limit: Page::DEFAULT_LIMIT, cursor: Some(cursor.to_owned()) };
        let place = self.0.place(&page)?.ok_or_else(unreadable)?;
        parsed(&place).ok_or_else(unreadable)
    }

    /// The cursor of a position. In the database's first life it has two parts, which is the only form that older
    /// gateways can read: while one version replaces another, clients talk to both.
    pub(in crate::app) fn write(&self, place: FeedPosition) -> String {
        let FeedPosition { life, transaction, number } = place;
        let life = if life == 0 { String::new() } else { format!(" {life}") };
        self.0.write(&format!("{transaction} {number}{life}"))
    }

    fn page(&self, stretch: Stretch) -> FeedPage {
        let (has_more, next_cursor) = (stretch.more, self.write(stretch.read_to));
        let items = stretch.events.into_iter().filter_map(HubEvent::new).map(|told| told.view).collect();
        FeedPage { items, has_more, next_cursor }
    }

    fn page_of(&self, told: &[Arc<HubEvent>], place: FeedPosition, has_more: bool) -> FeedPage {
        let items = told.iter().map(|told| told.view.clone()).collect();
        FeedPage { items, has_more, next_cursor: self.write(place) }
    }
}

/// A position with two parts is from the first life.
fn parsed(place: &str) -> Option<FeedPosition> {
    let mut parts = place.split(' ');
    let (transaction, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let life = parts.next().map_or(Some(0), |life| life.parse().ok())?;
    parts.next().is_none().then_some(FeedPosition { life, transaction, number })
}
