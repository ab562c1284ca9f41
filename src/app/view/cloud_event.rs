//! The same event in the form of CloudEvents 1.0, for receivers that speak it: structured mode, JSON.
//!
//! Who calls it: whoever delivers to an endpoint of that format. The stored body stays the native one; this is a
//! pure function of it, so that every attempt signs the same bytes.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::EventData;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EventId;

/// The media type of the form.
pub const CLOUD_EVENTS: &str = "application/cloudevents+json";

/// An event in CloudEvents 1.0 format.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CloudEvent)]
pub struct CloudEventView {
    /// The version of the CloudEvents specification: `1.0`.
    pub specversion: String,
    /// The id of the event, `evt_…`, which is also the `webhook-id`.
    pub id: String,
    /// The source of the event: `urn:eci-cache-gateway:team:` followed by the team. Unique together with `id`.
    pub source: String,
    /// The type of the event, for example `image_cache.ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the resource that the event is about, `ic_…` or `we_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subject: Option<String>,
    /// When the event happened.
    pub time: DateTime<Utc>,
    /// The content type of `data`: `application/json`.
    pub datacontenttype: String,
    /// The schema of `data`: `urn:eci-cache-gateway:event:` followed by the version of the native body.
    pub dataschema: String,
    /// The same object as `data` of the native body.
    #[schema(value_type = EventData)]
    pub data: Value,
}

/// The event `id` of `team` with this native body, in bytes to sign and send as [`CLOUD_EVENTS`]. Fails where `body`
/// is no body of ours.
pub fn cloud_event(team: &TeamId, id: EventId, body: &str) -> Result<String, serde_json::Error> {
    /// Members that a newer gateway wrote stay in `data`.
    #[derive(serde::Deserialize)]
    struct Native {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        version: Option<i32>,
        timestamp: DateTime<Utc>,
        data: Value,
    }
    let native: Native = serde_json::from_str(body)?;
    let about = |name: &str| native.data.get(name)?.get("id")?.as_str().map(str::to_owned);
    serde_json::to_string(&CloudEventView {
        specversion: "1.0".to_owned(),
        id: id.to_string(),
        source: format!("urn:eci-cache-gateway:team:{team}"),
        kind: native.kind,
        subject: about("image_cache").or_else(|| about("webhook_endpoint")),
        time: native.timestamp,
        datacontenttype: "application/json".to_owned(),
        dataschema: format!("urn:eci-cache-gateway:event:{}", native.version.unwrap_or(1)),
        data: native.data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::EventBody;
    use crate::domain::event::EventType;

    #[test]
    fn the_form_is_that_of_the_specification() {
        let spec = serde_json::json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx:1"]});
        let cache = crate::app::view::fixtures::cache(&spec);
        let body = EventBody::of_cache(EventType::Ready, &cache, (None, "observed"), Vec::new());
        let id: EventId = "evt_00000000000000000000000001".parse().unwrap();
        let text = cloud_event(&"web".parse().unwrap(), id, &body.to_json()).unwrap();
        let event: Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "specversion": "1.0", "id": "evt_00000000000000000000000001", "source": "urn:eci-cache-gateway:team:web",
            "type": "image_cache.ready", "subject": cache.id.to_string(), "time": "1970-01-01T00:01:00Z",
            "datacontenttype": "application/json", "dataschema": "urn:eci-cache-gateway:event:1",
            "data": serde_json::to_value(&body.data).unwrap(),
        });
        assert_eq!(event, expected);
        assert!(cloud_event(&"web".parse().unwrap(), id, "nonsense").is_err());
    }
}
