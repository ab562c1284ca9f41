//! What webhooks carry, and where they go: events, endpoints and deliveries as callers see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::one_time_secret::OneTimeSecret;

use super::{ChangedView, ImageCacheView, ProviderEventView, StatusView};
use crate::domain::audit::AuditEntry;

/// A change to the platform, as a summary of its audit entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlatformChange)]
pub struct PlatformChangeView {
    /// The action, such as `put_cloud_account`.
    pub action: String,
    /// The resource that was changed: the name of an account or issuer, or `default` for the default policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource: Option<String>,
    /// The subject that made the change.
    pub subject: String,
    /// The team for which the subject acted. Absent for a worker of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<String>,
    /// The id of the audit entry, `ae_…`.
    pub audit_entry_id: String,
    /// The id of the request, as it appears in logs and in the audit.
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

/// The data of an event. Which members are present depends on the type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventData {
    /// The image cache as it was after the event, in the form that a read returned then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_cache: Option<ImageCacheView>,
    /// The webhook endpoint as it was after the event. Present for events about an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub webhook_endpoint: Option<Box<EndpointView>>,
    /// The change to the platform. Present for `platform.…` events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub platform_change: Option<PlatformChangeView>,
    /// The generation of the image cache, which counts its builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub generation: Option<i32>,
    /// The number of the transition of this image cache. Deliveries may arrive out of order: sort by this number. An
    /// event without a change of status repeats the previous number; `image_cache.version` orders those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sequence: Option<i64>,
    /// The previous status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub previous_status: Option<StatusView>,
    /// A short code for the reason, such as `retention_ended` or `deleted_elsewhere`. It is the same as in the
    /// transition, if there is one. New codes may be added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// What the event changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub changed: Option<ChangedView>,
    /// For a failed build: the cloud's last events about it, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provider_events: Vec<ProviderEventView>,
    /// The members that were left out to keep the body below 20 kB, such as `provider_events` (the older ones). Read
    /// the resource with GET to see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The body of an event as it is stored: the envelope of Standard Webhooks, to which the event's id is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventBody {
    /// The type of the event, for example `image_cache.ready`. New types may be added.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the format of the body. Members may be added within a version: ignore those that you do not
    /// know.
    #[serde(default = "first")]
    #[schema(required = true)]
    pub version: i32,
    /// When the event happened.
    pub timestamp: DateTime<Utc>,
    /// The data of the event.
    pub data: EventData,
}

/// Of bodies that were written before they had one.
fn first() -> i32 {
    EventBody::VERSION
}

/// An event, in the team's feed and as the body of a webhook: the envelope of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// The id of the event, `evt_…`, which is also the `webhook-id` of its deliveries.
    pub id: String,
    /// The body as it is stored.
    #[serde(flatten)]
    pub body: EventBody,
}

/// A URL to which the events of a team are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct EndpointView {
    /// The id of the webhook endpoint, `we_…`.
    pub id: String,
    /// The URL to which events are sent. In events, it is reduced to scheme and host, because the rest may be a
    /// secret.
    pub url: String,
    /// A description for human readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The types of events that are sent. Empty means all types.
    pub event_types: Vec<String>,
    /// Only events of image caches whose name matches this pattern (`web-*`) are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name_pattern: Option<String>,
    /// Only events of image caches that have all of these tags are sent. Empty means all events.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The maximum number of deliveries per second. Absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rate_per_second: Option<i32>,
    /// Whether the events of one image cache are delivered in order.
    #[serde(default)]
    pub ordered: bool,
    /// The format of events: `native` or `cloudevents`.
    #[serde(default)]
    #[schema(required = true)]
    pub format: String,
    /// The additional headers that are sent. Their values are never shown.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How many seconds an attempt may take. Absent if the gateway's default applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timeout_seconds: Option<i32>,
    /// The pauses between attempts in seconds. Absent if the gateway's own schedule applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_schedule_seconds: Option<Vec<i32>>,
    /// The public key that verifies Ed25519 signatures (`v1a`), `whpk_…`. Absent if the endpoint does not use them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub public_key: Option<String>,
    /// When the secret from before the last rotation stops signing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Whether no events are sent to the endpoint.
    pub disabled: bool,
    /// Why events are not sent: `pending` (the endpoint has not answered its challenge yet), `paused`, `gone` (the
    /// receiver answered 410) or `failing` (for five days).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_reason: Option<String>,
    /// The number of failures since the last success.
    #[serde(default)]
    pub consecutive_failures: i32,
    /// When the first failure since the last success happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failing_since: Option<DateTime<Utc>>,
    /// When the last delivery succeeded, accurate to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_success_at: Option<DateTime<Utc>>,
    /// When sending resumes. Until then nothing is sent, because the receiver asked for a pause or is failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resting_until: Option<DateTime<Utc>>,
    /// The number of events that were not queued since the last replay, because too many were waiting while the
    /// endpoint was disabled. Use `POST …/replay` from `passed_over_since` on to get them, as long as events are
    /// kept.
    #[serde(default)]
    pub passed_over: i64,
    /// When the first of these events happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub passed_over_since: Option<DateTime<Utc>>,
    /// The signing secret (`whsec_…`). It is shown once, in the response to the create or the rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub secret: Option<OneTimeSecret>,
    /// When the endpoint was created.
    pub created_at: DateTime<Utc>,
    /// The version, which is incremented by each change and part of the `ETag`.
    #[serde(default)]
    #[schema(required = true)]
    pub version: i64,
}

/// The delivery of one event to one webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The id of the delivery, `dl_…`.
    pub id: String,
    /// The id of the event, which is also the `webhook-id` header.
    pub event_id: String,
    /// The type of the event.
    pub event_type: String,
    /// The id of the webhook endpoint.
    pub webhook_endpoint_id: String,
    /// The status of the delivery: `waiting`, `in_flight`, `delivered`, `exhausted` or `cancelled`.
    pub status: String,
    /// The number of attempts started since the delivery was last put into the queue.
    pub attempts: i32,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The HTTP status that the last attempt received.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_http_status: Option<i32>,
    /// A short code for why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When the event happened.
    pub created_at: DateTime<Utc>,
    /// When the delivery succeeded or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptView {
    /// The number of the attempt, counted from 1 since the delivery was last put into the queue.
    pub number: i32,
    /// The outcome: `delivered`, `failed`, `gone` (410), `refused` (the address is not allowed) or `worker_lost`.
    pub outcome: String,
    /// The HTTP status of the receiver's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// The duration of the attempt in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_ms: Option<i32>,
    /// The beginning of the response body: at most 256 bytes, printable characters only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response: Option<String>,
    /// A short code for why the attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// An explanation of the failure in a sentence, with what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation: Option<String>,
    /// When the attempt ended.
    pub finished_at: DateTime<Utc>,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookTest)]
pub struct EndpointTestView {
    /// The `webhook-id` of the test message.
    pub message_id: String,
    /// The outcome: `delivered`, `failed`, `gone` (410) or `refused` (the address is not allowed).
    pub outcome: String,
    /// The HTTP status of the receiver's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub http_status: Option<i32>,
    /// The duration of the attempt in milliseconds.
    pub duration_ms: i32,
    /// The beginning of the response body: at most 256 bytes, printable characters only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response: Option<String>,
    /// A short code for why the attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// An explanation of the failure in a sentence, with what to change. For a redirect, it names the host that the
    /// redirect leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation: Option<String>,
}

/// The result of putting deliveries back into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Requeued)]
pub struct RequeuedView {
    /// The number of deliveries put into the queue.
    pub deliveries: i64,
    /// Whether more deliveries match than one call can queue. If so, repeat the call.
    pub has_more: bool,
}
