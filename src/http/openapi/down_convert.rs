//! The document in version 3.0.3 out of 3.1, for generators that cannot read the newer one.

use serde_json::{Map, Value, json};

/// Members whose value is a map from names to things: the names are not keywords.
const MAPS: [&str; 9] =
    ["properties", "schemas", "responses", "headers", "content", "paths", "securitySchemes", "examples", "callbacks"];
/// Members that hold plain values, not schemas.
const VALUES: [&str; 5] = ["enum", "example", "default", "required", "security"];

/// The same document in the older version; what 3.0 cannot say is left out.
pub(super) fn to_3_0(mut document: Value) -> Value {
    if let Value::Object(root) = &mut document {
        root.insert("openapi".into(), "3.0.3".into());
        root.shift_remove("webhooks");
        root.shift_remove("jsonSchemaDialect");
    }
    if let Some(Value::Object(info)) = document.get_mut("info") {
        info.shift_remove("summary");
        if let Some(Value::Object(license)) = info.get_mut("license")
            && let Some(Value::String(id)) = license.shift_remove("identifier")
        {
            license.insert("url".into(), format!("https://spdx.org/licenses/{id}.html").into());
        }
    }
    walk(&mut document);
    document
}

fn walk(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Object(object) => {
            convert(object);
            for (name, child) in object.iter_mut() {
                match child {
                    Value::Object(map) if MAPS.contains(&name.as_str()) => map.values_mut().for_each(walk),
                    _ if VALUES.contains(&name.as_str()) || name.starts_with("x-") => {}
                    _ => walk(child),
                }
            }
        }
        _ => {}
    }
}

fn convert(object: &mut Map<String, Value>) {
    type_list(object);
    null_choice(object);
    reference_with_siblings(object);
    if let Some(only) = object.shift_remove("const") {
        object.insert("enum".into(), json!([only]));
    }
    if let Some(Value::Array(examples)) = object.get("examples") {
        let first = examples.first().cloned();
        object.shift_remove("examples");
        first.map(|example| object.insert("example".into(), example));
    }
    exclusive(object, "exclusiveMinimum", "minimum");
    exclusive(object, "exclusiveMaximum", "maximum");
    if let Some(Value::Object(responses)) = object.get_mut("responses")
        && let Some(problem) = responses.shift_remove("default")
    {
        // progenitor takes a default for a success, too.
        responses.insert("4XX".into(), problem.clone());
        responses.insert("5XX".into(), problem);
    }
    for unknown in ["propertyNames", "contentMediaType", "contentEncoding", "$comment", "$schema"] {
        object.shift_remove(unknown);
    }
    if let Some(Value::Object(content)) = object.get_mut("content") {
        // Some generators read only application/json.
        if let Some(problem) = content.get("application/problem+json").cloned() {
            content.insert("application/json".into(), problem);
        }
    }
}

/// `type: [x, null]` becomes `type: x, nullable: true`.
fn type_list(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get("type") else { return };
    let nullable = types.iter().any(|name| name == "null");
    let first = types.iter().find(|name| *name != "null").cloned();
    match first {
        Some(name) => object.insert("type".into(), name),
        None => object.shift_remove("type"),
    };
    if nullable {
        object.insert("nullable".into(), true.into());
    }
}

/// A choice between null and one other becomes that one, nullable.
fn null_choice(object: &mut Map<String, Value>) {
    for word in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = object.get(word) else { continue };
        let rest: Vec<Value> = choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
        if rest.len() == choices.len() {
            continue;
        }
        object.shift_remove(word);
        let word = if rest.len() == 1 { "allOf" } else { word };
        object.insert(word.into(), rest.into());
        object.insert("nullable".into(), true.into());
    }
}

/// 3.0 ignores what stands beside a `$ref`, so the reference moves into an `allOf`.
fn reference_with_siblings(object: &mut Map<String, Value>) {
    if object.len() < 2 || !object.get("$ref").is_some_and(Value::is_string) {
        return;
    }
    if let Some(target) = object.shift_remove("$ref") {
        object.insert("allOf".into(), json!([{"$ref": target}]));
    }
}

/// A number in 3.1, a flag beside the limit in 3.0.
fn exclusive(object: &mut Map<String, Value>, flag: &str, limit: &str) {
    if object.get(flag).is_some_and(Value::is_number) {
        let number = object.shift_remove(flag).unwrap_or_default();
        object.insert(limit.into(), number);
        object.insert(flag.into(), true.into());
    }
}

#[cfg(test)]
mod tests;
