//! Requests with an `Idempotency-Key` when they are not simply repeated: two at once, a gateway that dies, a key that
//! is forgotten, secrets in what is kept. (That each operation takes one is in `coverage::repeats`.)
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{Executor as _, Postgres, Transaction};

use crate::secrets::canary::sinks;
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};
use crate::support::hook::Hook;

const ENDPOINTS: &str = "SELECT count(*) FROM webhook_endpoints";
const KEPT: &str = "SELECT count(*) FROM idempotent_responses";
/// Statements that wait for a lock.
const WAITING: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE NOT l.granted AND d.datname = current_database()";
/// No response can be kept.
const BREAK: &str = "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
    CREATE TRIGGER broken BEFORE INSERT ON idempotent_responses FOR EACH ROW EXECUTE FUNCTION broken()";
const REPLAYED: &str = "idempotent-replayed";

fn request(app: &TestGateway, path: &str, body: &Value) -> RequestBuilder {
    let request = app.bare(Method::POST, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    request.header("idempotency-key", "key").json(body)
}

async fn post(app: &TestGateway, path: &str, body: &Value) -> Answer {
    Answer::of(request(app, path, body)).await
}

fn endpoint() -> Value {
    json!({"url": "http://127.0.0.1:9/hook", "skip_challenge": true})
}

async fn create(app: &TestGateway) -> Answer {
    post(app, "/v1/webhook-endpoints", &endpoint()).await
}

/// Keeps everybody from changing endpoints until it ends.
async fn locked(app: &TestGateway) -> Transaction<'_, Postgres> {
    let mut lock = app.sql().begin().await.unwrap();
    lock.execute("LOCK TABLE webhook_endpoints IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    lock
}

/// Returns once that many statements wait for a lock.
async fn waiting(lock: &mut Transaction<'_, Postgres>, count: i64) {
    while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut **lock).await.unwrap() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn while_the_first_runs_the_second_is_told_so() {
    let app = TestGateway::start().await;
    let mut lock = locked(&app).await;
    let first = tokio::spawn(request(&app, "/v1/webhook-endpoints", &endpoint()).send());
    waiting(&mut lock, 1).await;
    let second = create(&app).await;
    second.problem(409, "idempotency_in_flight");
    assert_eq!(second.header("retry-after"), "2");
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    assert_eq!(create(&app).await.header(REPLAYED), "true");
    assert_eq!(app.count(ENDPOINTS).await, 1);
}

#[tokio::test]
async fn of_two_gateways_one_carries_it_out_and_both_answer_the_same() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let mut lock = locked(&app).await;
    let sent = [&app, &other].map(|one| tokio::spawn(request(one, "/v1/webhook-endpoints", &endpoint()).send()));
    waiting(&mut lock, 2).await;
    lock.rollback().await.unwrap();
    let mut told = Vec::new();
    let mut replayed = 0;
    for one in sent {
        let answer = one.await.unwrap().unwrap();
        assert_eq!(answer.status(), 201);
        replayed += usize::from(answer.headers().contains_key(REPLAYED));
        told.push(answer.text().await.unwrap());
    }
    assert_eq!((&told[0], replayed), (&told[1], 1));
    assert_eq!(app.count(ENDPOINTS).await, 1);
}

#[tokio::test]
async fn a_repeat_that_lost_to_another_gateway_is_not_told_that_it_exists_already() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let team = json!({"id": "new", "display_name": "New"});
    let mut lock = app.sql().begin().await.unwrap();
    lock.execute("LOCK TABLE teams IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    let sent = [&app, &other].map(|one| tokio::spawn(request(one, "/v1/teams", &team).send()));
    waiting(&mut lock, 2).await;
    lock.rollback().await.unwrap();
    for one in sent {
        assert_eq!(one.await.unwrap().unwrap().status(), 201);
    }
}

#[tokio::test]
async fn without_its_response_nothing_is_done() {
    let app = TestGateway::start().await;
    app.sql().execute(sqlx::raw_sql(BREAK)).await.unwrap();
    let failed = create(&app).await;
    failed.problem(500, "internal_error");
    assert_eq!(app.count(ENDPOINTS).await, 0, "rolled back with the response that could not be kept");
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'create_webhook_endpoint' AND outcome = 'failed'";
    assert_eq!(app.count(entries).await, app.count("SELECT count(*) FROM audit_entries").await);
    app.sql().execute("DROP TRIGGER broken ON idempotent_responses").await.unwrap();
    assert_eq!(create(&app).await.header(REPLAYED), "");
    assert_eq!(create(&app).await.header(REPLAYED), "true");
    assert_eq!(app.count(ENDPOINTS).await, 1);
}

#[tokio::test]
async fn a_test_whose_request_died_is_not_sent_again() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let hook = Hook::start().await;
    let path = format!("/v1/webhook-endpoints/{}/test", app.endpoint(&hook.url()).await.0);
    hook.hold();
    let first = tokio::spawn(request(&app, &path, &json!({})).send());
    hook.wait_for(1).await;
    post(&other, &path, &json!({})).await.problem(409, "idempotency_in_flight");
    // As after the death of the gateway that sends.
    app.sql().execute("UPDATE idempotent_responses SET running_until = now() - interval '1 s'").await.unwrap();
    let unknown = post(&other, &path, &json!({})).await;
    assert_eq!(unknown.problem(409, "idempotency_outcome_unknown")["retryable"], false);
    hook.release();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    let again = post(&other, &path, &json!({})).await;
    assert_eq!((again.status, again.header(REPLAYED)), (200, "true"), "it was alive after all");
    assert_eq!(hook.kinds(), ["webhook_endpoint.test"]);
}

#[tokio::test]
async fn a_test_that_was_refused_may_be_sent_with_its_key() {
    let app = TestGateway::start().await;
    let body = json!({"url": "http://127.0.0.1:9/hook", "verify_later": true});
    let pending = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    let path = format!("/v1/webhook-endpoints/{}/test", pending["id"].as_str().unwrap());
    for _ in 0..2 {
        post(&app, &path, &json!({})).await.problem(409, "webhook_endpoint_pending");
    }
    assert_eq!(app.count(KEPT).await, 0);
}

#[tokio::test]
async fn what_is_kept_cannot_be_read_in_the_database() {
    let app = TestGateway::start().await;
    let made = [
        ("/v1/webhook-endpoints", endpoint(), "secret", "rotate-secret"),
        ("/v1/api-keys", json!({"name": "ci", "scopes": ["read"]}), "key", "rotate"),
        ("/v1/access-keys", json!({}), "access_key_secret", "rotate"),
    ];
    let mut secrets = Vec::new();
    for (path, body, member, rotate) in made {
        let created = post(&app, path, &body).await.expect(201);
        let id = created["id"].as_str().unwrap();
        let (rotate, no_body) = (format!("{path}/{id}/{rotate}"), json!({}));
        let rotated = post(&app, &rotate, &no_body).await.expect(200);
        for (path, body, first) in [(path, &body, created), (&rotate, &no_body, rotated.clone())] {
            let again = post(&app, path, body).await;
            assert_eq!((again.header(REPLAYED), &again.json()[member]), ("true", &first[member]), "{path}");
            secrets.push(first[member].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(app.count(KEPT).await, 6);
    let dump = sinks::dump(app.sql()).await;
    for secret in &secrets {
        assert!(secret.len() > 20 && !dump.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    // Nor does whoever writes there get somebody else's answer.
    let swap = "UPDATE idempotent_responses a SET response = b.response, id = b.id FROM idempotent_responses b
        WHERE a.action = 'create_api_key' AND b.action = 'create_access_key'";
    app.sql().execute("ALTER TABLE idempotent_responses DROP CONSTRAINT idempotent_responses_pkey").await.unwrap();
    app.sql().execute(swap).await.unwrap();
    let stolen = post(&app, "/v1/api-keys", &json!({"name": "ci", "scopes": ["read"]})).await;
    stolen.problem(500, "internal_error");
}

#[tokio::test]
async fn a_key_is_forgotten_with_its_response_after_two_days() {
    let app = TestGateway::start().await;
    let first = create(&app).await.expect(201);
    app.advance(86_400);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(create(&app).await.header(REPLAYED), "true", "a day is kept");
    app.advance(86_400 + 1);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count(KEPT).await, 0);
    let anew = create(&app).await;
    assert_eq!(anew.header(REPLAYED), "");
    assert_ne!(anew.expect(201)["id"], first["id"]);
}

#[tokio::test]
async fn the_response_shows_what_its_request_has_changed() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let made = app.post("/v1/webhook-endpoints", &json!({"url": hook.url(), "verify_later": true})).await.expect(201);
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    for (action, reason) in [("verify", Value::Null), ("pause", json!("paused")), ("resume", Value::Null)] {
        let told = post(&app, &format!("{path}/{action}"), &json!({})).await.expect(200);
        assert_eq!((&told["disabled_reason"], &told), (&reason, &app.get(&path).await.expect(200)), "{action}");
    }
}

#[tokio::test]
async fn a_response_outlives_the_master_key_it_was_kept_under() {
    let (old, new) = (("old", [1; 32]), ("new", [2; 32]));
    let app = TestGateway::with(Setup { master: (old, None), ..Setup::default() }).await;
    let first = create(&app).await;
    first.expect(201);
    let both = app.second_gateway(Setup { master: (new, Some(old)), ..Setup::default() }).await;
    let again = create(&both).await;
    assert_eq!((again.header(REPLAYED), &again.text), ("true", &first.text));
}

#[tokio::test]
async fn what_follows_a_change_follows_its_commit() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let key = post(&app, "/v1/api-keys", &json!({"name": "ci", "scopes": ["read"]})).await.expect(201);
    let me = async || Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(key["key"].as_str().unwrap())).await;
    me().await.expect(200);
    let rotate = format!("/v1/api-keys/{}/rotate", key["id"].as_str().unwrap());
    post(&app, &rotate, &json!({"keep_old_hours": 0})).await.expect(200);
    me().await.problem(401, "api_key_expired");
    let disable = app.bare(Method::PATCH, "/v1/teams/web").bearer_auth(app.token("other", &Scope::ALL));
    Answer::of(disable.header("idempotency-key", "key").json(&json!({"disabled": true}))).await.expect(200);
    app.get("/v1/webhook-endpoints").await.problem(403, "team_disabled");
}
