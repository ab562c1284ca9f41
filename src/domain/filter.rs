//! What lists are asked for.

use super::clock::Instant;
use super::event::EventType;
use super::identity::caller::TeamId;
use super::ids::{CacheId, EndpointId};
use super::image_cache::status::Status;
use super::region::Region;

/// How much of a list, and after what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// 1 to 100.
    pub limit: u32,
    /// The opaque text of the page before; none for the first page.
    pub cursor: Option<String>,
}

impl Page {
    /// Items on a page where nothing is asked.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// Most items on a page.
    pub const MAX_LIMIT: u32 = 100;
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What continues it; none at the end.
    pub next_cursor: Option<String>,
}

/// Which image caches. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheFilter {
    /// Any of these; empty means all but the final ones (deleted, expired, evicted, lost).
    pub statuses: Vec<Status>,
    /// Only those in this region.
    pub region: Option<Region>,
    /// Only those with exactly this name.
    pub name: Option<String>,
    /// Only image caches that contain exactly this image.
    pub image: Option<String>,
    /// Only those in this cloud account.
    pub account: Option<String>,
    /// Only the image cache with this cloud id.
    pub eci_cache_id: Option<String>,
    /// With the standard snapshot of this id.
    pub snapshot_id: Option<String>,
    /// Only those in this resource group.
    pub resource_group_id: Option<String>,
    /// With all of these tags: key, and value where one is given.
    pub tags: Vec<(String, Option<String>)>,
    /// Only image caches requested at or after this time.
    pub created_after: Option<Instant>,
    /// Only image caches requested before this time.
    pub created_before: Option<Instant>,
    /// Only image caches that expire at or after this time.
    pub expires_after: Option<Instant>,
    /// Only image caches that expire before this time.
    pub expires_before: Option<Instant>,
    /// Used by no instance since: last matched, or else ready, before.
    pub idle_since: Option<Instant>,
    /// With this text in the name or in an image, in any case.
    pub text: Option<String>,
    /// Changed past the gateway, or not.
    pub drifted: Option<bool>,
}

/// Which image caches, as the cloud's DescribeImageCaches asks. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeFilter {
    /// Only those in this region.
    pub region: Region,
    /// With the cloud's id, exactly.
    pub eci_cache_id: Option<String>,
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those with this snapshot.
    pub snapshot_id: Option<String>,
    /// Holding this image: a full reference, or a bare name such as `nginx`.
    pub image: Option<String>,
    /// Only those in this resource group.
    pub resource_group_id: Option<String>,
    /// With all of these tags: key, and value where one is given.
    pub tags: Vec<(String, Option<String>)>,
    /// Those that match these images best, best first; 0 to 100.
    pub match_images: Vec<String>,
    /// Only with `match_images`: all of them must match exactly.
    pub image_full_match: bool,
    /// Only with `match_images`: the least number of them that must match exactly.
    pub image_match_count: Option<u32>,
    /// 1 to 20.
    pub limit: u32,
    /// What the page before answered.
    pub next_token: Option<String>,
}

/// Which caches of the cloud that no row knows. Everything given must hold.
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
    /// Only deliveries of events of this type.
    pub event_type: Option<String>,
    /// Only deliveries of events that happened at or after this time.
    pub created_after: Option<Instant>,
    /// Only deliveries of events that happened before this time.
    pub created_before: Option<Instant>,
}

/// Which events. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Any of these; empty means all.
    pub kinds: Vec<EventType>,
    /// Only events about this image cache.
    pub cache: Option<CacheId>,
    /// Whether events of the platform are included.
    pub platform: bool,
}

/// Of one team, or of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditReach {
    /// The entries of this team.
    Team(TeamId),
    /// Of every team, and what is of none.
    All,
}

impl AuditReach {
    /// A team's id, or `*`.
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
    /// Of which team; none: the caller's own.
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
