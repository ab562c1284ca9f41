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
        "description": "Signed according to Standard Webhooks. Answer with any 2xx status within the time limit; \
                        any other outcome is retried. An event may arrive more than once: use `webhook-id` to \
                        recognize duplicates.",
        "operationId": format!("on_{}", kind.as_str().replace('.', "_")),
        "parameters": [
            header("webhook-id", "The id of the event, which is the same in every attempt."),
            header("webhook-timestamp", "When this attempt was signed, in seconds since 1970-01-01 UTC."),
            header("webhook-signature", "`v1,` followed by the base64 of the HMAC-SHA256 of id, \
                                         timestamp and body, joined by dots. While a secret is rotated there are \
                                         several signatures, separated by spaces. If the endpoint uses Ed25519, \
                                         a signature of the same input follows as `v1a,`."),
        ],
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/EventBody"}},
                // For endpoints that ask for it.
                CLOUD_EVENTS: {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
            },
        },
        "responses": {"204": {"description": "The event was received."}},
        "security": [],
    }})
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}})
}
