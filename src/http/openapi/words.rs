//! Sets of words: closed in requests, where a mistaken word is refused anyway, and open in answers, so that a client
//! that knows fewer words can still read a newer gateway.
//!
//! The words are the domain's own lists. Handlers describe such members as strings; here they get their type.

use serde_json::{Value, json};

use crate::domain::audit::Outcome;
use crate::domain::event::EventType;
use crate::domain::identity::access_key::KEY_SCOPES;
use crate::domain::identity::caller::Scope;
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_cache::spec::{EliminationStrategy, OsType};
use crate::domain::image_cache::status::Status;
use crate::domain::webhooks::DeliveryState;
use crate::domain::webhooks::endpoint::EventFormat;
use crate::http::rest::EXPORT_FORMATS;

/// Where a set is sent.
enum Sent {
    /// A query parameter of operations.
    Parameter(&'static str, &'static [&'static str]),
    /// A member of schemas.
    Member(&'static str, &'static [&'static str]),
}
use Sent::{Member, Parameter};

/// A set of words that requests close.
struct Set {
    name: &'static str,
    description: &'static str,
    words: Vec<&'static str>,
    sent: &'static [Sent],
}

/// Sets of answers that are components: open there.
const OPEN: [&str; 1] = ["ImageCacheStatus"];

fn sets() -> Vec<Set> {
    let set = |name, description, words, sent| Set { name, description, words, sent };
    let scopes = |scopes: &[Scope]| scopes.iter().map(|scope| scope.as_str()).collect();
    vec![
        set(
            "ImageCacheStatusFilter",
            "A status to filter by; see `ImageCacheStatus`.",
            status(),
            &[Parameter("status", &["list_image_caches"])],
        ),
        set(
            "AuditOutcomeFilter",
            "An outcome to filter by.",
            words(&Outcome::ALL, Outcome::as_str),
            &[Parameter("outcome", &["list_audit_entries", "export_audit_entries"])],
        ),
        set(
            "DeliveryStatusFilter",
            "A status to filter by.",
            words(&DeliveryState::ALL, DeliveryState::as_str),
            &[Parameter("status", &["list_deliveries"])],
        ),
        set(
            "AuditExportFormat",
            "The format of an export.",
            EXPORT_FORMATS.to_vec(),
            &[Parameter("format", &["export_audit_entries"])],
        ),
        set(
            "EventTypeName",
            "A type of event to ask for.",
            words(&EventType::ALL, EventType::as_str),
            &[
                Parameter("type", &["list_events", "stream_events"]),
                Parameter("event_type", &["list_deliveries"]),
                Member("event_types", &["WebhookEndpointCreate", "WebhookEndpointUpdate"]),
            ],
        ),
        set(
            "EventFormat",
            "The format of events.",
            words(&EventFormat::ALL, EventFormat::as_str),
            &[Member("format", &["WebhookEndpointCreate", "WebhookEndpointUpdate"])],
        ),
        set("ScopeName", "A scope to grant.", scopes(&Scope::ALL), &[Member("scopes", &["ApiKeyCreate"])]),
        set(
            "AccessKeyScope",
            "A scope of an access key.",
            scopes(&KEY_SCOPES),
            &[Member("scopes", &["AccessKeyCreate"])],
        ),
        set(
            "OsType",
            "An operating system.",
            words(OsType::ALL, Word::as_str),
            &[Member("os_type", &["ImageCacheCreate"])],
        ),
        set(
            "EliminationStrategy",
            "What happens at the quota.",
            words(EliminationStrategy::ALL, Word::as_str),
            &[Member("elimination_strategy", &["ImageCacheCreate"])],
        ),
    ]
}

fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|one| word(*one)).collect()
}

fn status() -> Vec<&'static str> {
    words(&Status::ALL, Status::as_str)
}

/// Gives every set its component, closes it where it is sent, and opens what answers share.
pub(super) fn apply(document: &mut Value) {
    for set in sets() {
        let reference = json!({"$ref": format!("#/components/schemas/{}", set.name)});
        document["components"]["schemas"][set.name] =
            json!({"type": "string", "description": set.description, "enum": set.words});
        set.sent.iter().for_each(|sent| close(document, sent, &reference));
    }
    for name in OPEN {
        open(&mut document["components"]["schemas"][name]);
    }
}

fn close(document: &mut Value, sent: &Sent, reference: &Value) {
    match sent {
        Parameter(name, operations) => {
            for operation in
                each_operation(document).filter(|one| operations.iter().any(|id| one["operationId"] == *id))
            {
                let parameters = operation["parameters"].as_array_mut().into_iter().flatten();
                parameters.filter(|one| one["name"] == *name).for_each(|one| refer(&mut one["schema"], reference));
            }
        }
        Member(name, schemas) => {
            for schema in *schemas {
                refer(&mut document["components"]["schemas"][schema]["properties"][name], reference);
            }
        }
    }
}

fn each_operation(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut())
}

/// A string, or each of a list of them, becomes the component; what is said of it stays.
fn refer(schema: &mut Value, reference: &Value) {
    if schema["type"] == "array" {
        schema["items"] = reference.clone();
    } else if let Value::Object(schema) = schema {
        schema.retain(|key, _| key == "description");
        schema.insert("$ref".into(), reference["$ref"].clone());
    }
}

/// A client of today reads the words of tomorrow.
fn open(schema: &mut Value) {
    let words = schema["enum"].take();
    let Some(schema) = schema.as_object_mut() else { return };
    schema.shift_remove("enum");
    schema.insert("x-extensible-enum".into(), words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::value_3_1;

    /// The schemas that are sent there.
    fn sent_at<'a>(document: &'a Value, sent: &Sent) -> Vec<&'a Value> {
        match sent {
            Member(name, schemas) => {
                let schemas = schemas.iter().map(|schema| &document["components"]["schemas"][*schema]);
                schemas.map(|schema| &schema["properties"][*name]).collect()
            }
            Parameter(name, operations) => {
                let paths = document["paths"].as_object().unwrap().values();
                let all = paths.flat_map(|item| item.as_object().unwrap().values());
                let those = all.filter(|one| operations.iter().any(|id| one["operationId"] == *id));
                let parameters = those.flat_map(|one| one["parameters"].as_array().unwrap());
                parameters.filter(|one| one["name"] == *name).map(|one| &one["schema"]).collect()
            }
        }
    }

    #[test]
    fn each_set_is_closed_where_it_is_sent() {
        let document = value_3_1();
        for set in sets() {
            let reference = format!("#/components/schemas/{}", set.name);
            assert!(set.words.len() > 1 && set.words.iter().all(|word| !word.is_empty()), "{}", set.name);
            for sent in set.sent {
                let (Parameter(name, places) | Member(name, places)) = sent;
                let found = sent_at(&document, sent);
                let refers = |schema: &&Value| schema["$ref"] == *reference || schema["items"]["$ref"] == *reference;
                assert_eq!(found.into_iter().filter(refers).count(), places.len(), "{name} of {places:?}");
            }
        }
    }

    #[test]
    fn answers_name_the_words_that_are_known_and_close_none() {
        let status = value_3_1()["components"]["schemas"]["ImageCacheStatus"].take();
        assert_eq!(status["x-extensible-enum"].as_array().map(Vec::len), Some(Status::ALL.len()));
        assert!(status.get("enum").is_none() && status["type"] == "string", "{status}");
    }
}
