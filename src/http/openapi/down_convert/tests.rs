//! What of 3.1 is said otherwise in 3.0.

use super::*;

fn converted(schema: &Value) -> Value {
    let document = json!({"openapi": "3.1.0", "components": {"schemas": {"S": schema}}});
    to_3_0(document)["components"]["schemas"]["S"].take()
}

#[test]
fn null_becomes_a_flag() {
    assert_eq!(converted(&json!({"type": ["string", "null"]})), json!({"type": "string", "nullable": true}));
    let choice = json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/T"}]});
    assert_eq!(converted(&choice), json!({"allOf": [{"$ref": "#/components/schemas/T"}], "nullable": true}));
}

#[test]
fn a_reference_with_a_description_is_wrapped() {
    let sibling = json!({"$ref": "#/components/schemas/T", "description": "d"});
    assert_eq!(converted(&sibling), json!({"description": "d", "allOf": [{"$ref": "#/components/schemas/T"}]}));
    let bare = json!({"$ref": "#/components/schemas/T"});
    assert_eq!(converted(&bare), bare);
}

#[test]
fn keywords_of_the_newer_version_are_replaced() {
    assert_eq!(converted(&json!({"const": "a"})), json!({"enum": ["a"]}));
    assert_eq!(converted(&json!({"examples": [1, 2]})), json!({"example": 1}));
    assert_eq!(converted(&json!({"exclusiveMinimum": 0})), json!({"minimum": 0, "exclusiveMinimum": true}));
    assert_eq!(converted(&json!({"type": "object", "propertyNames": {}})), json!({"type": "object"}));
}

#[test]
fn a_property_may_be_called_like_a_keyword() {
    let schema = json!({"type": "object", "properties": {"const": {"type": "string"}, "examples": {"const": 1}}});
    let expected = json!({"type": "object", "properties": {"const": {"type": "string"}, "examples": {"enum": [1]}}});
    assert_eq!(converted(&schema), expected);
}

#[test]
fn webhooks_go_and_problems_are_json_too() {
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    let document = json!({
        "openapi": "3.1.0", "webhooks": {}, "info": {"license": {"name": "x", "identifier": "x"}},
        "paths": {"/x": {"get": {"responses": {"default": {"content": {"application/problem+json": problem}}}}}},
    });
    let old = to_3_0(document);
    assert_eq!(old["openapi"], "3.0.3");
    assert!(old.get("webhooks").is_none());
    assert_eq!(old["info"]["license"], json!({"name": "x", "url": "https://spdx.org/licenses/x.html"}));
    let responses = &old["paths"]["/x"]["get"]["responses"];
    assert_eq!(responses.as_object().unwrap().keys().collect::<Vec<_>>(), ["4XX", "5XX"]);
    for status in ["4XX", "5XX"] {
        assert_eq!(responses[status]["content"]["application/json"], problem);
    }
}
