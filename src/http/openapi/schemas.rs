//! Straightens what utoipa writes and generators stumble over.

use serde_json::{Map, Value};

/// What is put and shown in one shape. An answer may have members that a client does not know, so the document closes
/// none of them, although a body with such a member is refused.
const SHOWN_AS_PUT: [&str; 6] =
    ["Policy", "Issuer", "IssuerKeys", "IssuerRule", "IssuerTeamSource", "IssuerScopeSource"];

/// Parts of other schemas that are sent nowhere by themselves.
const PARTS: [&str; 1] = ["EventBody"];

/// Flattens components that are an `allOf`, and drops `propertyNames` that say nothing.
pub(super) fn tidy(document: &mut Value) {
    strip_property_names(document);
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else { return };
    for name in SHOWN_AS_PUT {
        if let Some(Value::Object(schema)) = schemas.get_mut(name) {
            schema.shift_remove("additionalProperties");
        }
    }
    let originals = schemas.clone();
    for schema in schemas.values_mut() {
        if schema.get("allOf").is_some() {
            *schema = flattened(schema, &originals);
        }
    }
    schemas.retain(|name, _| !PARTS.contains(&name.as_str()));
}

/// One object with the members of all parts: the shape of `#[serde(flatten)]`. The part's own members come first.
fn flattened(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    let parts = whole.shift_remove("allOf").unwrap_or_default();
    let (mut required, mut properties) = (Vec::new(), Map::new());
    for part in parts.as_array().into_iter().flatten().rev() {
        let part = target(part, schemas).unwrap_or(part);
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
        properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
    }
    whole.insert("type".into(), "object".into());
    whole.insert("required".into(), required.into());
    whole.insert("properties".into(), properties.into());
    Value::Object(whole)
}

fn target<'a>(part: &Value, schemas: &'a Map<String, Value>) -> Option<&'a Value> {
    schemas.get(part.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")?)
}

fn strip_property_names(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.shift_remove("propertyNames");
            object.values_mut().for_each(strip_property_names);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_property_names),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flattened_component_is_one_object() {
        let mut document = json!({"components": {"schemas": {
            "Body": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
            "Whole": {"allOf": [
                {"$ref": "#/components/schemas/Body"},
                {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            ], "description": "d"},
        }}});
        tidy(&mut document);
        let expected = json!({
            "description": "d", "type": "object", "required": ["id", "a"],
            "properties": {"id": {"type": "string"}, "a": {"type": "string"}},
        });
        assert_eq!(document["components"]["schemas"]["Whole"], expected);
    }
}
