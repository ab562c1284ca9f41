//! What a client has to know before it can ask: regions, types of events, the version.
#![cfg(test)]

use eci_cache_gateway::domain::event::EventType;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

#[tokio::test]
async fn regions_are_allowed_as_the_policy_says() {
    let app = TestGateway::start().await;
    let regions = async || app.get("/v1/regions").await.expect(200);
    assert_eq!(regions().await, json!({"items": [], "others_allowed": true}), "nobody limits them");
    let admin = app.token(TEAM, &Scope::ALL);
    let policy = json!({"regions": ["cn-beijing", "ap-southeast-1"]});
    let request = app.bare(Method::PUT, "/v1/default-policy").bearer_auth(admin).json(&policy);
    Answer::of(request).await.expect(200);
    let both = json!([{"id": "ap-southeast-1", "allowed": true}, {"id": "cn-beijing", "allowed": true}]);
    assert_eq!(regions().await, json!({"items": both, "others_allowed": false}));
}

#[tokio::test]
async fn every_type_of_event_is_explained() {
    let app = TestGateway::start().await;
    let types = app.get("/v1/event-types").await.expect(200);
    let items = types["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, EventType::ALL.map(EventType::as_str));
    assert!(items.iter().all(|item| item["meaning"].as_str().is_some_and(|text| text.ends_with('.'))), "{items:?}");
}

#[tokio::test]
async fn the_version_needs_no_credential() {
    let app = TestGateway::start().await;
    let version = Answer::of(app.bare(Method::GET, "/version")).await.expect(200);
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    assert_eq!(
        (&version["version"], &version["api_version"]),
        (&json!(env!("CARGO_PKG_VERSION")), &document["info"]["version"])
    );
    assert_eq!(app.count("SELECT count(*) FROM audit_entries").await, 0, "it is none of the API");
}
