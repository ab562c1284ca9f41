//! Revoked tokens: refused at this gateway at once and at others within a second, and their waits and streams end.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::api_keys::{admin, made};
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway};
use crate::support::listener::Listener;

async fn me(app: &TestGateway, token: &str) -> Answer {
    Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(token)).await
}

async fn revoke(app: &TestGateway, body: &Value) -> Value {
    admin(app, Method::POST, "/v1/revocations", Some(body)).await.expect(201)
}

/// A gateway that frequently checks whether credentials are still valid.
fn watchful() -> Setup {
    let settings =
        app::GatewaySettings { credential_look: Duration::from_millis(10), ..app::GatewaySettings::default() };
    Setup { settings, ..Setup::default() }
}

#[tokio::test]
async fn one_token_by_its_jti() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let (token, another) = (app.token("other", &SCOPES), app.token("third", &SCOPES));
    for gateway in [&app, &other] {
        me(gateway, &token).await.expect(200);
    }
    let made = revoke(&app, &json!({"jti": "token-of-other", "reason": "lost"})).await;
    let now = app.now();
    let expected = json!({"id": made["id"], "jti": "token-of-other", "reason": "lost", "created_by": "alice",
        "created_at": now, "kept_until": now + chrono::Duration::days(8), "revoked_api_keys": [], "revoked_access_keys": []});
    assert_eq!(made, expected);
    me(&app, &token).await.problem(401, "token_revoked");
    me(&other, &token).await.expect(200);
    app.advance(1);
    for gateway in [&app, &other] {
        me(gateway, &token).await.problem(401, "token_revoked");
        me(gateway, &another).await.expect(200);
    }
    let list = admin(&app, Method::GET, "/v1/revocations", None).await.expect(200);
    let mut listed = expected.clone();
    // Only the response to the create lists the keys that were revoked with it.
    listed.as_object_mut().unwrap().retain(|name, _| !name.starts_with("revoked_"));
    assert_eq!(list["items"], json!([listed]));
    let path = format!("/v1/revocations/{}", made["id"].as_str().unwrap());
    assert_eq!(admin(&app, Method::DELETE, &path, None).await.status, 204);
    admin(&app, Method::DELETE, &path, None).await.problem(404, "not_found");
    me(&app, &token).await.expect(200);
    let sql = "SELECT string_agg(concat_ws(' ', action, outcome, resource, parameters->>'jti'), ', ' ORDER BY seq)
        FROM audit_entries WHERE action LIKE '%_revocation' AND outcome = 'succeeded'";
    let trail: String = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    let id = made["id"].as_str().unwrap();
    assert_eq!(trail, format!("create_revocation succeeded {id} token-of-other, delete_revocation succeeded {id}"));
}

#[tokio::test]
async fn all_tokens_of_a_subject_from_before() {
    let app = TestGateway::start().await;
    let (_, key) = made(&app, TEAM, &["read"]).await;
    let old = app.token("other", &SCOPES);
    app.advance(10);
    let made = revoke(&app, &json!({"subject": "alice", "keep_keys": true})).await;
    assert_eq!(made["issued_before"], json!(app.now()));
    me(&app, &old).await.problem(401, "token_revoked");
    me(&app, &app.token("other", &SCOPES)).await.expect(200);
    me(&app, &key).await.expect(200);
    // An earlier instant does not undo anything.
    let before = app.now() - chrono::Duration::hours(1);
    revoke(&app, &json!({"subject": "alice", "issued_before": before, "keep_keys": true})).await;
    me(&app, &old).await.problem(401, "token_revoked");
}

#[tokio::test]
async fn what_cannot_be_revoked_is_told() {
    let app = TestGateway::start().await;
    let later = app.now() + chrono::Duration::seconds(301);
    for (body, field) in [
        (json!({}), ""),
        (json!({"jti": "a", "subject": "b"}), ""),
        (json!({"jti": ""}), "/jti"),
        (json!({"jti": "a\u{0}"}), "/jti"),
        (json!({"jti": "j".repeat(129)}), "/jti"),
        (json!({"subject": "s".repeat(257)}), "/subject"),
        (json!({"jti": "a", "issued_before": app.now()}), "/issued_before"),
        (json!({"subject": "a", "issued_before": later}), "/issued_before"),
        (json!({"subject": "a", "reason": ""}), "/reason"),
    ] {
        let problem = admin(&app, Method::POST, "/v1/revocations", Some(&body)).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem}");
    }
    let sql = "INSERT INTO revocations (id, jti, created_by, created_at, kept_until)
        SELECT gen_random_uuid(), 'j' || n, 'x', $1, $1 + interval '8 days' FROM generate_series(1, 10000) n";
    sqlx::query(sql).bind(app.now()).execute(app.sql()).await.unwrap();
    let more = admin(&app, Method::POST, "/v1/revocations", Some(&json!({"jti": "a"}))).await;
    more.problem(409, "too_many_revocations");
    app.advance(8 * 86_400);
    revoke(&app, &json!({"jti": "a"})).await;
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM revocations").await, 1, "what is over is forgotten");
}

#[tokio::test]
async fn where_it_cannot_be_asked_nobody_is_let_in() {
    let app = TestGateway::start().await;
    let token = app.token(TEAM, &SCOPES);
    me(&app, &token).await.expect(200);
    sqlx::query("ALTER TABLE revocations RENAME TO away").execute(app.sql()).await.unwrap();
    app.advance(4);
    me(&app, &token).await.expect(200);
    app.advance(1);
    for _ in 0..3 {
        me(&app, &token).await.problem(503, "credentials_unavailable");
    }
    sqlx::query("ALTER TABLE away RENAME TO revocations").execute(app.sql()).await.unwrap();
    app.advance(1);
    me(&app, &token).await.expect(200);
}

#[tokio::test]
async fn what_listens_or_waits_with_it_ends() {
    let app = TestGateway::with(watchful()).await;
    let id = app.created().await;
    let (key_id, key) = made(&app, TEAM, &["read"]).await;
    let token = app.token_of_teams(&[TEAM, "zoo"], &[Scope::Read]);
    let wait = format!("/v1/image-caches/{id}/wait?wait_seconds=55");
    let get = |path: &str, credential: &str| app.bare(Method::GET, path).bearer_auth(credential).header("x-team", TEAM);
    let mut by_token = Listener::open(get("/v1/events/stream", &token)).await;
    let mut by_key = Listener::open(get("/v1/events/stream", &key)).await;
    let mut others = Listener::open(app.request(Method::GET, "/v1/events/stream")).await;
    let waits = [tokio::spawn(Answer::of(get(&wait, &token))), tokio::spawn(Answer::of(get(&wait, &key)))];
    app.waiting(5).await;
    revoke(&app, &json!({"jti": "token-of-web-zoo"})).await;
    assert_eq!(admin(&app, Method::DELETE, &format!("/v1/api-keys/{key_id}"), None).await.status, 204);
    while by_token.next().await.is_some() {}
    while by_key.next().await.is_some() {}
    for wait in waits {
        assert_eq!(wait.await.unwrap().expect(200)["condition_met"], false);
    }
    app.created().await;
    assert_eq!(others.event().await.event, "image_cache.created", "others go on");
}

#[tokio::test]
async fn with_its_team_ends_what_listens_or_waits() {
    let app = TestGateway::with(watchful()).await;
    let id = app.created().await;
    let wait = format!("/v1/image-caches/{id}/wait?wait_seconds=55");
    let mut listener = Listener::open(app.request(Method::GET, "/v1/events/stream")).await;
    let waits = tokio::spawn(Answer::of(app.request(Method::GET, &wait)));
    app.waiting(2).await;
    let path = format!("/v1/teams/{TEAM}");
    admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": TEAM, "display_name": "Web"}))).await.expect(201);
    admin(&app, Method::PATCH, &path, Some(&json!({"disabled": true}))).await.expect(200);
    while listener.next().await.is_some() {}
    assert_eq!(waits.await.unwrap().expect(200)["condition_met"], false);
}
