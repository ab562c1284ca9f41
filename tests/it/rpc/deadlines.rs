//! How long a change is waited for, and the response if it takes longer.
#![cfg(test)]

use std::time::{Duration, Instant};

use eci_cache_gateway::http;
use serde_json::{Value, json};

use super::client::{RpcKey, error, send_as_terraform, success};
use crate::support::gate::Gate;
use crate::support::gateway::{Setup, TestGateway};

const REGION: (&str, &str) = ("RegionId", "cn-beijing");

/// A gateway that waits this long for unknown callers.
fn waiting(max_wait: Duration) -> Setup {
    Setup { http: http::HttpSettings { rpc_deadline: max_wait, ..http::HttpSettings::default() }, ..Setup::default() }
}

/// A ready cache: its id and the cloud's.
async fn ready(app: &TestGateway) -> (String, String) {
    let id = app.created().await;
    let cache = app.until(&id, "ready").await;
    (id, cache["eci_cache_id"].as_str().unwrap().to_owned())
}

fn throttled(action: &str) -> Value {
    json!({"action": action, "kind": "throttle", "apply": false})
}

/// Waits until an attempt was postponed.
async fn put_off(app: &TestGateway) {
    let put_off = "SELECT count(*) FROM operations WHERE state = 'running' AND attempts = 1 AND lease_token IS NULL";
    while app.count(put_off).await == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_throttled_change_is_tried_again_within_the_patience() {
    let app = TestGateway::with(waiting(Duration::from_mins(1))).await;
    let key = RpcKey::new(&app).await;
    let (_, cloud_id) = ready(&app).await;
    let target = [REGION, ("ImageCacheId", cloud_id.as_str())];
    let update = [target[0], target[1], ("Image.1", "nginx:1.28")];
    for (action, params) in [("UpdateImageCache", &update[..]), ("DeleteImageCache", &target[..])] {
        app.fault(&throttled(action)).await;
        let asked = key.post(&app, action, params);
        let meanwhile = async {
            put_off(&app).await;
            app.advance(2);
            app.drain().await;
        };
        let (answer, ()) = tokio::join!(asked, meanwhile);
        success(&answer);
        app.advance(60);
        app.drain().await;
    }
    let seen = success(&key.get(&app, "DescribeImageCaches", &target).await);
    assert_eq!(seen["ImageCaches"], json!([]));
}

#[tokio::test]
async fn what_is_not_done_in_time_says_what_remains_and_that_a_repeat_is_safe() {
    let app = TestGateway::with(waiting(Duration::from_millis(300))).await;
    let key = RpcKey::new(&app).await;
    let (id, cloud_id) = ready(&app).await;
    let target = [REGION, ("ImageCacheId", cloud_id.as_str())];
    app.fault(&throttled("DeleteImageCache")).await;
    let began = Instant::now();
    let told = error(&key.post(&app, "DeleteImageCache", &target).await, 503, "ServiceUnavailable");
    assert!(began.elapsed() >= Duration::from_millis(300), "the max_wait was used");
    let message = told["Message"].as_str().unwrap();
    assert!(message.contains("The deletion was recorded") && message.contains("a repeat is safe"), "{message}");
    // A repeat joins the delete that is in progress.
    let asked = key.post(&app, "DeleteImageCache", &target);
    error(&asked.await, 503, "ServiceUnavailable");
    app.until(&id, "deleted").await;
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE kind = 'delete'").await, 1);

    let create = [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
    app.fault(&throttled("CreateImageCache")).await;
    let told = error(&key.post(&app, "CreateImageCache", &create).await, 503, "ServiceUnavailable");
    assert!(told["Message"].as_str().unwrap().contains("Nothing was sent to the cloud, and nothing will be"), "{told}");
    for (token, said) in [(None, "the gateway deletes it"), (Some("t"), "Repeat it with the same ClientToken")] {
        app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
        let mut params = create.to_vec();
        params.extend(token.map(|token| ("ClientToken", token)));
        let told = error(&key.post(&app, "CreateImageCache", &params).await, 503, "ServiceUnavailable");
        assert!(told["Message"].as_str().unwrap().contains(said), "{told}");
    }
}

/// The cloud answers only after the time that unknown callers wait.
#[tokio::test]
async fn a_caller_that_waits_longer_is_answered_by_a_slow_cloud() {
    let backend = TestGateway::start().await;
    let gate = Gate::before(&backend.cloud()).await;
    let setup = Setup { cloud: Some(gate.url.clone()), ..waiting(Duration::from_millis(50)) };
    let app = backend.second_gateway(setup).await;
    let key = RpcKey::new(&app).await;
    let create = [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
    let asked = send_as_terraform(&app, &key, "CreateImageCache", &create);
    let meanwhile = async {
        gate.answered(1).await;
        // A caller with an unknown timeout has been answered by then.
        let unknown = key.post(&app, "CreateImageCache", &create).await;
        error(&unknown, 503, "ServiceUnavailable");
        gate.open();
    };
    let (answer, ()) = tokio::join!(asked, meanwhile);
    success(&answer);
    assert_eq!(app.creations().await, 2, "each once");
}

#[tokio::test]
async fn a_wait_that_is_asked_for_counts() {
    let app = TestGateway::with(waiting(Duration::from_mins(10))).await;
    let key = RpcKey::new(&app).await;
    app.fault(&throttled("CreateImageCache")).await;
    let create = [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
    let request = key.v3(&app, "CreateImageCache", &create, true).header("prefer", "wait=1");
    error(&crate::support::answer::Answer::of(request).await, 503, "ServiceUnavailable");
}

#[tokio::test]
async fn whoever_waits_for_the_database_is_answered_before_giving_up() {
    let app = TestGateway::with(waiting(Duration::from_millis(50))).await;
    let key = RpcKey::new(&app).await;
    let mut held = app.sql().begin().await.unwrap();
    sqlx::query("LOCK TABLE access_keys IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let told = error(&key.post(&app, "DescribeImageCaches", &[REGION]).await, 503, "ServiceUnavailable");
    assert!(told["Message"].as_str().unwrap().contains("No answer was ready in time"), "{told}");
    held.rollback().await.unwrap();
}
