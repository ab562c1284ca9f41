//! Request bodies about webhook endpoints, and how they become the domain's words.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::input::{EndpointChanges, NewEndpoint};
use crate::domain::event::EventType;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::webhooks::endpoint::{EndpointOptions, EventFormat};
use crate::http::extract::JsonBody;
use crate::http::rest::image_caches::bodies::{given, given_instant, instant};

/// A webhook endpoint to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookEndpointCreate)]
pub(in crate::http::rest) struct NewWebhookEndpointBody {
    /// The URL to which events are sent: https, or http if the gateway allows it. At most 2048 characters.
    #[schema(max_length = 2048, example = "https://hooks.example.com/eci")]
    url: String,
    /// A description for human readers, at most 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 256)]
    description: Option<String>,
    /// The types of events to send. Left out or empty means all types.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    event_types: Option<Vec<String>>,
    /// Send only events of image caches whose name matches this pattern: `*` matches any text, `?` matches one
    /// character.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 128, example = "web-*")]
    name_pattern: Option<String>,
    /// Send only events of image caches that have all of these tags. At most 20.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tags: Option<BTreeMap<String, String>>,
    /// The maximum number of deliveries per second, 1 to 1000. 0 or left out means no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 1000)]
    rate_per_second: Option<i32>,
    /// Whether the events of one image cache are delivered in order. A failing delivery then holds up those behind
    /// it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    ordered: Option<bool>,
    /// The format of events: `native` (the default), or `cloudevents` for CloudEvents 1.0 (structured mode, JSON).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    format: Option<String>,
    /// Additional headers to send: at most 20, with names in any case. Headers of the signature and of the transport
    /// are refused. The values are stored encrypted and never shown.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, String>>)]
    headers: Option<BTreeMap<String, SecretString>>,
    /// How many seconds an attempt may take, 5 to 30. 0 or left out means the gateway's default.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 30)]
    timeout_seconds: Option<i32>,
    /// The pauses between attempts in seconds: at most 20, each 1 to 86400. Empty or left out means the gateway's own
    /// schedule.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    retry_schedule_seconds: Option<Vec<i32>>,
    /// Whether events are also signed with Ed25519 (`v1a`). The signature is verified with the `public_key` in the
    /// response.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    ed25519: Option<bool>,
    /// The secret to sign with, instead of one that the gateway generates: `whsec_` followed by the base64 of 24 to
    /// 64 bytes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>, write_only)]
    secret: Option<SecretString>,
    /// Whether to send the challenge later, with `POST …/verify`. Until then the endpoint is `pending` and receives
    /// no events.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    verify_later: Option<bool>,
    /// Whether to skip the challenge, if the gateway's operator allows that.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    skip_challenge: Option<bool>,
}

/// Changes to a webhook endpoint. Fields that are left out are not changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookEndpointUpdate)]
pub(in crate::http::rest) struct WebhookEndpointChangesBody {
    /// The new URL, which must answer a challenge.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 2048)]
    url: Option<String>,
    /// The new description. Empty removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 256)]
    description: Option<String>,
    /// The new types of events. Empty means all types.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    event_types: Option<Vec<String>>,
    /// The new pattern for names. Empty removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 128)]
    name_pattern: Option<String>,
    /// The new tags, which replace all current ones.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tags: Option<BTreeMap<String, String>>,
    /// The new rate limit. 0 means no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 1000)]
    rate_per_second: Option<i32>,
    /// Whether the events of one image cache are delivered in order.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    ordered: Option<bool>,
    /// The format of events: `native` or `cloudevents`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    format: Option<String>,
    /// The new headers, which replace all current ones. They must be sent again when the URL changes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, String>>)]
    headers: Option<BTreeMap<String, SecretString>>,
    /// The new time limit of an attempt in seconds. 0 means the gateway's default.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 30)]
    timeout_seconds: Option<i32>,
    /// The new schedule: the pauses between attempts in seconds. Empty means the gateway's own schedule.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    retry_schedule_seconds: Option<Vec<i32>>,
    /// Whether events are also signed with Ed25519.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    ed25519: Option<bool>,
    /// Whether to skip the challenge of a new URL, if the gateway's operator allows that.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    skip_challenge: Option<bool>,
}

/// Options for the rotation of a secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotation)]
pub(in crate::http::rest) struct RotationBody {
    /// How many hours the old secret also signs: 0 to 168. Defaults to 24.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 0, maximum = 168)]
    pub(in crate::http::rest) keep_old_hours: Option<i32>,
    /// The new secret, instead of one that the gateway generates: `whsec_` followed by the base64 of 24 to 64 bytes.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>, write_only)]
    pub(in crate::http::rest) secret: Option<SecretString>,
}

/// Which deliveries to recover.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recovery)]
pub(in crate::http::rest) struct RecoveryBody {
    /// Only events that happened at or after this time.
    #[serde(deserialize_with = "instant")]
    pub(in crate::http::rest) created_after: DateTime<Utc>,
}

/// Which events to replay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay)]
pub(in crate::http::rest) struct ReplayBody {
    /// Only events that happened at or after this time.
    #[serde(deserialize_with = "instant")]
    pub(in crate::http::rest) created_after: DateTime<Utc>,
    /// Only events that happened before this time. By default there is no end.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    pub(in crate::http::rest) created_before: Option<DateTime<Utc>>,
}

/// Types by their names, each once.
fn event_types(names: &[String]) -> Result<Vec<EventType>, Vec<FieldError>> {
    let (mut types, mut errors) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        match EventType::from_name(name) {
            Some(kind) if types.contains(&kind) => {}
            Some(kind) => types.push(kind),
            None => {
                let field = format!("/event_types/{place}");
                let detail = format!("is no type of event (no pattern is): must be one of {}", EventType::names());
                errors.push(FieldError::new(field, FieldCode::UnknownEventType, detail));
            }
        }
    }
    if errors.is_empty() { Ok(types) } else { Err(errors) }
}

fn format(word: &str) -> Result<EventFormat, Vec<FieldError>> {
    let refused = || vec![FieldError::new("/format", FieldCode::Invalid, "must be native or cloudevents")];
    EventFormat::from_word(word).ok_or_else(refused)
}

/// Names of headers have no case: they are kept in lower case, and each is given once.
fn in_lower_case(headers: BTreeMap<String, SecretString>) -> Result<BTreeMap<String, SecretString>, Vec<FieldError>> {
    let (mut kept, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if kept.insert(lower.clone(), value).is_some() {
            let field = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            errors.push(FieldError::new(
                field,
                FieldCode::Duplicate,
                format!("is given twice: names have no case ({lower})"),
            ));
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}

/// The value, or its default where something was wrong with it.
fn noted<T: Default>(read: Result<T, Vec<FieldError>>, errors: &mut Vec<FieldError>) -> T {
    read.unwrap_or_else(|more| {
        errors.extend(more);
        T::default()
    })
}

impl JsonBody for NewWebhookEndpointBody {
    fn value_errors(self) -> Vec<FieldError> {
        match NewEndpoint::try_from(self) {
            Ok(new) => new.options.wrong(),
            Err(errors) => errors,
        }
    }
}

impl JsonBody for WebhookEndpointChangesBody {
    fn value_errors(self) -> Vec<FieldError> {
        EndpointChanges::try_from(self).err().unwrap_or_default()
    }
}

impl JsonBody for RotationBody {}
impl JsonBody for RecoveryBody {}
impl JsonBody for ReplayBody {}

impl TryFrom<NewWebhookEndpointBody> for NewEndpoint {
    type Error = Vec<FieldError>;

    fn try_from(body: NewWebhookEndpointBody) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let options = EndpointOptions {
            event_types: noted(event_types(&body.event_types.unwrap_or_default()), &mut errors),
            name_pattern: body.name_pattern,
            tags: body.tags.unwrap_or_default(),
            rate_per_second: body.rate_per_second.filter(|rate| *rate != 0),
            ordered: body.ordered.unwrap_or_default(),
            format: noted(body.format.as_deref().map(format).transpose(), &mut errors).unwrap_or_default(),
            timeout_seconds: body.timeout_seconds.filter(|seconds| *seconds != 0),
            retry_schedule: body.retry_schedule_seconds.filter(|pauses| !pauses.is_empty()),
        };
        let headers = noted(in_lower_case(body.headers.unwrap_or_default()), &mut errors);
        if !errors.is_empty() {
            errors.extend(options.wrong());
            return Err(errors);
        }
        Ok(Self {
            url: body.url,
            description: body.description,
            options,
            headers,
            ed25519: body.ed25519.unwrap_or_default(),
            secret: body.secret,
            skip_challenge: body.skip_challenge.unwrap_or_default(),
            verify_later: body.verify_later.unwrap_or_default(),
        })
    }
}

impl TryFrom<WebhookEndpointChangesBody> for EndpointChanges {
    type Error = Vec<FieldError>;

    fn try_from(body: WebhookEndpointChangesBody) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let changes = Self {
            url: body.url,
            description: body.description,
            event_types: noted(body.event_types.as_deref().map(event_types).transpose(), &mut errors),
            name_pattern: body.name_pattern,
            tags: body.tags,
            rate_per_second: body.rate_per_second,
            ordered: body.ordered,
            format: noted(body.format.as_deref().map(format).transpose(), &mut errors),
            timeout_seconds: body.timeout_seconds,
            retry_schedule: body.retry_schedule_seconds,
            headers: noted(body.headers.map(in_lower_case).transpose(), &mut errors),
            ed25519: body.ed25519,
            skip_challenge: body.skip_challenge.unwrap_or_default(),
        };
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_events_are_known_and_counted_once() {
        let body = |types: &str| {
            let text = format!(r#"{{"url":"https://x.example","event_types":{types}}}"#);
            serde_json::from_str::<NewWebhookEndpointBody>(&text).unwrap()
        };
        let new = NewEndpoint::try_from(body(r#"["image_cache.ready","image_cache.ready"]"#)).unwrap();
        assert_eq!(new.options.event_types, [EventType::Ready]);
        let errors = NewEndpoint::try_from(body(r#"["image_cache.ready","nonsense"]"#)).unwrap_err();
        assert_eq!(errors[0].field, "/event_types/1");
    }

    #[test]
    fn the_values_of_headers_are_not_printed() {
        let text = r#"{"url":"https://x.example","headers":{"authorization":"Bearer hunter2"}}"#;
        let body: NewWebhookEndpointBody = serde_json::from_str(text).unwrap();
        assert!(!format!("{body:?}").contains("hunter2"));
        assert!(!format!("{:?}", NewEndpoint::try_from(body).unwrap()).contains("hunter2"));
    }
}
