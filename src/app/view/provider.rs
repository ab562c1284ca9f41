//! What the cloud itself says: its record of an image cache, and the account's quota.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::image_cache::ImageCache;
use crate::domain::region::Region;
use crate::store::TeamUsage;

/// The account's quota in a region, and the team's share of what is used.
#[derive(Debug)]
pub struct AccountUsage {
    /// Which account.
    pub account: String,
    /// The cloud's answer as it came: an open map.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// The team's current usage.
    pub team: TeamUsage,
}

/// The cloud's own record of an image cache, as last seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProviderRecord)]
pub struct ProviderRecordView {
    /// The newest 50 events of the image cache (`Events`).
    pub events: Vec<ProviderEventView>,
    /// All other fields of the record under their original names, including those that the gateway does not know.
    pub fields: BTreeMap<String, Value>,
}

/// An event that the cloud reported about an image cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProviderEvent)]
pub struct ProviderEventView {
    /// The name of the event (`Name`), unique within the image cache.
    pub name: String,
    /// The type of the event (`Type`): `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason for the event (`Reason`), for example `Started`.
    pub reason: String,
    /// The message of the event (`Message`).
    pub message: String,
    /// How often the event occurred (`Count`).
    pub count: i64,
    /// When the event first occurred (`FirstTimestamp`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_at: Option<DateTime<Utc>>,
    /// When the event last occurred (`LastTimestamp`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_at: Option<DateTime<Utc>>,
}

/// The account's quota in a region, and the team's share of the usage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// The cloud account.
    pub cloud_account: String,
    /// The region.
    pub region: String,
    /// The account's limits and usage, under the cloud's own names (`MaxImageCacheCount`, `UsedImageCacheCount`, …).
    /// The map is open-ended. All teams share the account.
    pub attributes: BTreeMap<String, f64>,
    /// The number of the team's image caches that the cloud may still have.
    pub team_image_caches: i64,
    /// The number of these image caches that are ready.
    pub team_ready_image_caches: i64,
}

impl From<&ImageCache> for ProviderRecordView {
    fn from(cache: &ImageCache) -> Self {
        let Some(Value::Object(record)) = &cache.provider else { return Self::default() };
        let events = record.get("Events").and_then(Value::as_array).into_iter().flatten();
        let others = record.iter().filter(|(name, _)| name.as_str() != "Events");
        let events = events.map(ProviderEventView::read).collect();
        Self { events, fields: others.map(|(name, value)| (name.clone(), value.clone())).collect() }
    }
}

impl ProviderEventView {
    /// Reads what is there: the cloud leaves out what it likes.
    fn read(event: &Value) -> Self {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| event[name].as_str().and_then(|time| time.parse().ok());
        Self {
            name: text("Name"),
            kind: text("Type"),
            reason: text("Reason"),
            message: text("Message"),
            count: event["Count"].as_i64().unwrap_or(1),
            first_at: time("FirstTimestamp"),
            last_at: time("LastTimestamp"),
        }
    }
}

impl UsageView {
    /// The usage of that region. Numbers may come as texts.
    pub(crate) fn new(region: &Region, usage: &AccountUsage) -> Self {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let numbers = usage.attributes.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?)));
        Self {
            cloud_account: usage.account.clone(),
            region: region.to_string(),
            attributes: numbers.collect(),
            team_image_caches: usage.team.used,
            team_ready_image_caches: usage.team.ready,
        }
    }
}
