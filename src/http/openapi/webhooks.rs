//! The `webhooks` section: one entry per type of event, each with a schema of its own, so that a compiler knows the
//! members of a body by its `type`.

use serde_json::{Map, Value, json};

use crate::app::view::CLOUD_EVENTS;
use crate::domain::event::{EventType, PLATFORM};
use crate::domain::webhooks::endpoint::CHALLENGE;

/// What events are about: the beginning of their types, the name of the schema of their `data`, and those of its
/// members that are always there.
const SUBJECTS: [(&str, &str, &[&str]); 3] = [
    ("image_cache.", "ImageCacheEventData", &["image_cache", "generation", "sequence", "reason"]),
    ("webhook_endpoint.", "WebhookEndpointEventData", &["webhook_endpoint"]),
    (PLATFORM, "PlatformEventData", &["platform_change"]),
];
/// Members that only some events of image caches have.
const OPTIONAL: [&str; 4] = ["previous_status", "changed", "provider_events", "left_out"];

/// Adds the section and its schemas; utoipa has no derive for them.
pub(super) fn add(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    for (_, name, required) in SUBJECTS {
        schemas[name] = data_schema(&schemas["EventData"], required);
    }
    for kind in EventType::ALL {
        schemas[schema_name(kind)] = event_schema(&schemas["Event"], kind);
    }
    let entries: Map<String, Value> =
        EventType::ALL.iter().map(|kind| (kind.as_str().to_owned(), entry(*kind))).collect();
    document["webhooks"] = Value::Object(entries);
    add_challenge(document);
}

/// The message that an endpoint must answer before it receives events. It has the form of an event.
fn add_challenge(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    let (mut challenge, text) = (schemas["Event"].clone(), "The text to return.");
    challenge["description"] = "A challenge to a webhook endpoint.".into();
    challenge["properties"]["type"] =
        json!({"type": "string", "const": CHALLENGE, "description": "The type of the message."});
    challenge["properties"]["data"] = json!({"$ref": "#/components/schemas/WebhookChallengeData"});
    schemas["WebhookChallenge"] = challenge;
    schemas["WebhookChallengeData"] = json!({
        "type": "object", "description": "The data of a challenge.", "required": ["challenge"],
        "properties": {"challenge": {"type": "string", "description": text}},
    });
    schemas["WebhookChallengeAnswer"] = json!({
        "type": "object", "description": "The answer to a challenge.", "required": ["challenge"],
        "properties": {"challenge": {"type": "string", "description": "`data.challenge`, as it was received."}},
    });
    document["webhooks"][CHALLENGE] = json!({"post": {
        "tags": ["webhooks"],
        "summary": "A webhook endpoint must prove that it wants to receive events.",
        "description": "Sent when an endpoint is created or its URL is changed. Return `data.challenge` with a 2xx \
                        status, as JSON or as text.",
        "operationId": "on_webhook_endpoint_challenge",
        "parameters": headers(),
        "requestBody": {"required": true, "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/WebhookChallenge"}},
        }},
        "responses": {"200": {"description": "The endpoint wants to receive events.", "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/WebhookChallengeAnswer"}},
        }}},
        "security": [],
    }});
}

/// The name of the schema of an event, such as `ImageCacheReadyEvent`.
fn schema_name(kind: EventType) -> String {
    let words = kind.as_str().split(['.', '_']);
    let capitalized = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    capitalized.collect::<String>() + "Event"
}

/// The members of `data` that events about one subject have.
fn data_schema(all: &Value, required: &[&str]) -> Value {
    let optional = OPTIONAL.iter().filter(|_| required.contains(&"image_cache"));
    let names = required.iter().chain(optional);
    let members: Map<String, Value> =
        names.map(|name| ((*name).to_owned(), all["properties"][*name].clone())).collect();
    json!({"type": "object", "description": "The data of an event.", "required": required, "properties": members})
}

/// An event with this type.
fn event_schema(event: &Value, kind: EventType) -> Value {
    let subject = SUBJECTS.iter().find(|(prefix, ..)| kind.as_str().starts_with(prefix));
    let (_, data, _) = subject.expect("each type belongs to a subject, as a test asserts");
    let mut schema = event.clone();
    schema["description"] = kind.meaning().into();
    schema["properties"]["type"] =
        json!({"type": "string", "const": kind.as_str(), "description": "The type of the event."});
    schema["properties"]["data"] = json!({"$ref": format!("#/components/schemas/{data}")});
    schema
}

fn entry(kind: EventType) -> Value {
    json!({"post": {
        "tags": ["webhooks"],
        "summary": kind.meaning(),
        "description": "Signed according to Standard Webhooks. Answer with any 2xx status within the time limit; \
                        any other outcome is retried. An event may arrive more than once: use `webhook-id` to \
                        recognize duplicates.",
        "operationId": format!("on_{}", kind.as_str().replace('.', "_")),
        "parameters": headers(),
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {"schema": {"$ref": format!("#/components/schemas/{}", schema_name(kind))}},
                // For endpoints that ask for it.
                CLOUD_EVENTS: {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
            },
        },
        "responses": {"204": {"description": "The event was received."}},
        "security": [],
    }})
}

fn headers() -> Value {
    json!([
        header("webhook-id", "The id of the event, which is the same in every attempt."),
        header("webhook-timestamp", "When this attempt was signed, in seconds since 1970-01-01 UTC."),
        header(
            "webhook-signature",
            "`v1,` followed by the base64 of the HMAC-SHA256 of id, timestamp and body, joined by dots. While a secret \
             is rotated there are several signatures, separated by spaces. If the endpoint uses Ed25519, a signature \
             of the same input follows as `v1a,`."
        ),
    ])
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::{EventBody, PlatformChangeView, fixtures};

    /// The names of the members of the body's `data`.
    fn members(body: &EventBody) -> Vec<String> {
        let Value::Object(data) = serde_json::to_value(&body.data).unwrap() else { panic!("no object") };
        data.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn each_type_of_event_belongs_to_one_subject_and_its_data_has_the_members_of_it() {
        let cache = fixtures::cache(&json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx:1"]}));
        let change: PlatformChangeView = serde_json::from_value(json!({
            "action": "put_issuer", "subject": "s", "audit_entry_id": "ae_1", "request_id": "r",
        }))
        .unwrap();
        let bodies = EventType::ALL.map(|kind| match kind {
            EventType::EndpointFailing | EventType::EndpointDisabled => None,
            kind if kind.is_platforms() => Some((kind, EventBody::of_platform(kind, change.clone(), cache.updated_at))),
            kind => Some((kind, EventBody::of_cache(kind, &cache, (None, "observed"), Vec::new()))),
        });
        for kind in EventType::ALL {
            assert_eq!(SUBJECTS.iter().filter(|(prefix, ..)| kind.as_str().starts_with(prefix)).count(), 1, "{kind:?}");
        }
        for (kind, body) in bodies.into_iter().flatten() {
            let (.., required) = SUBJECTS.iter().find(|(prefix, ..)| kind.as_str().starts_with(prefix)).unwrap();
            let found = members(&body);
            assert!(required.iter().all(|name| found.iter().any(|one| one == name)), "{kind:?}: {found:?}");
            assert!(found.iter().all(|name| required.contains(&name.as_str()) || OPTIONAL.contains(&name.as_str())));
        }
    }
}
