//! The owner of a cache is visible in the cloud, but not to the team.
#![cfg(test)]

use eci_cache_gateway::eci::DescribeQuery;
use serde_json::{Map, Value, json};

use super::{body, register, setup};
use crate::support::gateway::TestGateway;

/// The tags of the only cache in the cloud.
async fn at_cloud(app: &TestGateway) -> Vec<(String, String)> {
    let page = app.cloud_client().describe(&"cn-beijing".parse().unwrap(), &DescribeQuery::default()).await.unwrap();
    assert_eq!(page.caches.len(), 1);
    let mut tags = page.caches.into_iter().next().unwrap().tags;
    tags.retain(|(key, _)| !key.ends_with(":operation") && !key.ends_with(":bucket"));
    tags.sort();
    tags
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_registered_teams_caches_say_whose_they_are() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    let made = app.post("/v1/image-caches", &body(&json!({"tags": {"env": "prod"}}))).await.expect(201);
    let marks = [("eci-cache-gateway:cost-centre", "4711"), ("eci-cache-gateway:team", "web")];
    assert_eq!(at_cloud(&app).await, pairs(&[marks[0], marks[1], ("env", "prod")]));
    let id = made["id"].as_str().unwrap();
    let ready = app.until(id, "ready").await;
    assert_eq!(ready["tags"], json!({"env": "prod"}), "not the team's own");
    // An update replaces all tags, including ours.
    app.patch(&format!("/v1/image-caches/{id}"), &json!({"tags": {"env": "test"}})).await.expect(200);
    let ready = app.until(id, "ready").await;
    assert_eq!(at_cloud(&app).await, pairs(&[marks[0], marks[1], ("env", "test")]));
    app.advance(661);
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!((&ready["tags"], app.cache(id).await.get("drift")), (&json!({"env": "test"}), None));
}

#[tokio::test]
async fn they_find_room_last_of_all() {
    for (own, kept) in [(16, 2), (17, 1), (18, 0), (20, 0)] {
        let app = TestGateway::with(setup()).await;
        register(&app, &json!({})).await;
        let tags: Map<String, Value> = (0..own).map(|number| (format!("k{number:02}"), json!("v"))).collect();
        app.post("/v1/image-caches", &body(&json!({"tags": tags}))).await.expect(201);
        let seen = at_cloud(&app).await;
        assert_eq!(seen.iter().filter(|(key, _)| key.starts_with("eci-cache-gateway:")).count(), kept, "{own}");
        assert_eq!(seen.len(), own + kept, "{own}");
    }
}

#[tokio::test]
async fn who_is_not_registered_is_not_told_of() {
    let app = TestGateway::with(setup()).await;
    app.created().await;
    assert_eq!(at_cloud(&app).await, []);
}
