//! The audit knows every name that a request of the API may contain: its value is shown, or hashed separately.
#![cfg(test)]

use std::collections::BTreeSet;

use eci_cache_gateway::domain::audit::parameters::recorded;
use eci_cache_gateway::http::openapi::document_3_1;
use serde_json::Value;

/// Whole tokens. Not even a hash of one is recorded by itself: only one of all such pairs, under `other`.
const TOKENS: [&str; 2] = ["subject_token", "token"];

/// The parameters of every query, and the members of every body.
fn names(document: &Value) -> BTreeSet<&str> {
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let mut names = BTreeSet::new();
    for operation in operations {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        names.extend(parameters.filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str()));
        let contents = operation["requestBody"]["content"].as_object().into_iter().flat_map(|all| all.values());
        for schema in contents.filter_map(|content| content["schema"]["$ref"].as_str()) {
            let members = &document.pointer(schema.trim_start_matches('#')).unwrap()["properties"];
            names.extend(members.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)));
        }
    }
    names
}

#[test]
fn every_name_of_the_api_is_told_by_the_audit() {
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let is_told =
        |name: &&str| !recorded(&[((*name).to_owned(), "1".to_owned())], |_| String::new()).contains_key("other");
    let untold: Vec<&str> = names(&document).into_iter().filter(|name| !is_told(name)).collect();
    assert_eq!(untold, TOKENS, "a new name has its place in src/domain/audit/parameters.rs: SHOWN or HASHED");
}
