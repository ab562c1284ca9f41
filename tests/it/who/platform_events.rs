//! What the platform changes for everybody is told to whoever holds `platform:security`, and to nobody else.
#![cfg(test)]

use eci_cache_gateway::domain::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::accounts::account;
use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;
use crate::support::hook::Hook;
use crate::support::setup::SECOND;

const SECURITY: [Scope; 3] = [Scope::Read, Scope::Webhooks, Scope::PlatformSecurity];

async fn with(app: &TestGateway, scopes: &[Scope], method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = app.bare(method, path).bearer_auth(app.token("platform", scopes));
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn deliver(app: &TestGateway) {
    while app.gateway.deliver(&CancellationToken::new()).await.unwrap() > 0 {}
}

/// Writes an account, the default policy and an issuer, and takes the issuer away.
async fn reach_far(app: &TestGateway) {
    let put = async |path: &str, body: Value| {
        with(app, &Scope::PLATFORM, Method::PUT, path, Some(&body)).await.expect(200);
    };
    put("/v1/cloud-accounts/second", account(SECOND)).await;
    put("/v1/default-policy", json!({"most_image_caches": 9})).await;
    let rule = json!({"name": "one", "match": {"/sub": ["one"]}, "team": {"fixed": "web"}});
    let issuer = json!({"name": "added", "issuer": "https://added.example", "audiences": ["a"], "rules": [rule]});
    put("/v1/issuers/added", issuer).await;
    let gone = with(app, &Scope::PLATFORM, Method::DELETE, "/v1/issuers/added", None).await;
    assert_eq!(gone.status, 204, "{gone:?}");
}

const TOLD: [&str; 4] = [
    "platform.cloud_account_changed",
    "platform.default_policy_changed",
    "platform.issuer_changed",
    "platform.issuer_changed",
];

#[tokio::test]
async fn what_reaches_far_is_told_to_the_platforms_endpoints_alone() {
    let app = TestGateway::start().await;
    let (theirs, beside, team) = (Hook::start().await, Hook::start().await, Hook::start().await);
    let add = async |scopes: &[Scope], url: String| {
        let body = json!({"url": url, "skip_challenge": true});
        with(&app, scopes, Method::POST, "/v1/webhook-endpoints", Some(&body)).await.expect(201)["id"].clone()
    };
    let endpoint = add(&SECURITY, theirs.url()).await;
    // Of the same team, without the scope; and another team's.
    add(&[Scope::Webhooks], beside.url()).await;
    app.endpoint(&team.url()).await;
    reach_far(&app).await;
    deliver(&app).await;
    let mut kinds = theirs.kinds();
    kinds.sort_unstable();
    assert_eq!(kinds, TOLD);
    assert!(beside.kinds().is_empty() && team.kinds().is_empty(), "nobody else");
    let told = theirs.received();
    let account = told.iter().find(|one| one.kind() == TOLD[0]).unwrap();
    let change = &account.json()["data"]["platform_change"];
    let seen = (&change["action"], &change["resource"], &change["subject"]);
    assert_eq!(seen, (&json!("put_cloud_account"), &json!("second"), &json!("alice")));
    let (id, secret) = SECOND;
    assert!(told.iter().all(|one| !one.body.contains(secret) && !one.body.contains(id)), "{change}");
    // Whoever changes the endpoint without the scope gets nothing more of it.
    let path = format!("/v1/webhook-endpoints/{}", endpoint.as_str().unwrap());
    let changes = json!({"description": "mine now"});
    with(&app, &[Scope::Webhooks], Method::PATCH, &path, Some(&changes)).await.expect(200);
    let delete = with(&app, &Scope::PLATFORM, Method::DELETE, "/v1/cloud-accounts/second", None).await;
    assert_eq!(delete.status, 204);
    deliver(&app).await;
    assert_eq!(theirs.received().len(), TOLD.len(), "no more");
    // Nor what it had already, by asking for it again.
    let sql =
        "SELECT d.id FROM webhook_deliveries d JOIN events e ON e.seq = d.event WHERE e.type LIKE 'platform.%' LIMIT 1";
    let id: uuid::Uuid = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    let resend = format!("/v1/deliveries/{}/resend", eci_cache_gateway::domain::ids::DeliveryId::from(id));
    with(&app, &[Scope::Webhooks], Method::POST, &resend, None).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_feed_shows_them_to_who_may_see_them() {
    let app = TestGateway::start().await;
    let body = json!({"url": "http://127.0.0.1:9/hook", "skip_challenge": true});
    with(&app, &SECURITY, Method::POST, "/v1/webhook-endpoints", Some(&body)).await.expect(201);
    reach_far(&app).await;
    let kinds = async |scopes: &[Scope]| {
        let page = with(&app, scopes, Method::GET, "/v1/events?timeout=20&limit=100", None).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&SECURITY).await, TOLD);
    let page = with(&app, &[Scope::Read], Method::GET, "/v1/events", None).await.expect(200);
    assert_eq!(page["items"], json!([]));
}
