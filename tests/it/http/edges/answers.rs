//! What responses must not leave behind: in caches, and on a page that is open to everybody.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway};

async fn all(app: &TestGateway, method: Method, path: &str, body: &Value) -> Answer {
    Answer::of(app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL)).json(body)).await
}

#[tokio::test]
async fn an_answer_with_a_secret_is_stored_nowhere() {
    let app = TestGateway::start().await;
    let made = |path: &'static str, body: Value| {
        let app = &app;
        async move {
            let answer = all(app, Method::POST, path, &body).await;
            (answer.expect(201), answer)
        }
    };
    let (key, key_answer) = made("/v1/api-keys", json!({"name": "ci", "scopes": ["read"]})).await;
    let (access, access_answer) = made("/v1/access-keys", json!({})).await;
    let endpoint = json!({"url": "http://127.0.0.1:9/", "skip_challenge": true});
    let (hook, hook_answer) = made("/v1/webhook-endpoints", endpoint).await;
    let path = |base: &str, id: &Value, act: &str| format!("/v1/{base}/{}/{act}", id.as_str().unwrap());
    let rotations = [
        path("api-keys", &key["id"], "rotate"),
        path("access-keys", &access["id"], "rotate"),
        path("webhook-endpoints", &hook["id"], "rotate-secret"),
    ];
    let mut answers = vec![key_answer, access_answer, hook_answer];
    for path in rotations {
        let answer = all(&app, Method::POST, &path, &json!({})).await;
        answer.expect(200);
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    }
}

#[tokio::test]
async fn no_shared_cache_keeps_an_answer_of_the_api() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let cache = app.get(&format!("/v1/image-caches/{id}")).await;
    assert_eq!((cache.status, cache.header("cache-control")), (200, "private, no-cache"));
    let again =
        app.request(Method::GET, &format!("/v1/image-caches/{id}")).header("if-none-match", cache.header("etag"));
    let again = Answer::of(again).await;
    assert_eq!((again.status, again.header("cache-control")), (304, "private, no-cache"));
    assert_eq!(app.get("/v1/events").await.header("cache-control"), "private, no-cache");
    assert_eq!(app.create("nginx:1").await.header("cache-control"), "no-store");
    for refused in [
        app.get("/v1/image-caches/ic_absent").await,
        app.get("/v1/nothing").await,
        Answer::of(app.bare(Method::GET, "/v1/me")).await,
        app.post("/v1/image-caches", &json!({"name": 1})).await,
    ] {
        assert!(refused.status >= 400);
        assert_eq!(refused.header("cache-control"), "no-store", "{refused:?}");
    }
    // A signature in a URL is not an Authorization header, which would prevent shared caches from storing the response.
    let key = RpcKey::new(&app).await;
    let answer = key.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let refused = key.get(&app, "Nonsense", &[]).await;
    assert_eq!((refused.status, refused.header("cache-control")), (400, "no-store"));
    let export = app.get("/v1/audit-export").await;
    assert_eq!(export.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn metrics_beside_the_api_are_for_the_platform() {
    let app = TestGateway::start().await;
    let scrape = async |credential: Option<&str>| {
        let request = app.bare(Method::GET, "/metrics");
        Answer::of(match credential {
            Some(credential) => request.bearer_auth(credential),
            None => request,
        })
        .await
    };
    scrape(None).await.problem(401, "token_missing");
    scrape(Some("nonsense")).await.problem(401, "token_malformed");
    scrape(Some(&app.token(TEAM, &SCOPES))).await.problem(403, "scope_missing");
    let metrics = scrape(Some(&app.token("platform", &[Scope::PlatformRead]))).await;
    assert_eq!((metrics.status, &*metrics.text, metrics.header("cache-control")), (200, "ecg_tests 1\n", "no-store"));
    // Probes need no credentials.
    for open in ["/healthz", "/openapi.json"] {
        assert_eq!(Answer::of(app.bare(Method::GET, open)).await.status, 200, "{open}");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_entries").await, 0, "a scrape every 15 s is no act");
    let apart = Setup {
        http: eci_cache_gateway::http::HttpSettings { metrics_here: false, ..Default::default() },
        ..Setup::default()
    };
    let apart = TestGateway::with(apart).await;
    let request = apart.bare(Method::GET, "/metrics").bearer_auth(apart.token("platform", &[Scope::PlatformRead]));
    Answer::of(request).await.problem(404, "unknown_route");
}
