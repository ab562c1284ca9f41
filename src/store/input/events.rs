//! An event to be told, and what it is about.

use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{EndpointId, EventId};
use crate::domain::image_cache::ImageCache;
use crate::store::dispatch::Dispatch;

/// What stands in the place of the team of an event that is told to no team: no team's id.
pub(in crate::store) const NOBODYS: &str = "*";

/// An event to be told.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id: the `webhook-id`.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// Makes it happen once.
    pub dedupe_key: String,
    /// The exact bytes that are signed.
    pub body: String,
    /// When.
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
    /// What the platform changed for everybody, told to this team, or to none.
    Platform(Option<&'a TeamId>),
}

impl About<'_> {
    /// Whose it is.
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
