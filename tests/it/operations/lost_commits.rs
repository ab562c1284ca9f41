//! A database that loses its last commits, as an asynchronous standby may: a caller who repeats a create with its key
//! does not get a second cache in the cloud.
//!
//! Here, what was lost is deleted from the database; `database::failover` tests the same with two servers.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::Value;
use sqlx::Executor as _;

use crate::rpc::client::{RpcKey, success};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};

/// Everything that the database stores about creates, except the audit.
const LOST: &str =
    "DELETE FROM webhook_deliveries; DELETE FROM events; DELETE FROM event_keys; DELETE FROM transitions;
    DELETE FROM idempotency_keys; DELETE FROM owed_answers; DELETE FROM operation_attempts; DELETE FROM operations;
    DELETE FROM image_caches";

async fn lose(app: &TestGateway) {
    app.sql().execute(LOST).await.unwrap();
}

async fn create(app: &TestGateway, path: &str, key: &str, body: &Value) -> Answer {
    let request = app.request(Method::POST, path).json(body).header("prefer", "wait=10");
    Answer::of(request.header("idempotency-key", key)).await
}

/// The cache in the response to a create or ensure.
fn cache(answer: &Value) -> &Value {
    answer.get("image_cache").unwrap_or(answer)
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_create_is_known_again_by_its_key() {
    let app = TestGateway::start().await;
    let body = new_cache("nginx:1.27");
    for path in ["/v1/image-caches", "/v1/image-caches/ensure"] {
        let before = app.creations().await;
        let first = create(&app, path, "key", &body).await.expect(201);
        lose(&app).await;
        let again = create(&app, path, "key", &body).await.expect(201);
        assert_eq!(app.creations().await, before + 1, "{path}: the cloud knew it");
        let (first, again) = (cache(&first), cache(&again));
        assert_ne!(first["id"], again["id"], "the row is another one");
        for name in ["eci_cache_id", "operation_id"] {
            assert_eq!(first[name], again[name], "{path} {name}");
        }
        app.until(&text(again, "id"), "ready").await;
        lose(&app).await;
    }
}

/// The tag of the bucket is another one then, so the cloud sees different parameters.
#[tokio::test]
async fn a_create_that_is_repeated_later_is_found_at_once() {
    let app = TestGateway::start().await;
    let body = new_cache("nginx:1.27");
    let first = create(&app, "/v1/image-caches", "key", &body).await.expect(201);
    lose(&app).await;
    app.advance(121);
    let again = create(&app, "/v1/image-caches", "key", &body).await;
    app.drain().await;
    let again = app.cache(&text(&again.json(), "id")).await;
    assert_eq!((app.creations().await, &again["eci_cache_id"]), (1, &first["eci_cache_id"]));
    let mismatches = "SELECT count(*) FROM operation_attempts WHERE detail LIKE '%IdempotentParameterMismatch%'";
    assert_eq!(app.count(mismatches).await, 1);
    app.until(&text(&again, "id"), "ready").await;
}

#[tokio::test]
async fn and_so_is_one_through_the_clouds_own_api_by_its_token() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let params =
        [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27"), ("ClientToken", "token")];
    let first = success(&key.post(&app, "CreateImageCache", &params).await);
    lose(&app).await;
    let again = success(&key.post(&app, "CreateImageCache", &params).await);
    assert_eq!((app.creations().await, &first["ImageCacheId"]), (1, &again["ImageCacheId"]));
}

#[tokio::test]
async fn another_request_another_key_or_another_team_is_not() {
    let app = TestGateway::start().await;
    create(&app, "/v1/image-caches", "key", &new_cache("nginx:1.27")).await.expect(201);
    lose(&app).await;
    create(&app, "/v1/image-caches", "key", &new_cache("nginx:1.28")).await.expect(201);
    create(&app, "/v1/image-caches", "other", &new_cache("nginx:1.27")).await.expect(201);
    let token = app.token("data", &crate::support::gateway::SCOPES);
    let request = app.bare(Method::POST, "/v1/image-caches").bearer_auth(token).header("idempotency-key", "key");
    Answer::of(request.json(&new_cache("nginx:1.27"))).await.expect(201);
    assert_eq!(app.creations().await, 4);
}

/// Adopts what is in the cloud; returns its id.
async fn adopt(app: &TestGateway, imc: &str) -> String {
    let order = serde_json::json!({"region": "cn-beijing", "eci_cache_id": imc});
    let request = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(app.token(TEAM, &Scope::PLATFORM));
    let adopted = Answer::of(request.json(&order)).await.expect(200);
    text(&adopted["adopted"][0], "image_cache_id")
}

#[tokio::test]
async fn what_was_adopted_meanwhile_is_not_given_to_the_repeat() {
    let app = TestGateway::start().await;
    let body = new_cache("nginx:1.27");
    let first = create(&app, "/v1/image-caches", "key", &body).await.expect(201);
    lose(&app).await;
    let adopted = adopt(&app, &text(&first, "eci_cache_id")).await;
    let again = create(&app, "/v1/image-caches", "key", &body).await.expect(422);
    assert_eq!(again["provider_code"], "image_cache_taken", "{again}");
    assert_eq!(app.creations().await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE state NOT IN ('succeeded', 'refused')").await, 0);
    app.until(&adopted, "ready").await;
}

#[tokio::test]
async fn an_id_that_the_cloud_uses_again_is_taken_from_what_has_ended() {
    let app = TestGateway::start().await;
    let body = new_cache("nginx:1.27");
    let first = create(&app, "/v1/image-caches", "key", &body).await.expect(201);
    lose(&app).await;
    let adopted = adopt(&app, &text(&first, "eci_cache_id")).await;
    let ended = "UPDATE image_caches SET status = 'deleted', version = version + 1";
    app.sql().execute(ended).await.unwrap();
    let again = create(&app, "/v1/image-caches", "key", &body).await.expect(201);
    assert_eq!(again["eci_cache_id"], first["eci_cache_id"]);
    assert_eq!(app.cache(&adopted).await["eci_cache_id"], Value::Null, "it has ended, and has it no more");
    app.until(&text(&again, "id"), "ready").await;
}

#[tokio::test]
async fn a_key_that_was_forgotten_makes_a_new_cache_and_that_is_known_again() {
    // Forgotten long before the cloud forgets its tokens.
    let settings = app::GatewaySettings { keep_keys: Duration::from_mins(1), ..Setup::default().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    let body = new_cache("nginx:1.27");
    let mut caches = vec![];
    for made in 1..=3 {
        app.advance(61);
        app.gateway.upkeep().clean().await.unwrap();
        assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await, 0);
        let cache = create(&app, "/v1/image-caches", "nightly", &body).await.expect(201);
        assert_eq!(app.creations().await, made, "it is not given the cache of before");
        caches.push((text(&cache, "operation_id"), text(&cache, "eci_cache_id")));
    }
    // The last one is lost: the repeat gets the same operation and cache again.
    let (operation, cache) = caches.last().unwrap();
    let mut transaction = app.sql().begin().await.unwrap();
    transaction.execute("SET LOCAL session_replication_role = replica").await.unwrap();
    let lost = sqlx::query("DELETE FROM image_caches WHERE eci_cache_id = $1").bind(cache);
    lost.execute(&mut *transaction).await.unwrap();
    for sql in [
        "DELETE FROM operations WHERE image_cache NOT IN (SELECT id FROM image_caches)",
        "DELETE FROM operation_attempts WHERE operation NOT IN (SELECT id FROM operations)",
        "DELETE FROM idempotency_keys",
    ] {
        transaction.execute(sql).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let again = create(&app, "/v1/image-caches", "nightly", &body).await.expect(201);
    assert_eq!((&text(&again, "operation_id"), &text(&again, "eci_cache_id")), (operation, cache));
    assert_eq!(app.creations().await, 3);
}
