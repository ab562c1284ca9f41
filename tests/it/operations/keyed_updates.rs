//! An update that is repeated with its `Idempotency-Key` is one build, which is paid for once.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;

const UPDATES: &str = "SELECT count(*) FROM operations WHERE kind = 'update'";

/// A gateway with an image cache that is ready, and its path.
async fn ready() -> (TestGateway, String, String) {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    (app, format!("/v1/image-caches/{id}"), id)
}

async fn update(app: &TestGateway, path: &str, body: &Value) -> Answer {
    let request = app.request(Method::PATCH, path).json(body).header("prefer", "wait=10");
    Answer::of(request.header("idempotency-key", "key")).await
}

fn next() -> Value {
    json!({"images": ["nginx:1.28"]})
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_whatever_has_become_of_it() {
    let (app, path, id) = ready().await;
    let tag = app.get(&path).await.header("etag").to_owned();
    let request = || app.request(Method::PATCH, &path).json(&next()).header("idempotency-key", "key");
    let first = Answer::of(request().header("if-match", &tag)).await;
    first.expect(200);
    for status in ["updating", "ready"] {
        app.until(&id, status).await;
        let again = Answer::of(request().header("if-match", &tag)).await;
        assert_eq!((&again.text, again.header("etag")), (&first.text, first.header("etag")));
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
        assert_eq!(again.header("image-cache-status"), status);
    }
    assert_eq!(app.count(UPDATES).await, 1);
}

#[tokio::test]
async fn another_body_or_another_image_cache_with_its_key_is_refused() {
    let (app, path, _) = ready().await;
    let other = app.created().await;
    app.until(&other, "ready").await;
    update(&app, &path, &next()).await.expect(200);
    update(&app, &path, &json!({"images": ["nginx:1.29"]})).await.problem(422, "idempotency_key_reused");
    update(&app, &format!("/v1/image-caches/{other}"), &next()).await.problem(422, "idempotency_key_reused");
    assert_eq!(app.count(UPDATES).await, 1);
}

/// What is lost with the last commits.
const LOST: [&str; 7] =
    ["event_keys", "events", "idempotency_keys", "image_caches", "operation_attempts", "operations", "transitions"];

#[tokio::test]
async fn one_that_was_lost_by_a_failover_is_known_again_by_its_operation() {
    let (app, path, id) = ready().await;
    for table in LOST {
        app.sql().execute(AssertSqlSafe(format!("CREATE TABLE before_{table} AS TABLE {table}"))).await.unwrap();
    }
    let first = update(&app, &path, &next()).await.expect(200);
    let mut transaction = app.sql().begin().await.unwrap();
    transaction.execute("SET LOCAL session_replication_role = replica").await.unwrap();
    for table in LOST {
        let back = format!(
            "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM before_{table};
            DROP TABLE before_{table}"
        );
        transaction.execute(sqlx::raw_sql(AssertSqlSafe(back))).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(app.cache(&id).await["status"], "ready");
    update(&app, &path, &next()).await;
    let again = app.until(&id, "updating").await;
    assert_eq!(again["operation_id"], first["operation_id"], "so the cloud knows its ClientToken");
    app.until(&id, "ready").await;
    assert_eq!(app.count(UPDATES).await, 1);
}
