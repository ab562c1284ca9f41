//! The `webhooks` section: one entry per type of event.

use serde_json::{Map, Value, json};

use crate::app::view::CLOUD_EVENTS;
use crate::domain::event::EventType;

/// Adds the section; utoipa has no derive for it.
pub(super) fn add(document: &mut Value) {
    let entries: Map<String, Value> =
        EventType::ALL.iter().map(|kind| (kind.as_str().to_owned(), entry(*kind))).collect();
    document["webhooks"] = Value::Object(entries);
}

fn entry(kind: EventType) -> Value {
    json!({"post": {
        "tags": ["webhooks"],
        "summary": kind.meaning(),
        "description": "Signed as Standard Webhooks describes it. Answer with any 2xx within the time limit; \
                        anything else is tried again. An event may arrive more than once: `webhook-id` tells.",
        "operationId": format!("on_{}", kind.as_str().replace('.', "_")),
        "parameters": [
            header("webhook-id", "The event's id, the same in every attempt."),
            header("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
            header("webhook-signature", "`v1,` and the base64 of the HMAC-SHA256 of id, timestamp and body, \
                                         joined by dots; several, separated by spaces, while a secret is rotated. Where the endpoint \
                                         asks for it, an ed25519 signature of the same as `v1a,`, too."),
        ],
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/EventBody"}},
                // For endpoints that ask for it.
                CLOUD_EVENTS: {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
            },
        },
        "responses": {"204": {"description": "Received."}},
        "security": [],
    }})
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}})
}
