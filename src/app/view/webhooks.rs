//! What webhooks carry, and where they go: events, endpoints and deliveries as callers see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangedView, ImageCacheView, ProviderEventView, StatusView};

/// What an event is about. Which members there are depends on the type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventData {
    /// The image cache as it was after the event, as a read showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache: Option<ImageCacheView>,
    /// Which of its builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub generation: Option<i32>,
    /// Numbers the transitions of this image cache: sort by it, deliveries may arrive out of order. An event without
    /// a change of status repeats the number before; `image_cache.version` orders those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sequence: Option<i64>,
    /// The status before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub previous_status: Option<StatusView>,
    /// Why, in a word, such as `retention_ended` or `deleted_elsewhere`; the same as in the transition, where there is
    /// one. New words may appear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// What is different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changed: Option<ChangedView>,
    /// For a build that failed: the cloud's last events about it, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provider_events: Vec<ProviderEventView>,
    /// What was left out to keep the body below 20 kB, such as `provider_events` (the older ones): read it with GET.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The body of a webhook: Standard Webhooks' envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventBody {
    /// The type, for example `image_cache.ready`. New types may appear.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the body's form. Members may be added within one: ignore those that you do not know.
    #[serde(default = "first")]
    #[schema(required = true)]
    pub version: i32,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// What it is about.
    pub data: EventData,
}

/// Of bodies that were written before they had one.
fn first() -> i32 {
    EventBody::VERSION
}

/// One event of the team's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// The gateway's id, `evt_…`: the `webhook-id` of its deliveries.
    pub id: String,
    /// The body, exactly as webhooks carry it.
    #[serde(flatten)]
    pub body: EventBody,
}

/// Where a team hears of its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct EndpointView {
    /// The gateway's id, `we_…`.
    pub id: String,
    /// Where events are sent.
    pub url: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// Which types; empty means all.
    pub event_types: Vec<String>,
    /// Whether events are sent.
    pub enabled: bool,
    /// Why not, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_reason: Option<String>,
    /// The signing secret (`whsec_…`): shown once, in the answer to the create.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The gateway's id, `dl_…`.
    pub id: String,
    /// The event: the `webhook-id` header.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// `waiting`, `in_flight`, `delivered`, `exhausted` or `cancelled`.
    pub state: String,
    /// How many attempts were begun.
    pub attempts: i32,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The last attempt's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_http_status: Option<i32>,
    /// The last attempt's reason, where it failed, in a coarse word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When the event happened.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub finished_at: Option<DateTime<Utc>>,
}
