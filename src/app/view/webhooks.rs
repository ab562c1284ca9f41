//! What webhooks carry, and where they go: events, endpoints and deliveries as callers see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shown::ShownOnce;

use super::{ChangedView, ImageCacheView, ProviderEventView, StatusView};
use crate::domain::audit::AuditEntry;

/// What the platform changed: its audit entry in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlatformChange)]
pub struct PlatformChangeView {
    /// The operation, such as `put_cloud_account`.
    pub action: String,
    /// What it was about: a name of an account or issuer, `default` for the default policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource: Option<String>,
    /// Who did it.
    pub subject: String,
    /// The team that they acted for; absent for a worker of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// The audit entry, `ae_…`.
    pub audit_entry_id: String,
    /// The request, as logs and audit name it.
    pub request_id: String,
}

impl From<&AuditEntry> for PlatformChangeView {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            action: entry.action.clone(),
            resource: entry.resource.clone(),
            subject: entry.subject.clone(),
            team: entry.team.as_ref().map(ToString::to_string),
            audit_entry_id: entry.id.to_string(),
            request_id: entry.request_id.clone(),
        }
    }
}

/// What an event is about. Which members there are depends on the type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventData {
    /// The image cache as it was after the event, as a read showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache: Option<ImageCacheView>,
    /// The webhook endpoint as it was after the event, for events about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub webhook_endpoint: Option<Box<EndpointView>>,
    /// What the platform changed, for `platform.…` events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub platform_change: Option<PlatformChangeView>,
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
    /// Where events are sent. In events no more than scheme and host: the rest may be a secret.
    pub url: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// Which types; empty means all.
    pub event_types: Vec<String>,
    /// Only events of image caches with such a name (`web-*`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name_pattern: Option<String>,
    /// Only events of image caches with all of these tags; empty means all.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The most deliveries a second; absent means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rate_per_second: Option<i32>,
    /// Whether the events of one image cache come in their order.
    #[serde(default)]
    pub ordered: bool,
    /// In which form events come: `native` or `cloudevents`.
    #[serde(default)]
    #[schema(required = true)]
    pub format: String,
    /// Headers of its own. Their values are never shown again.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How long an attempt may take; absent means as long as the gateway says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timeout_seconds: Option<i32>,
    /// The pauses between attempts; absent means the gateway's own schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_schedule_seconds: Option<Vec<i32>>,
    /// What ed25519 signatures (`v1a`) are verified with, where it has such: `whpk_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub public_key: Option<String>,
    /// Until when the secret before the last rotation signs, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Whether events are sent.
    pub enabled: bool,
    /// Why not, where they are not: `pending` (it has not echoed its challenge yet), `paused`, `gone` (the receiver
    /// answered 410) or `failing` (for five days).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_reason: Option<String>,
    /// Failures since the last success.
    #[serde(default)]
    pub consecutive_failures: i32,
    /// The first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failing_since: Option<DateTime<Utc>>,
    /// The last success, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_success_at: Option<DateTime<Utc>>,
    /// Until when nothing is sent, because the receiver asked for it or fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resting_until: Option<DateTime<Utc>>,
    /// Events that were not queued since the last replay, because too many waited while it was not enabled:
    /// `POST …/replay` from `passed_over_since` on has them, as long as events are kept.
    #[serde(default)]
    pub passed_over: i64,
    /// When the first of them happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub passed_over_since: Option<DateTime<Utc>>,
    /// The signing secret (`whsec_…`): shown once, in the answer to the create or to the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub secret: Option<ShownOnce>,
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
    /// How many attempts were begun since it was last put into the queue.
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

/// One attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptView {
    /// From 1, since the delivery was last put into the queue.
    pub number: i32,
    /// `delivered`, `failed`, `gone` (410), `refused` (the address is not open) or `worker_lost`.
    pub outcome: String,
    /// The answer's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_ms: Option<i32>,
    /// The beginning of the answer's body: at most 256 bytes, printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response: Option<String>,
    /// Why it failed, in a coarse word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// The same as a sentence, with what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation: Option<String>,
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// What came back from a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookTest)]
pub struct EndpointTestView {
    /// The `webhook-id` of the test.
    pub message_id: String,
    /// `delivered`, `failed`, `gone` (410) or `refused` (the address is not open).
    pub outcome: String,
    /// The answer's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// How long it took.
    pub duration_ms: i32,
    /// The beginning of the answer's body: at most 256 bytes, printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response: Option<String>,
    /// Why it failed, in a coarse word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// The same as a sentence, with what to change; of a redirect, the host that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation: Option<String>,
}

/// How many deliveries were put into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Requeued)]
pub struct RequeuedView {
    /// How many.
    pub deliveries: i64,
    /// Whether there are more than fit into one call: ask again.
    pub has_more: bool,
}
