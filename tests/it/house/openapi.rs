//! The documents: the committed ones are what the code prints, and both follow the rules that generated clients need.

use std::collections::BTreeSet;

use eci_cache_gateway::app::access;
use eci_cache_gateway::domain::event::EventType;
use eci_cache_gateway::http::openapi::{document_3_0, document_3_1};
use serde_json::Value;

/// Operations that need no credentials.
const OPEN: [&str; 3] = ["healthz", "readyz", "get_version"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn both() -> [Value; 2] {
    [document_3_1(), document_3_0()].map(|text| serde_json::from_str(&text).expect("the documents are JSON"))
}

/// Every (path, method, operation) under `paths`.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let items = paths.map(|(path, item)| (path, item.as_object().into_iter().flatten()));
    items
        .flat_map(|(path, methods)| methods.map(move |pair| (path, pair)))
        .filter(|(_, (method, _))| METHODS.contains(&method.as_str()))
        .map(|(path, (method, operation))| (path.as_str(), method.as_str(), operation))
        .collect()
}

/// Calls `see` with every value in the document and its JSON pointer.
fn visit(value: &Value, at: &str, see: &mut impl FnMut(&str, &Value)) {
    see(at, value);
    match value {
        Value::Object(object) => {
            for (key, child) in object.iter().filter(|(key, _)| *key != "example") {
                visit(child, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), see);
            }
        }
        Value::Array(items) => {
            for (place, child) in items.iter().enumerate() {
                visit(child, &format!("{at}/{place}"), see);
            }
        }
        _ => {}
    }
}

#[test]
fn the_committed_documents_are_what_the_code_prints() {
    let hint = "differs: print it again with `cargo run -- openapi --spec …`";
    assert!(include_str!("../../../openapi/openapi.json") == document_3_1(), "openapi/openapi.json {hint} 3.1");
    assert!(include_str!("../../../openapi/openapi-3.0.json") == document_3_0(), "openapi/openapi-3.0.json {hint} 3.0");
}

#[test]
fn every_reference_resolves() {
    for document in both() {
        let mut count = 0;
        visit(&document, "", &mut |at, value| {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{at} points to {target}");
                count += 1;
            }
        });
        assert!(count > 100);
    }
}

#[test]
fn every_operation_has_its_own_id_one_tag_and_a_place_in_the_access_table() {
    for document in both() {
        let mut seen = BTreeSet::new();
        let mut tags = BTreeSet::new();
        for (path, method, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(seen.insert(id.to_owned()), "{id} twice");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{id}");
            tags.insert(operation["tags"][0].as_str().unwrap());
            let open = OPEN.contains(&id) || id == access::TOKEN_EXCHANGE;
            assert!(access::of(id).is_some() != open, "{id}");
            let beside = OPEN.contains(&id) || id == "metrics";
            assert_eq!(path.starts_with("/v1/"), !beside, "{id}");
            // Reads whose parameters are too long for a query or contain a token; and one that changes nothing but is
            // not a read.
            let posts = [
                "batch_get_image_caches",
                "match_image_caches",
                "dry_run_image_cache",
                "explain_token",
                access::TOKEN_EXCHANGE,
            ];
            let changes = method != "get" && !posts.contains(&id);
            assert_eq!(access::of(id).is_some_and(|row| row.changes), changes, "{id}");
        }
        let open = OPEN.into_iter().chain([access::TOKEN_EXCHANGE]);
        let all: BTreeSet<_> = access::TABLE.iter().map(|row| row.operation).chain(open).map(str::to_owned).collect();
        assert_eq!(seen, all);
        let told = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap());
        assert_eq!(told.collect::<BTreeSet<_>>(), tags, "TAGS of src/http/rest.rs say what each is about");
    }
}

#[test]
fn scopes_and_audit_levels_are_those_of_the_checks() {
    let [document, _] = both();
    for (_, _, operation) in operations(&document) {
        let Some(row) = access::of(operation["operationId"].as_str().unwrap()) else {
            assert_eq!(operation["security"], serde_json::json!([]));
            continue;
        };
        let scopes: Vec<&str> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        assert_eq!(operation["x-required-scopes"], serde_json::json!(scopes));
        let level = if row.changes { "change" } else { "read" };
        let level = if row.operation == "metrics" { serde_json::Value::Null } else { level.into() };
        assert_eq!(operation["x-audit-level"], level);
        assert_eq!(operation["security"], serde_json::json!([{"bearer": []}]));
    }
    let scheme = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&"http".into(), &"bearer".into()), "{scheme}");
}

#[test]
fn every_operation_tells_its_refusals_in_one_shape_and_its_success_in_one() {
    let [document, _] = both();
    for (path, _, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let responses = operation["responses"].as_object().unwrap();
        let common: &[&str] = match id {
            id if OPEN.contains(&id) => &["500", "503"],
            access::TOKEN_EXCHANGE => &["400", "403", "415", "429", "500", "503"],
            _ => &["401", "403", "429", "500", "503"],
        };
        let told: Vec<String> =
            operation["x-problem-statuses"].as_array().unwrap().iter().map(ToString::to_string).collect();
        let tells = |status: &str| told.iter().any(|one| one == status);
        assert!(common.iter().all(|status| tells(status)), "{id}");
        // The gate has statuses of its own.
        assert_eq!(tells("404"), path.contains('{') || id == "check_gate", "{id}");
        assert!(responses["default"]["description"].as_str().unwrap().contains("429") || !tells("429"), "{id}");
        let mut successes = BTreeSet::new();
        for (status, response) in responses {
            if status.starts_with('2') {
                let content = response["content"].as_object().into_iter().flatten();
                let shapes: Vec<String> = content.map(|(kind, body)| format!("{kind} {}", body["schema"])).collect();
                successes.insert(shapes);
            } else if status != "304" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{id} {status}");
            }
        }
        assert_eq!(successes.len(), 1, "{id}");
    }
}

/// The schemas that responses and webhooks refer to, directly or indirectly.
fn answered(document: &Value) -> BTreeSet<String> {
    fn follow(document: &Value, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                let name = object.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
                if let Some(name) = name
                    && found.insert(name.to_owned())
                {
                    follow(document, &document["components"]["schemas"][name], found);
                }
                object.values().for_each(|inner| follow(document, inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| follow(document, inner, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for (_, _, operation) in operations(document) {
        follow(document, &operation["responses"], &mut found);
    }
    follow(document, &document["webhooks"], &mut found);
    found
}

#[test]
fn nothing_is_null_a_choice_or_an_inline_shape() {
    for document in both() {
        let answered = answered(&document);
        visit(&document, "", &mut |at, value| {
            assert!(value["type"] != "null" && !value["type"].is_array(), "{at} may be null");
            assert!(value.get("nullable").is_none(), "{at} is nullable");
            for word in ["oneOf", "anyOf", "default"] {
                // The `default` of responses is a response.
                assert!(value.get(word).is_none() || at.ends_with("/responses"), "{at} has {word}");
            }
            let component = at.starts_with("/components/schemas/") && at.matches('/').count() == 3;
            let inline_object = value.get("properties").is_some_and(Value::is_object) && value["type"] == "object";
            assert!(component || !inline_object, "{at} is an inline object");
            let closed = value.get("enum").is_some_and(Value::is_array);
            assert!(!closed || component, "{at} closes a set without a name");
            let name = at.trim_start_matches("/components/schemas/");
            assert!(!closed || !answered.contains(name), "{at} closes a set in answers");
            if let Some(format) = value.get("format").and_then(Value::as_str) {
                assert!(["int32", "int64", "double", "date-time", "password"].contains(&format), "{at}: {format}");
            }
        });
    }
}

#[test]
fn each_type_of_event_is_a_webhook_of_the_newer_document_alone() {
    let [new, old] = both();
    let webhooks = new["webhooks"].as_object().unwrap();
    assert_eq!(webhooks.len(), EventType::ALL.len() + 1, "and the challenge");
    for kind in EventType::ALL {
        let post = &webhooks[kind.as_str()]["post"];
        let body = &post["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let schema = new.pointer(body.as_str().unwrap().trim_start_matches('#')).unwrap();
        assert_eq!(schema["properties"]["type"]["const"], kind.as_str(), "{body}");
        let cloud = &post["requestBody"]["content"]["application/cloudevents+json"]["schema"]["$ref"];
        assert_eq!(*cloud, "#/components/schemas/CloudEvent");
        let names: Vec<_> = post["parameters"].as_array().unwrap().iter().map(|header| &header["name"]).collect();
        assert_eq!(names, ["webhook-id", "webhook-timestamp", "webhook-signature"]);
    }
    assert!(old.get("webhooks").is_none());
}

#[test]
fn the_older_document_uses_no_word_of_the_newer() {
    let [_, old] = both();
    assert_eq!(old["openapi"], "3.0.3");
    visit(&old, "", &mut |at, value| {
        for word in ["const", "examples", "propertyNames", "identifier"] {
            assert!(value.get(word).is_none(), "{at} has {word}");
        }
        let siblings =
            value.get("$ref").is_some_and(Value::is_string) && value.as_object().is_some_and(|o| o.len() > 1);
        assert!(!siblings, "{at} has something beside a $ref");
        if let Some(problem) = value.get("application/problem+json") {
            assert_eq!(value.get("application/json"), Some(problem), "{at}");
        }
    });
}
