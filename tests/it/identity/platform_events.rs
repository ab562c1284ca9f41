//! Changes of the platform that affect everybody are reported to those with `platform:security`, and to nobody else.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::platform::cloud_accounts::account;
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
    while app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap() > 0 {}
}

/// Writes an account, the default policy and an issuer, and deletes the issuer.
async fn reach_far(app: &TestGateway) {
    let put = async |path: &str, body: Value| {
        with(app, &Scope::PLATFORM, Method::PUT, path, Some(&body)).await.expect(200);
    };
    put("/v1/cloud-accounts/second", account(SECOND)).await;
    put("/v1/default-policy", json!({"max_image_caches": 9})).await;
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
    // Endpoints of the same team without the scope, and of another team.
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
    // If the endpoint is changed by somebody without the scope, it receives nothing more.
    let path = format!("/v1/webhook-endpoints/{}", endpoint.as_str().unwrap());
    let changes = json!({"description": "mine now"});
    with(&app, &[Scope::Webhooks], Method::PATCH, &path, Some(&changes)).await.expect(200);
    let delete = with(&app, &Scope::PLATFORM, Method::DELETE, "/v1/cloud-accounts/second", None).await;
    assert_eq!(delete.status, 204);
    deliver(&app).await;
    assert_eq!(theirs.received().len(), TOLD.len(), "no more");
    // Nor can it have previous ones sent again.
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
    app.feed_catches_up().await;
    let kinds = async |scopes: &[Scope]| {
        let page = with(&app, scopes, Method::GET, "/v1/events?wait_seconds=20&limit=100", None).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&SECURITY).await, TOLD, "once each, with an endpoint");
    let page = with(&app, &[Scope::Read], Method::GET, "/v1/events", None).await.expect(200);
    assert_eq!(page["items"], json!([]));
}

/// A page of a team's feed, for a caller with `platform:security`.
async fn feed(app: &TestGateway, team: &str, query: &str) -> Value {
    let token = app.token(team, &[Scope::Read, Scope::PlatformSecurity]);
    Answer::of(app.bare(Method::GET, &format!("/v1/events{query}")).bearer_auth(token)).await.expect(200)
}

fn kinds_of(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_feed_has_them_whether_or_not_anybody_keeps_an_endpoint() {
    let app = TestGateway::start().await;
    let cursor = feed(&app, "watchers", "").await["next_cursor"].as_str().unwrap().to_owned();
    let waiting = format!("?cursor={cursor}&wait_seconds=55");
    let (first, ()) = tokio::join!(feed(&app, "watchers", &waiting), async {
        app.waiting(1).await;
        reach_far(&app).await;
    });
    assert_eq!(kinds_of(&first)[0], TOLD[0], "whoever waits hears of it");
    app.feed_catches_up().await;
    for team in ["watchers", "platform"] {
        assert_eq!(kinds_of(&feed(&app, team, "").await), TOLD, "{team}");
    }
    let narrowed = feed(&app, "watchers", "?type=platform.issuer_changed&limit=1").await;
    assert_eq!(kinds_of(&narrowed), ["platform.issuer_changed"]);
    let next = format!("?type=platform.issuer_changed&cursor={}", narrowed["next_cursor"].as_str().unwrap());
    assert_eq!(kinds_of(&feed(&app, "watchers", &next).await), ["platform.issuer_changed"], "page by page");
    // A caller without the scope sees none, and waits for none.
    let plain = app.bare(Method::GET, "/v1/events").bearer_auth(app.token("watchers", &[Scope::Read]));
    assert_eq!(Answer::of(plain).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_team_with_an_endpoint_has_them_once_under_the_id_of_the_delivery() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let body = json!({"url": hook.url(), "skip_challenge": true, "event_types": ["platform.issuer_changed"]});
    with(&app, &SECURITY, Method::POST, "/v1/webhook-endpoints", Some(&body)).await.expect(201);
    reach_far(&app).await;
    deliver(&app).await;
    app.feed_catches_up().await;
    let page = feed(&app, "platform", "?type=platform.issuer_changed").await;
    let ids = |items: &Value| {
        items.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sent: Vec<String> = hook.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((ids(&page["items"]), sent.len()), (sent, 2));
    let others = feed(&app, "watchers", "?type=platform.issuer_changed").await;
    assert!(ids(&others["items"]).iter().all(|id| !ids(&page["items"]).contains(id)), "another team has its own");
}

#[tokio::test]
async fn an_endpoint_that_could_never_get_one_is_refused() {
    let app = TestGateway::start().await;
    let body = |types: Value| json!({"url": "http://127.0.0.1:9/hook", "skip_challenge": true, "event_types": types});
    let add = async |scopes: &[Scope], types: Value| {
        with(&app, scopes, Method::POST, "/v1/webhook-endpoints", Some(&body(types))).await
    };
    let mine = [Scope::Webhooks];
    let refused = add(&mine, json!(["platform.issuer_changed"])).await.problem(422, "invalid_request");
    let error = &refused["errors"][0];
    assert_eq!((&error["pointer"], &error["code"]), (&json!("/event_types"), &json!("not_allowed")));
    assert!(error["detail"].as_str().unwrap().contains("the scope platform:security"), "{error}");
    let unknown = add(&SECURITY, json!(["platform.*"])).await.problem(422, "invalid_request");
    let detail = unknown["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("must be one of image_cache.created, ") && detail.contains("platform.mass_vanishing"));
    add(&mine, json!(["platform.issuer_changed", "image_cache.ready"])).await.expect(201);
    let made = add(&SECURITY, json!(["platform.issuer_changed"])).await.expect(201);
    // Nor can a caller without the scope create such an endpoint.
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    let change = json!({"description": "mine now"});
    with(&app, &mine, Method::PATCH, &path, Some(&change)).await.problem(422, "invalid_request");
    with(&app, &SECURITY, Method::PATCH, &path, Some(&change)).await.expect(200);
}
