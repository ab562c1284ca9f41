//! Creates that must be answered within an SDK's timeout: with the ids, or nothing was done.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::http;
use serde_json::{Value, json};

use super::client::{RpcKey, error, success};
use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{Setup, TestGateway};

const NEW: [(&str, &str); 3] = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];

/// A gateway that does not wait long for the cloud, but for the stand-in's first response, however busy the machine is.
fn impatient() -> Setup {
    let http = http::HttpSettings { rpc_deadline: Duration::from_secs(2), ..http::HttpSettings::default() };
    Setup { http, ..Setup::default() }
}

async fn create(app: &TestGateway, key: &RpcKey, token: Option<&str>) -> Answer {
    let mut params = NEW.to_vec();
    params.extend(token.map(|token| ("ClientToken", token)));
    key.post(app, "CreateImageCache", &params).await
}

fn fault(kind: &str, apply: bool) -> Value {
    json!({"action": "CreateImageCache", "kind": kind, "apply": apply})
}

/// Does what is due, including the janitor's work, for a minute.
async fn settle(app: &TestGateway) {
    for _ in 0..30 {
        app.advance(2);
        app.drain().await;
        app.gateway.upkeep().clean().await.unwrap();
    }
}

/// Action, outcome and door of the entries about creates and their ends.
async fn trail(app: &TestGateway) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', action, outcome, door, code, parameters ->> 'reason') FROM audit_entries
               WHERE action ~ 'image_cache$' AND action <> 'observe_image_cache' ORDER BY seq";
    sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap()
}

#[tokio::test]
async fn what_was_not_sent_never_is() {
    let app = TestGateway::with(impatient()).await;
    let key = RpcKey::new(&app).await;
    app.fault(&fault("throttle", false)).await;
    error(&create(&app, &key, Some("token")).await, 503, "ServiceUnavailable");
    settle(&app).await;
    assert_eq!(app.creations().await, 0);
    let cache = app.only_cache().await;
    assert_eq!((&cache["status"], &cache["failure"]["code"]), (&json!("failed"), &json!("withdrawn")));
    assert_eq!(trail(&app).await[1], "withdraw_image_cache succeeded rpc");
    // The token is free again: the repeat is a new request.
    success(&create(&app, &key, Some("token")).await);
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn a_repeat_with_the_token_is_told_how_it_ended() {
    let app = TestGateway::with(impatient()).await;
    let key = RpcKey::new(&app).await;
    app.fault(&fault("error", true)).await;
    error(&create(&app, &key, Some("token")).await, 503, "ServiceUnavailable");
    error(&create(&app, &key, Some("token")).await, 503, "ServiceUnavailable");
    settle(&app).await;
    let told = success(&create(&app, &key, Some("token")).await);
    let cache = app.only_cache().await;
    assert_eq!(
        (&told["ImageCacheId"], &told["ContainerGroupId"]),
        (&cache["eci_cache_id"], &cache["container_group_id"])
    );
    assert_eq!((app.creations().await, &cache["status"]), (1, &json!("ready")));
    let other = [("RegionId", "cn-beijing"), ("ImageCacheName", "api"), ("Image.1", "a"), ("ClientToken", "token")];
    error(&key.post(&app, "CreateImageCache", &other).await, 400, "IdempotentParameterMismatch");
}

#[tokio::test]
async fn what_nobody_can_hear_of_is_removed_again() {
    for apply in [true, false] {
        let app = TestGateway::with(impatient()).await;
        let key = RpcKey::new(&app).await;
        app.fault(&fault("error", apply)).await;
        error(&create(&app, &key, None).await, 503, "ServiceUnavailable");
        settle(&app).await;
        assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE status = 'deleted'").await, 1, "{apply}");
        assert_eq!(app.creations().await, 1);
        let trail = trail(&app).await;
        assert!(trail.contains(&"delete_image_cache accepted worker abandoned".to_owned()), "{trail:?}");
        assert_eq!(app.count("SELECT count(*) FROM operations WHERE abandoned").await, 0);
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_for_the_repeat() {
    let backend = TestGateway::start().await;
    let gate = Gate::before(&backend.cloud()).await;
    let app = backend.second_gateway(Setup { cloud: Some(gate.url.clone()), ..impatient() }).await;
    let key = RpcKey::new(&app).await;
    error(&create(&app, &key, Some("token")).await, 503, "ServiceUnavailable");
    gate.answered(1).await;
    gate.open();
    // The create runs in its own task, so the repeat finds it in progress or done.
    let mut told = create(&app, &key, Some("token")).await;
    while told.status == 503 {
        told = create(&app, &key, Some("token")).await;
    }
    assert_eq!(success(&told)["ImageCacheId"], app.only_cache().await["eci_cache_id"]);
    assert_eq!(app.creations().await, 1);
}
