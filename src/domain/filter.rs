//! The filters and pages of lists.

use super::clock::Instant;
use super::event::EventType;
use super::identity::caller::TeamId;
use super::ids::{CacheId, EndpointId};
use super::image_cache::status::Status;
use super::region::Region;

/// Which page of a list, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The most items on the page: 1 to 100.
    pub limit: u32,
    /// The opaque cursor from the previous page; none for the first page.
    pub cursor: Option<String>,
}

impl Page {
    /// Items on a page if the request does not say.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// Most items on a page.
    pub const MAX_LIMIT: u32 = 100;
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; none at the end.
    pub next_cursor: Option<String>,
}

/// Selects image caches. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheFilter {
    /// Any of these; empty means all but the final ones (deleted, expired, evicted, lost).
    pub statuses: Vec<Status>,
    /// Only those in any of these regions; empty means all.
    pub regions: Vec<Region>,
    /// Only those with exactly this name.
    pub name: Option<String>,
    /// Only image caches that contain exactly any of these images; empty means all.
    pub images: Vec<String>,
    /// Only those in any of these cloud accounts; empty means all.
    pub accounts: Vec<String>,
    /// Only the image cache with this cloud id.
    pub eci_cache_id: Option<String>,
    /// Only those whose standard snapshot has this id.
    pub snapshot_id: Option<String>,
    /// Only those in this resource group.
    pub resource_group_id: Option<String>,
    /// Only those with all of these tags: key, and value if one is given.
    pub tags: Vec<(String, Option<String>)>,
    /// Only image caches requested at or after this time.
    pub created_after: Option<Instant>,
    /// Only image caches requested before this time.
    pub created_before: Option<Instant>,
    /// Only image caches that expire at or after this time.
    pub expires_after: Option<Instant>,
    /// Only image caches that expire before this time.
    pub expires_before: Option<Instant>,
    /// Only those that no instance has used since: last matched before this time, or ready before it if never matched.
    pub idle_since: Option<Instant>,
    /// Only those with this text in the name or in an image, ignoring case.
    pub text: Option<String>,
    /// Only those that were changed outside the gateway, or only those that were not.
    pub drifted: Option<bool>,
}

/// Selects image caches as the cloud's DescribeImageCaches does. Every condition that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeFilter {
    /// Only those in this region.
    pub region: Region,
    /// Only the image cache with exactly this cloud id.
    pub eci_cache_id: Option<String>,
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those with this snapshot.
    pub snapshot_id: Option<String>,
    /// Only those that hold this image: a full reference, or a bare name such as `nginx`.
    pub image: Option<String>,
    /// Only those in this resource group.
    pub resource_group_id: Option<String>,
    /// Only those with all of these tags: key, and value if one is given.
    pub tags: Vec<(String, Option<String>)>,
    /// Only those that match these images, the best match first; 0 to 100 images.
    pub match_images: Vec<String>,
    /// Only with `match_images`: all of them must match exactly.
    pub image_full_match: bool,
    /// Only with `match_images`: the least number of them that must match exactly.
    pub image_match_count: Option<u32>,
    /// The most items on the page: 1 to 20.
    pub limit: u32,
    /// The token from the previous page.
    pub next_token: Option<String>,
}

/// Selects caches of the cloud that have no row here. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundFilter {
    /// Only those in this cloud account.
    pub account: Option<String>,
    /// Only those in this region.
    pub region: Option<Region>,
    /// Only those with exactly this name.
    pub name: Option<String>,
    /// Only those found at or after this time.
    pub found_after: Option<Instant>,
}

/// The filter of a list of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only deliveries to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only deliveries in this state.
    pub state: Option<super::webhooks::DeliveryState>,
    /// Only deliveries of this event.
    pub event: Option<super::ids::EventId>,
    /// Only deliveries of events of any of these types; empty means all.
    pub event_types: Vec<String>,
    /// Only deliveries of events that happened at or after this time.
    pub created_after: Option<Instant>,
    /// Only deliveries of events that happened before this time.
    pub created_before: Option<Instant>,
}

/// Selects events. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Any of these types; empty means all.
    pub kinds: Vec<EventType>,
    /// Only events about this image cache.
    pub cache: Option<CacheId>,
    /// Whether events of the platform are included.
    pub platform: bool,
}

/// Which teams' audit entries are wanted: one team's, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditReach {
    /// The entries of this team.
    Team(TeamId),
    /// The entries of every team, and those of no team.
    All,
}

impl AuditReach {
    /// Parses a team's id, or `*` for all.
    pub fn from_word(word: &str) -> Option<Self> {
        if word == "*" { Some(Self::All) } else { word.parse().ok().map(Self::Team) }
    }

    /// The team, if it is a single one.
    pub fn team(&self) -> Option<&TeamId> {
        match self {
            Self::Team(team) => Some(team),
            Self::All => None,
        }
    }
}

/// The filter of a list of audit entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose entries; none means the caller's own team.
    pub team: Option<AuditReach>,
    /// Only entries of actions by this subject.
    pub subject: Option<String>,
    /// Only entries with this action.
    pub action: Option<String>,
    /// Only entries about the resource with this id.
    pub resource: Option<String>,
    /// Only entries with this outcome.
    pub outcome: Option<super::audit::Outcome>,
    /// Only entries of the request with this id.
    pub request_id: Option<String>,
    /// Only entries written at or after this time.
    pub recorded_after: Option<Instant>,
    /// Only entries written before this time.
    pub recorded_before: Option<Instant>,
}
