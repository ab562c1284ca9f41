//! The stored representations of image caches are used only while they are valid.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::gateway::TestGateway;

/// Waits until the representation of the only image cache is stored.
async fn kept(app: &TestGateway) {
    let kept = "SELECT count(*) FROM image_caches WHERE rendered_version = version AND rendered_form IS NOT NULL";
    while app.count(kept).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Changes the name only in the stored representation.
async fn mark(app: &TestGateway) {
    let done = sqlx::query("UPDATE image_caches SET rendered = replace(rendered, '\"name\":\"', '\"name\":\"kept-')")
        .execute(app.sql())
        .await;
    assert_eq!(done.unwrap().rows_affected(), 1);
}

async fn names(app: &TestGateway, id: &str) -> [Value; 2] {
    let listed = app.items("/v1/image-caches").await;
    [app.cache(id).await["name"].take(), listed[0]["name"].clone()]
}

async fn one(app: &TestGateway) -> String {
    let body = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1"], "tags": {"a": "b"}});
    let id = app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    kept(app).await;
    id
}

#[tokio::test]
async fn what_is_kept_is_shown_until_the_row_changes() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    assert_eq!(names(&app, &id).await, ["web", "web"]);
    mark(&app).await;
    assert_eq!(names(&app, &id).await, ["kept-web", "kept-web"], "it is what is read");
    // The version changes, so code that changes a row need not know about stored representations.
    app.patch(&format!("/v1/image-caches/{id}"), &json!({"tags": {"a": "c"}})).await;
    assert_eq!(names(&app, &id).await, ["web", "web"]);
    assert_eq!(app.cache(&id).await["tags"], json!({"a": "c"}));
}

#[tokio::test]
async fn what_is_repaired_by_hand_is_shown() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    let sql = "UPDATE image_caches SET spec = jsonb_set(spec, '{name}', '\"repaired\"')";
    sqlx::query(sql).execute(app.sql()).await.unwrap();
    assert_eq!(names(&app, &id).await, ["repaired", "repaired"]);
}

#[tokio::test]
async fn another_form_is_not_shown() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    mark(&app).await;
    sqlx::query("UPDATE image_caches SET rendered_form = rendered_form + 1").execute(app.sql()).await.unwrap();
    assert_eq!(names(&app, &id).await, ["web", "web"]);
}

#[tokio::test]
async fn it_is_the_same_whether_kept_or_made() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    let path = format!("/v1/image-caches/{id}");
    let from_what_is_kept = app.get(&path).await;
    sqlx::query("UPDATE image_caches SET rendered = NULL").execute(app.sql()).await.unwrap();
    let made = app.get(&path).await;
    assert_eq!(made.text, from_what_is_kept.text);
    for header in ["etag", "content-type"] {
        assert_eq!(made.header(header), from_what_is_kept.header(header));
    }
    let tag = made.header("etag").to_owned();
    let unchanged = app.request(Method::GET, &path).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(unchanged.status(), 304);
}

#[tokio::test]
async fn a_failure_is_told_in_the_words_of_this_binary() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    let failure = json!({"code": "InvalidParameter", "message": "m", "retryable": false});
    let sql = "UPDATE image_caches SET status = 'failed', failure = $1, version = version + 1";
    sqlx::query(sql).bind(failure).execute(app.sql()).await.unwrap();
    assert_eq!(app.cache(&id).await["failure"]["code"], "InvalidParameter");
    app.gateway.base().drain().await;
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE rendered_version = version").await, 0);
}

#[tokio::test]
async fn reads_at_once_are_each_their_own_teams() {
    let app = TestGateway::start().await;
    let id = one(&app).await;
    let other = app.token("other", &[eci_cache_gateway::domain::identity::caller::Scope::Read]);
    let path = format!("/v1/image-caches/{id}");
    let reads = (0..40).map(|number| {
        let own = number % 2 == 0;
        let request =
            if own { app.request(Method::GET, &path) } else { app.bare(Method::GET, &path).bearer_auth(&other) };
        async move { (own, request.send().await.unwrap().status()) }
    });
    for (own, status) in futures_util::future::join_all(reads).await {
        assert_eq!(status, if own { 200 } else { 404 });
    }
}
