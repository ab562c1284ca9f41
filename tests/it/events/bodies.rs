//! The bodies of events: the cache, what changed, and why it failed.
#![cfg(test)]

use serde_json::{Value, json};

use crate::support::gateway::TestGateway;

async fn of_type(app: &TestGateway, kind: &str) -> Value {
    let all = app.events().await;
    let found = all.iter().find(|event| event["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {all:?}")).clone()
}

#[tokio::test]
async fn every_event_tells_the_cache_and_what_changed() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let ready = app.until(&id, "ready").await;
    let event = of_type(&app, "image_cache.ready").await;
    assert_eq!((&event["version"], &event["data"]["image_cache"]), (&json!(1), &ready));
    assert_eq!((&event["data"]["generation"], &event["data"]["sequence"]), (&json!(1), &json!(4)));
    assert_eq!(event["data"]["changed"], json!({"status": {"from": "creating", "to": "ready"}}));
    assert_eq!(event["data"].get("provider_events"), None);
    let wanted = json!({"images": ["nginx:1.28"], "retention_days": 3});
    app.patch(&format!("/v1/image-caches/{id}"), &wanted).await.expect(200);
    let updating = of_type(&app, "image_cache.updating").await;
    let fields = json!([
        {"field": "images", "from": "[\"nginx:1.27\"]", "to": "[\"nginx:1.28\"]"},
        {"field": "retention_days", "to": "3"},
    ]);
    let changed = json!({"status": {"from": "ready", "to": "updating"}, "fields": fields});
    assert_eq!((&updating["data"]["changed"], &updating["data"]["generation"]), (&changed, &json!(2)));
}

#[tokio::test]
async fn a_failure_tells_why_and_what_the_cloud_said() {
    let app = TestGateway::start().await;
    let id = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "failed").await;
    let data = &of_type(&app, "image_cache.failed").await["data"];
    let failure = &data["image_cache"]["failure"];
    assert_eq!((&failure["cause"], &failure["retryable"]), (&json!("image_not_found"), &json!(false)));
    assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{failure}");
    let record = app.get(&format!("/v1/image-caches/{id}/provider-record")).await.expect(200);
    assert_eq!(data["provider_events"], record["events"], "all of them, for they are few");
    assert_eq!(data.get("left_out"), None);
}
