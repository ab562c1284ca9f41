//! What has reached its age is deleted in small steps; everything else, and the audit, is kept. And what one team can
//! accumulate for an endpoint that accepts nothing is bounded.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;

const DAY: i64 = 86_400;
const CREATED: &str = "image_cache.created";
const AUDITED: &str = "SELECT count(*) FROM audit_entries";

async fn with(change: impl FnOnce(&mut app::GatewaySettings)) -> TestGateway {
    let mut setup = Setup::default();
    change(&mut setup.settings);
    TestGateway::with(setup).await
}

async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

async fn endpoint(app: &TestGateway, hook: &Hook) -> String {
    let body = json!({"url": hook.url(), "event_types": [CREATED]});
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap())
}

async fn act(app: &TestGateway, path: &str) -> Value {
    Answer::of(app.request(Method::POST, path)).await.expect(200)
}

/// The whole feed can be read: no transaction of another test holds it up.
async fn settled(app: &TestGateway) {
    app.events().await;
}

#[tokio::test]
async fn events_are_forgotten_with_their_deliveries_and_an_old_cursor_says_so() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoint(&app, &hook).await;
    app.created().await;
    deliver(&app).await;
    settled(&app).await;
    let first = app.get("/v1/events?limit=1").await.expect(200);
    let before = first["next_cursor"].as_str().unwrap().to_owned();
    app.created().await;
    deliver(&app).await;
    settled(&app).await;
    let end =
        app.get(&format!("/v1/events?cursor={before}")).await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
    let audited = app.count(AUDITED).await;
    let told: String = sqlx::query_scalar("SELECT dedupe_key FROM events LIMIT 1").fetch_one(app.sql()).await.unwrap();
    app.advance(29 * DAY);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM events").await, 2, "30 days are kept");
    app.advance(2 * DAY);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM events").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM webhook_deliveries").await, 0);
    assert!(app.count(AUDITED).await >= audited, "the audit is kept");
    assert_eq!(app.items("/v1/image-caches").await.len(), 2, "so is what lives");

    let again = "INSERT INTO events (id, team, type, dedupe_key, body, occurred_at)
        SELECT gen_random_uuid(), 'web', 'image_cache.created', $1, '{}', now() ON CONFLICT (dedupe_key) DO NOTHING";
    let again = sqlx::query(again).bind(told).execute(app.sql()).await.unwrap();
    assert_eq!(again.rows_affected(), 0, "what was told once is not told again");

    let problem = app.get(&format!("/v1/events?cursor={before}")).await.problem(410, "events_no_longer_kept");
    assert_eq!(problem["retryable"], false);
    let stream = app.get(&format!("/v1/events/stream?cursor={before}")).await;
    stream.problem(410, "events_no_longer_kept");
    // A reader that had read all of it missed nothing, and a new reader gets what is left.
    app.created().await;
    settled(&app).await;
    for path in [format!("/v1/events?cursor={end}"), "/v1/events".to_owned()] {
        assert_eq!(app.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn another_teams_cursor_does_not_suffer() {
    let app = TestGateway::start().await;
    app.created().await;
    settled(&app).await;
    let other = app.token("other", &[eci_cache_gateway::domain::identity::caller::Scope::Read]);
    let get = async |path: &str| Answer::of(app.bare(Method::GET, path).bearer_auth(&other)).await;
    let old = get("/v1/events").await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
    app.advance(31 * DAY);
    app.gateway.upkeep().clean().await.unwrap();
    let other = app.token("other", &[eci_cache_gateway::domain::identity::caller::Scope::Read]);
    let answer = Answer::of(app.bare(Method::GET, &format!("/v1/events?cursor={old}")).bearer_auth(&other)).await;
    assert_eq!(answer.expect(200)["items"], json!([]), "nothing of theirs was removed");
}

#[tokio::test]
async fn deliveries_may_be_forgotten_sooner_but_not_while_they_wait() {
    let app = with(|settings| settings.retention.deliveries = Duration::from_hours(7 * 24)).await;
    let (good, paused) = (Hook::start().await, Hook::start().await);
    endpoint(&app, &good).await;
    let off = endpoint(&app, &paused).await;
    act(&app, &format!("{off}/pause")).await;
    app.created().await;
    deliver(&app).await;
    app.advance(8 * DAY);
    app.created().await;
    deliver(&app).await;
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM events").await, 2);
    let left = "SELECT count(*) FROM webhook_deliveries WHERE state =";
    assert_eq!(
        app.count("SELECT count(*) FROM webhook_deliveries WHERE state = 2").await,
        1,
        "{left} 2: the younger one"
    );
    assert_eq!(app.count("SELECT count(*) FROM webhook_deliveries WHERE state = 0").await, 2, "{left} 0: they wait");
    act(&app, &format!("{off}/resume")).await;
    assert_eq!(deliver(&app).await, 2);
}

#[tokio::test]
async fn what_has_ended_is_forgotten_with_its_history_unless_something_still_hangs_on_it() {
    let app = TestGateway::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(app.created().await);
        // So that their ids are in the order of creation.
        app.advance(1);
    }
    let [ended, held, lives]: [String; 3] = made.try_into().unwrap();
    for id in [&ended, &held, &lives] {
        app.until(id, "ready").await;
    }
    for id in [&ended, &held] {
        app.delete(&format!("/v1/image-caches/{id}")).await;
        app.until(id, "deleted").await;
    }
    let abandon = async |on: bool| {
        let sql = "UPDATE operations SET abandoned = $2 WHERE image_cache = (SELECT id FROM image_caches WHERE status = 'deleted' ORDER BY id DESC LIMIT 1) AND $1";
        sqlx::query(sql).bind(true).bind(on).execute(app.sql()).await.unwrap();
    };
    let hook = Hook::start().await;
    let removed = endpoint(&app, &hook).await;
    Answer::of(app.request(Method::DELETE, &removed)).await;
    let audited = app.count(AUDITED).await;
    app.advance(89 * DAY);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(
        app.get(&format!("/v1/image-caches/{ended}")).await.expect(200)["status"],
        "deleted",
        "90 days are kept"
    );
    app.advance(2 * DAY);
    abandon(true).await;
    app.gateway.upkeep().clean().await.unwrap();
    app.get(&format!("/v1/image-caches/{ended}")).await.problem(404, "not_found");
    assert_eq!(app.count("SELECT count(*) FROM image_caches").await, 2);
    abandon(false).await;
    app.gateway.upkeep().clean().await.unwrap();
    app.get(&format!("/v1/image-caches/{held}")).await.problem(404, "not_found");
    assert_eq!(app.cache(&lives).await["status"], "ready");
    assert!(!app.items(&format!("/v1/image-caches/{lives}/transitions")).await.is_empty());
    for sql in ["SELECT count(*) FROM operations", "SELECT count(*) FROM operation_attempts"] {
        assert_eq!(app.count(sql).await, 1, "{sql}: the create of the one that lives");
    }
    assert_eq!(app.count("SELECT count(*) FROM webhook_endpoints").await, 0);
    assert!(app.count(AUDITED).await >= audited);
}

#[tokio::test]
async fn revoked_keys_are_forgotten_and_those_in_use_are_not() {
    let app = TestGateway::start().await;
    let admin = eci_cache_gateway::domain::identity::caller::Scope::ALL;
    let send = async |method: Method, path: &str, body: Value| {
        let request = app.bare(method, path).bearer_auth(app.token("web", &admin));
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    };
    let mut made = Vec::new();
    for (path, body) in [("/v1/access-keys", json!({})), ("/v1/api-keys", json!({"name": "ci", "scopes": ["read"]}))] {
        for _ in 0..2 {
            let key = send(Method::POST, path, body.clone()).await.expect(201);
            let id = key["id"].as_str().or(key["access_key_id"].as_str()).unwrap().to_owned();
            made.push(format!("{path}/{id}"));
        }
    }
    send(Method::DELETE, &made[0], Value::Null).await;
    send(Method::DELETE, &made[2], Value::Null).await;
    app.advance(91 * DAY);
    app.gateway.upkeep().clean().await.unwrap();
    for (table, kept) in [("access_keys", 1_i64), ("api_keys", 1)] {
        let sql = format!("SELECT count(*) FROM {table}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(app.sql()).await.unwrap();
        assert_eq!(left, kept, "{table}");
    }
}

#[tokio::test]
async fn no_more_than_a_bound_waits_for_a_paused_endpoint_and_a_replay_has_the_rest() {
    let app = with(|settings| settings.webhook.waiting_while_off = 3).await;
    let (off, all) = (Hook::start().await, Hook::start().await);
    let path = endpoint(&app, &off).await;
    endpoint(&app, &all).await;
    act(&app, &format!("{path}/pause")).await;
    let mut begun = Vec::new();
    for _ in 0..10 {
        begun.push(app.now());
        app.created().await;
        app.advance(60);
    }
    assert_eq!(deliver(&app).await, 10, "the other endpoint has all of them");
    let waiting = "SELECT count(*) FROM webhook_deliveries WHERE state = 0";
    assert_eq!(app.count(waiting).await, 3);
    for folded in [false, true] {
        if folded {
            app.gateway.upkeep().clean().await.unwrap();
        }
        let shown = app.get(&path).await.expect(200);
        assert_eq!(shown["passed_over"], 7, "{folded}: {shown}");
        let since: chrono::DateTime<chrono::Utc> = shown["passed_over_since"].as_str().unwrap().parse().unwrap();
        assert_eq!(since, begun[3], "{folded}: the first that found no room");
    }
    app.created().await;
    assert_eq!(app.count(waiting).await, 3 + 1, "the other endpoint's; counted again, there is still no room");
    deliver(&app).await;
    let replay =
        async |since: &str| app.post(&format!("{path}/replay"), &json!({"created_after": since})).await.expect(200);
    let since = app.get(&path).await.expect(200)["passed_over_since"].as_str().unwrap().to_owned();
    assert_eq!(replay(&since).await["deliveries"], 0, "a replay does not get round the bound");
    act(&app, &format!("{path}/resume")).await;
    deliver(&app).await;
    assert_eq!(off.received().len(), 3);
    assert_eq!(replay(&since).await["deliveries"], 8);
    deliver(&app).await;
    assert_eq!(off.received().len(), 11, "none is lost");
    let shown = app.get(&path).await.expect(200);
    assert_eq!((&shown["passed_over"], &shown["passed_over_since"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_team_has_no_more_endpoints_than_the_operator_allows() {
    let app = with(|settings| settings.webhook.endpoints_per_team = 2).await;
    let hook = Hook::start().await;
    let first = endpoint(&app, &hook).await;
    endpoint(&app, &hook).await;
    let third = app.post("/v1/webhook-endpoints", &json!({"url": hook.url()})).await;
    let problem = third.problem(409, "too_many_webhook_endpoints");
    assert!(problem["detail"].as_str().unwrap().contains('2'), "{problem}");
    Answer::of(app.request(Method::DELETE, &first)).await;
    endpoint(&app, &hook).await;
    assert_eq!(app::GatewaySettings::default().webhook.endpoints_per_team, 50);
}
