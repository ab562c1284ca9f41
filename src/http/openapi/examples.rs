//! One request and one response of each operation, as a test sent and received them (`tests/it/http/examples.rs`).

use serde_json::Value;

/// By operation id: `request`, the body that is sent, and `response`, the body of its success.
const EXAMPLES: &str = include_str!("../../../openapi/examples.json");

/// Puts the examples beside the schemas of their bodies.
pub(super) fn add(document: &mut Value) {
    let mut examples: Value = serde_json::from_str(EXAMPLES).expect("the examples are JSON, as a test asserts");
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        let Some(example) = operation["operationId"].as_str().and_then(|id| examples.get_mut(id)) else { continue };
        if let Some(body) = operation.get_mut("requestBody") {
            put(body, example["request"].take());
        }
        let responses = operation["responses"].as_object_mut().into_iter().flatten();
        if let Some((_, response)) = responses.into_iter().find(|(status, _)| status.starts_with('2')) {
            put(response, example["response"].take());
        }
    }
}

/// Gives the JSON of a body its example, if there is one.
fn put(body: &mut Value, example: Value) {
    let json = body.get_mut("content").and_then(|content| content.get_mut("application/json"));
    if let (Some(json), false) = (json, example.is_null()) {
        json["example"] = example;
    }
}
