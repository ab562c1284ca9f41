//! A new event, and what it is about.

use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{EndpointId, EventId};
use crate::domain::image_cache::ImageCache;
use crate::store::dispatch::Dispatch;

/// Stands for the team of an event that belongs to no team; it cannot be a team's id.
pub(in crate::store) const NOBODYS: &str = "*";

/// A new event.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, sent as `webhook-id`.
    pub id: EventId,
    /// The event's type.
    pub kind: EventType,
    /// The deduplication key: a second event with the same key is not written.
    pub dedupe_key: String,
    /// The exact bytes of the body, which are signed.
    pub body: String,
    /// When it happened.
    pub at: Instant,
    /// Where its deliveries go once they are committed.
    pub dispatch: Dispatch,
}

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum About<'a> {
    /// An image cache.
    Cache(&'a ImageCache),
    /// A webhook endpoint of the team.
    Endpoint(&'a TeamId, EndpointId),
    /// A change by the platform for everybody, as an event of this team, or of none.
    Platform(Option<&'a TeamId>),
}

impl About<'_> {
    /// The team that the event belongs to.
    pub(in crate::store) fn team(&self) -> &str {
        match self {
            Self::Cache(cache) => cache.team.as_str(),
            Self::Endpoint(team, _) | Self::Platform(Some(team)) => team.as_str(),
            Self::Platform(None) => NOBODYS,
        }
    }

    /// The image cache, if it is about one.
    pub(in crate::store) fn cache(&self) -> Option<&ImageCache> {
        match self {
            Self::Cache(cache) => Some(cache),
            Self::Endpoint(..) | Self::Platform(..) => None,
        }
    }

    /// The endpoint, if it is about one.
    pub(in crate::store) fn endpoint(&self) -> Option<EndpointId> {
        if let Self::Endpoint(_, endpoint) = self { Some(*endpoint) } else { None }
    }
}
