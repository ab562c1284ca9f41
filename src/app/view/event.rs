//! The bodies of events: what changed, what the cloud said, and no more than receivers take.
//!
//! What must stay true: a body is at most [`MAX_BODY`] bytes, whatever a team put into its image cache, or its
//! event could not be written and with it not the change; what was left out is named.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    EndpointView, EventBody, EventData, ImageCacheView, PlatformChangeView, ProviderEventView, ProviderRecordView,
    StatusView,
};
use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::ids::EventId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::difference::FieldChange;
use crate::domain::image_cache::drift::Drift;
use crate::domain::image_cache::status::Status;
use crate::domain::webhooks::endpoint::Endpoint;
use crate::domain::webhooks::endpoint::url::origin;

/// The most bytes of a stored body. With the event's id it stays below the 20 kB that Standard Webhooks advises.
pub const MAX_BODY: usize = 20_000 - r#""id":"evt_00000000000000000000000000","#.len();

/// Names of members that were renamed since bodies with them were stored.
const FORMER: [&str; 2] = ["\"enabled\":", "\"annotations\":"];

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Changed)]
pub struct ChangedView {
    /// The change of status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<StatusChangeView>,
    /// The fields that changed in an update or a drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChangeView>,
}

/// A change of status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StatusChange)]
pub struct StatusChangeView {
    /// The previous status.
    pub from: StatusView,
    /// The new status.
    pub to: StatusView,
}

/// A field that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FieldChange)]
pub struct FieldChangeView {
    /// The name of the field, as a member of the image cache.
    pub field: String,
    /// The previous value, as text (lists and maps as JSON). Absent if it was not set. Truncated to 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<String>,
    /// The new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub to: Option<String>,
}

impl From<FieldChange> for FieldChangeView {
    fn from(change: FieldChange) -> Self {
        Self { field: change.field, from: change.from, to: change.to }
    }
}

impl From<&Drift> for FieldChangeView {
    fn from(drift: &Drift) -> Self {
        let text = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
        Self { field: drift.field.clone(), from: text(&drift.expected), to: text(&drift.seen) }
    }
}

impl EventBody {
    /// The version of the form that is written.
    pub const VERSION: i32 = 1;

    /// The body that tells of `cache` as it is after the event.
    pub fn of_cache(
        kind: EventType,
        cache: &ImageCache,
        (moved, reason): (Option<(Status, Status)>, &str),
        fields: Vec<FieldChange>,
    ) -> Self {
        let status = moved.map(|(from, to)| StatusChangeView { from: from.into(), to: to.into() });
        let drift = cache.reconciled.drift.iter().filter(|_| kind == EventType::Drifted).map(Into::into);
        let fields: Vec<FieldChangeView> = fields.into_iter().map(Into::into).chain(drift).collect();
        let is_changed = status.is_some() || !fields.is_empty();
        let failed = matches!(kind, EventType::Failed | EventType::UpdateFailed);
        let body = Self {
            kind: kind.as_str().to_owned(),
            version: Self::VERSION,
            timestamp: cache.updated_at,
            data: EventData {
                image_cache: Some(ImageCacheView::from(cache.clone())),
                webhook_endpoint: None,
                platform_change: None,
                generation: Some(cache.generation),
                sequence: Some(cache.sequence),
                previous_status: moved.map(|(from, _)| from.into()),
                reason: Some(reason.to_owned()),
                changed: is_changed.then_some(ChangedView { status, fields }),
                provider_events: if failed { ProviderRecordView::from(cache).events } else { Vec::new() },
                left_out: Vec::new(),
            },
        };
        body.fitted()
    }

    /// The body that tells of `endpoint` as it is after the event.
    pub fn of_endpoint(kind: &str, endpoint: Endpoint, now: Instant) -> Self {
        let webhook_endpoint = Some(Box::new(EndpointView::from(endpoint)));
        let data = EventData { webhook_endpoint, ..EventData::default() };
        Self { kind: kind.to_owned(), version: Self::VERSION, timestamp: now, data }.without_url()
    }

    /// The same with no more of an endpoint's URL than scheme and host: events are read by whoever may read anything,
    /// and sent to other endpoints.
    #[must_use]
    pub fn without_url(mut self) -> Self {
        if let Some(endpoint) = &mut self.data.webhook_endpoint {
            let shown = origin(&endpoint.url).len();
            endpoint.url.truncate(shown);
        }
        self
    }

    /// Reads a stored body. Members that were renamed since it was written have today's names.
    pub fn from_stored(stored: &str) -> Result<Self, serde_json::Error> {
        if !FORMER.iter().any(|former| stored.contains(former)) {
            return serde_json::from_str(stored);
        }
        let mut body: Value = serde_json::from_str(stored)?;
        if let Some(enabled) = body["data"]["webhook_endpoint"]["enabled"].as_bool() {
            body["data"]["webhook_endpoint"]["disabled"] = Value::Bool(!enabled);
        }
        if let Some(comment @ Value::String(_)) = body["data"]["image_cache"].get("annotations").cloned() {
            body["data"]["image_cache"]["comment"] = comment;
        }
        serde_json::from_value(body)
    }

    /// The message that is sent for a stored body: with the event's id in front, and otherwise to the byte as it is
    /// stored. Only an endpoint's URL is shortened, which was once stored in full.
    pub fn message(id: EventId, stored: &str) -> String {
        let about_endpoint = stored.contains("\"webhook_endpoint\":{").then(|| Self::from_stored(stored));
        let shown = match about_endpoint {
            Some(Ok(body)) if body != body.clone().without_url() => Cow::Owned(body.without_url().to_json()),
            _ => Cow::Borrowed(stored),
        };
        match shown.strip_prefix('{') {
            Some(members) => format!("{{\"id\":\"{id}\",{members}"),
            None => shown.into_owned(),
        }
    }

    /// The body that tells of what the platform changed.
    pub fn of_platform(kind: EventType, change: PlatformChangeView, now: Instant) -> Self {
        let data = EventData { platform_change: Some(change), ..EventData::default() };
        Self { kind: kind.as_str().to_owned(), version: Self::VERSION, timestamp: now, data }
    }

    /// The exact bytes that are stored and signed.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a tree of strings and numbers always becomes JSON")
    }

    /// The same with as much left out as it takes: what is missed least goes first.
    fn fitted(mut self) -> Self {
        if self.to_json().len() <= MAX_BODY {
            return self;
        }
        let events = std::mem::take(&mut self.data.provider_events);
        if !events.is_empty() {
            self.data.left_out.push("provider_events".into());
            self.data.provider_events = self.newest_that_fit(events);
        }
        for (name, shed) in SHEDS {
            if self.to_json().len() > MAX_BODY {
                self.data.left_out.push(name.into());
                shed(&mut self.data);
            }
        }
        self
    }

    fn newest_that_fit(&self, mut events: Vec<ProviderEventView>) -> Vec<ProviderEventView> {
        let mut room = MAX_BODY.saturating_sub(self.to_json().len() + ",\"provider_events\":[]".len());
        let mut kept = events.len();
        for (place, event) in events.iter().enumerate().rev() {
            let size = serde_json::to_string(event).map_or(usize::MAX, |text| text.len() + 1);
            if size > room {
                break;
            }
            room -= size;
            kept = place;
        }
        events.split_off(kept)
    }
}

type Shed = fn(&mut EventData);

/// What is given up after the cloud's events, in this order. The last ones are never needed by what teams ask for
/// today; they keep the promise whatever the limits of a cache become.
const SHEDS: [(&str, Shed); 7] = [
    ("changed.fields", |data| {
        for field in data.changed.iter_mut().flat_map(|changed| &mut changed.fields) {
            (field.from, field.to) = (None, None);
        }
    }),
    ("image_cache.drift", |data| of_cache(data, |cache| cache.drift.clear())),
    ("image_cache.acr_registries", |data| of_cache(data, |cache| cache.acr_registries.clear())),
    ("image_cache.insecure_registries", |data| of_cache(data, |cache| cache.insecure_registries.clear())),
    ("image_cache.plain_http_registries", |data| of_cache(data, |cache| cache.plain_http_registries.clear())),
    ("image_cache.tags", |data| of_cache(data, |cache| cache.tags.clear())),
    ("image_cache.images", |data| of_cache(data, |cache| cache.images.truncate(1))),
];

fn of_cache(data: &mut EventData, shed: impl FnOnce(&mut ImageCacheView)) {
    if let Some(cache) = &mut data.image_cache {
        shed(cache);
    }
}

#[cfg(test)]
mod tests;
