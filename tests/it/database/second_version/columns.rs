//! Tables are altered while a gateway runs, as by each migration of a later version.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::store::PoolSizes;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::http::coverage::walk;
use crate::rpc::client::{RpcKey, success};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};
use crate::support::hook::Hook;

/// Few connections, so that each has prepared all statements.
fn narrow() -> Setup {
    Setup { sizes: PoolSizes { requests: 1, workers: 2, acquire: Duration::from_secs(20) }, ..Setup::default() }
}

/// A POST by a caller who may do everything for [`TEAM`].
async fn of_owner(app: &TestGateway, path: &str, body: &Value) -> Answer {
    Answer::of(app.bare(Method::POST, path).bearer_auth(app.token(TEAM, &Scope::ALL)).json(body)).await
}

/// Executes a statement for each of our tables.
async fn for_each_table(app: &TestGateway, sql: impl Fn(&str) -> String) {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
         AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1",
    )
    .fetch_all(app.sql())
    .await
    .unwrap();
    assert!(tables.len() > 25, "{tables:?}");
    for table in tables {
        sqlx::query(AssertSqlSafe(sql(&table))).execute(app.sql()).await.unwrap();
    }
}

/// Uses all doors and lets all workers work; returns the responses.
async fn use_everything(app: &TestGateway, hook: &Hook, key: &RpcKey) -> Vec<(String, u16)> {
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let mut answered = walk(app, &app.token(TEAM, &Scope::ALL)).await;
    for (method, path) in [
        (Method::GET, format!("/v1/image-caches/{id}/transitions")),
        (Method::GET, format!("/v1/image-caches/{id}/provider-record")),
        (Method::GET, "/v1/image-caches?status=deleting&limit=1".into()),
        (Method::GET, "/v1/image-caches?drifted=true".into()),
        (Method::GET, "/v1/events?type=image_cache.ready".into()),
        (Method::GET, "/v1/audit-entries?outcome=succeeded&limit=2".into()),
        (Method::GET, format!("/v1/deliveries?webhook_endpoint_id={endpoint}")),
        (Method::GET, "/v1/gate?region=cn-beijing&image=nginx:1.27".into()),
        (Method::DELETE, format!("/v1/webhook-endpoints/{endpoint}")),
        (Method::GET, "/readyz".into()),
    ] {
        let answer = app.request(method.clone(), &path).send().await.unwrap();
        let path = path.replace(&id, "{id}").replace(&endpoint, "{endpoint}");
        answered.push((format!("{method} {path}"), answer.status().as_u16()));
    }
    rpc(app, key).await;
    app.advance(700);
    app.drain().await;
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    app.gateway.upkeep().clean().await.unwrap();
    app.gateway.upkeep().beat("a test").await.unwrap();
    app.gateway.base().keep_time().await.unwrap();
    app.gateway.upkeep().may_begin().await.unwrap();
    app.seal().await;
    answered
}

/// The lifecycle of a cache through the cloud's own API.
async fn rpc(app: &TestGateway, key: &RpcKey) {
    let create = [("RegionId", "cn-beijing"), ("ImageCacheName", "by-rpc"), ("Image.1", "redis:7")];
    let made = success(&key.get(app, "CreateImageCache", &create).await);
    let id = made["ImageCacheId"].as_str().unwrap().to_owned();
    app.drain().await;
    let place = [("RegionId", "cn-beijing"), ("ImageCacheId", &*id)];
    assert_eq!(success(&key.get(app, "DescribeImageCaches", &place).await)["ImageCaches"].as_array().unwrap().len(), 1);
    success(&key.get(app, "DeleteImageCache", &place).await);
}

#[tokio::test]
async fn a_column_in_every_table_changes_nothing() {
    let app = TestGateway::with(narrow()).await;
    let (hook, key) = (Hook::start().await, RpcKey::new(&app).await);
    // Twice before, because the first time creates things that exist afterwards.
    use_everything(&app, &hook, &key).await;
    let before = use_everything(&app, &hook, &key).await;
    for_each_table(&app, |table| format!("ALTER TABLE {table} ADD COLUMN of_tomorrow text DEFAULT 'x'")).await;
    let after = use_everything(&app, &hook, &key).await;
    assert_eq!(after, before);
    let failed: Vec<_> = after.iter().filter(|(_, status)| *status >= 500).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn a_plan_that_no_longer_fits_is_made_anew() {
    let app = TestGateway::with(narrow()).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let path = format!("/v1/image-caches/{id}/provider-record");
    let body = json!({"name": "ci", "scopes": ["read"]});
    let made = of_owner(&app, "/v1/api-keys", &body).await.expect(201);
    let rotate = format!("/v1/api-keys/{}/rotate", made["id"].as_str().unwrap());
    let rotate = async || of_owner(&app, &rotate, &json!({})).await;
    app.get(&path).await.expect(200);
    rotate().await.expect(200);
    // The result type of a statement changes although its columns are named.
    for (table, column) in [("image_caches", "name"), ("operations", "subject"), ("api_keys", "name")] {
        let sql = format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(1000)");
        sqlx::query(AssertSqlSafe(sql)).execute(app.sql()).await.unwrap();
    }
    // The read before the change notices it first, and is repeated on new connections.
    rotate().await.expect(200);
    app.get(&path).await.expect(200);
    // Single statements are repeated, so nobody notices.
    for length in [2_000, 3_000] {
        let sql = format!("ALTER TABLE image_caches ALTER COLUMN name TYPE varchar({length})");
        sqlx::query(AssertSqlSafe(sql)).execute(app.sql()).await.unwrap();
        app.get(&path).await.expect(200);
    }
    app.patch(&format!("/v1/image-caches/{id}"), &json!({"images": ["nginx:1.28"]})).await.expect(200);
    app.until(&id, "ready").await;
    assert_eq!(app.delete(&format!("/v1/image-caches/{id}")).await.status / 100, 2);
}
