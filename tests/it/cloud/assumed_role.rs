//! A gateway whose key assumes a role: one request creates one cache, whichever credentials sign it.
#![cfg(test)]

use serde_json::json;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

async fn start() -> TestGateway {
    TestGateway::with(Setup { role: Some("caches"), ..Setup::default() }).await
}

/// Ends every session in the cloud.
async fn end_sessions(app: &TestGateway) {
    let url = format!("{}/_admin/end-sessions", app.cloud());
    Answer::of(reqwest::Client::builder().no_proxy().build().unwrap().post(url)).await.expect(200);
}

async fn assumed(app: &TestGateway) -> u64 {
    app.ledger().await["calls"]["AssumeRole"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_cache_becomes_ready_and_one_fetch_was_enough() {
    let app = start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    assert_eq!(assumed(&app).await, 1);
}

#[tokio::test]
async fn a_lost_answer_and_a_new_session_make_one_cache() {
    let app = start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    end_sessions(&app).await;
    app.until(cache["id"].as_str().unwrap(), "ready").await;
    assert_eq!((app.creations().await, assumed(&app).await), (1, 2));
    let operation = app.get(&format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&operation["status"], &operation["attempts"]), (&json!("succeeded"), &json!(2)));
}

#[tokio::test]
async fn while_the_role_cannot_be_assumed_nothing_is_in_doubt() {
    let app = start().await;
    let down = json!({"action": "AssumeRole", "kind": "error", "http": 403, "code": "NoPermission", "times": 2});
    app.fault(&down).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    let id = cache["id"].as_str().unwrap();
    assert_eq!(app.creations().await, 0);
    let operation = format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap());
    assert_eq!(app.get(&operation).await.expect(200)["waits_for"], "cloud_credentials");
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE in_doubt").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM operation_attempts WHERE outcome = 'not_sent'").await, 1);
    app.until(id, "ready").await;
    assert_eq!(app.get(&operation).await.expect(200).get("waits_for"), None);
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn credentials_that_the_cloud_ended_are_no_refusal_of_the_caller() {
    let app = start().await;
    app.created().await;
    // New credentials are also refused at once: the operation waits, and is not refused.
    let ended = json!({"action": "CreateImageCache", "kind": "error", "http": 403,
        "code": "InvalidSecurityToken.Expired", "times": 2});
    app.fault(&ended).await;
    let cache = app.create("nginx:1.28").await.expect(202);
    assert_eq!(assumed(&app).await, 2);
    app.until(cache["id"].as_str().unwrap(), "ready").await;
    assert_eq!(app.creations().await, 2);
}
