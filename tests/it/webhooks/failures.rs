//! Webhooks that are not simply delivered: retried, paused, given up, cancelled, refused.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::webhook::address::AddressPolicy;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;

/// The deliveries to an endpoint, newest event first.
async fn deliveries(app: &TestGateway, endpoint: &str) -> Vec<Value> {
    app.items(&format!("/v1/deliveries?webhook_endpoint_id={endpoint}")).await
}

async fn only_delivery(app: &TestGateway, endpoint: &str) -> Value {
    let all = deliveries(app, endpoint).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

fn due(delivery: &Value) -> Instant {
    delivery["next_attempt_at"].as_str().unwrap().parse().unwrap()
}

/// Number, outcome, status and error of each attempt, in order.
async fn attempts(app: &TestGateway) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', number, outcome, http_status, error) FROM delivery_attempts ORDER BY number";
    sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap()
}

async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_by_the_schedule() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, secret) = app.endpoint(&hook.url()).await;
    hook.script(&["500 Oops", "302 Found\r\nlocation: /elsewhere"]);
    app.created().await;
    for (attempt, status, pause) in [(1, 500, 5), (2, 302, 30)] {
        assert_eq!(deliver(&app).await, 1);
        let delivery = only_delivery(&app, &endpoint).await;
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("waiting"), &json!(attempt)));
        assert_eq!(delivery["last_http_status"], status);
        // The pause of the schedule, and up to a fifth more.
        let milliseconds = (due(&delivery) - app.now()).num_milliseconds();
        assert!((pause * 1_000..=pause * 1_200).contains(&milliseconds), "{milliseconds}");
        app.set_clock(due(&delivery) - chrono::Duration::microseconds(1));
        assert_eq!(deliver(&app).await, 0, "not before its time");
        app.set_clock(due(&delivery));
    }
    assert_eq!(deliver(&app).await, 1);
    let delivery = only_delivery(&app, &endpoint).await;
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("delivered"), &json!(3)));
    assert_eq!(attempts(&app).await, ["1 failed 500 status", "2 failed 302 redirect", "3 delivered 204"]);

    let received = hook.received();
    let signed: Vec<&str> = received.iter().map(|one| one.header("webhook-timestamp")).collect();
    assert!(signed[0] < signed[1] && signed[1] < signed[2], "signed anew: {signed:?}");
    for one in &received {
        assert_eq!(one.header("webhook-id"), delivery["event_id"]);
        assert_eq!(one.body, received[0].body, "the same bytes");
    }
    received[2].verify(&secret, app.now());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_switched_off() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    hook.script(&["410 Gone"]);
    let id = app.created().await;
    assert_eq!(deliver(&app).await, 1);
    let shown = app.get(&format!("/v1/webhook-endpoints/{endpoint}")).await.expect(200);
    assert_eq!((&shown["disabled"], &shown["disabled_reason"]), (&json!(true), &json!("gone")));
    app.until(&id, "ready").await;
    app.advance(86_400);
    assert_eq!((deliver(&app).await, hook.received().len()), (0, 1), "nothing more is sent");
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it_for_everything() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    hook.script(&["503 Later\r\nretry-after: 120"]);
    let id = app.created().await;
    assert_eq!(deliver(&app).await, 1);
    let asked_at = app.now();
    assert_eq!(due(&only_delivery(&app, &endpoint).await), asked_at + chrono::Duration::seconds(120));
    app.until(&id, "ready").await;
    assert_eq!((deliveries(&app, &endpoint).await.len(), hook.received().len()), (2, 1), "the second event waits too");
    app.set_clock(asked_at + chrono::Duration::seconds(120));
    assert_eq!(deliver(&app).await, 2);
    assert_eq!(hook.kinds()[1..].iter().filter(|kind| *kind == "image_cache.ready").count(), 1);
    assert!(deliveries(&app, &endpoint).await.iter().all(|delivery| delivery["status"] == "delivered"));
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_its_own_slots_only() {
    let mut setup = Setup::default();
    (setup.settings.webhook.running, setup.settings.webhook.running_per_endpoint) = (2, 1);
    let app = TestGateway::with(setup).await;
    let (hanging, healthy) = (Hook::start().await, Hook::start().await);
    let (first, _) = app.endpoint(&hanging.url()).await;
    let (second, _) = app.endpoint(&healthy.url()).await;
    for _ in 0..3 {
        app.created().await;
    }
    hanging.hold();
    let (sent, ()) = tokio::join!(deliver(&app), async {
        healthy.wait_for(3).await;
        // The healthy one has received everything while the other has answered nothing.
        hanging.wait_for(1).await;
        assert_eq!(hanging.received().len(), 1);
        hanging.release();
    });
    assert_eq!(sent, 6);
    for endpoint in [first, second] {
        for delivery in deliveries(&app, &endpoint).await {
            assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("delivered"), &json!(1)), "{delivery}");
        }
    }
}

#[tokio::test]
async fn with_its_endpoint_goes_what_waits_for_it() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    let path = format!("/v1/webhook-endpoints/{endpoint}");
    hook.script(&["500 Oops", "500 Oops"]);
    let id = app.created().await;
    assert_eq!(deliver(&app).await, 1);
    app.until(&id, "creating").await;
    app.advance(60);
    app.created().await;
    // One waits for a retry, one is being sent while the endpoint is deleted.
    hook.hold();
    let (_, ()) = tokio::join!(deliver(&app), async {
        hook.wait_for(3).await;
        assert_eq!(app.delete(&path).await.status, 204);
        hook.release();
    });
    app.get(&path).await.problem(404, "not_found");
    app.delete(&path).await.problem(404, "not_found");
    app.gateway.upkeep().clean().await.unwrap();
    app.advance(86_400);
    assert_eq!(deliver(&app).await, 0);
    let mut states: Vec<Value> = deliveries(&app, &endpoint).await.iter().map(|one| one["status"].clone()).collect();
    states.sort_by_key(Value::to_string);
    assert_eq!(states, ["cancelled", "delivered"]);
    let secrets = "SELECT count(*) FROM webhook_endpoints WHERE octet_length(secret) > 0";
    assert_eq!(app.count(secrets).await, 0, "nor is the secret kept");
}

#[tokio::test]
async fn what_a_dead_worker_held_is_delivered_by_another() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    app.created().await;
    hook.hold();
    let doomed = app.second_gateway(Setup::default()).await.gateway.clone();
    let dying = tokio::spawn(async move { doomed.webhooks().deliver(&CancellationToken::new()).await });
    hook.wait_for(1).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    hook.release();

    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(deliver(&app).await, 0, "its lease still holds");
    assert_eq!(only_delivery(&app, &endpoint).await["status"], "in_flight");
    let sql = "UPDATE webhook_workers SET alive_until = clock_timestamp() - interval '1 second'";
    sqlx::query(sql).execute(app.sql()).await.unwrap();
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(only_delivery(&app, &endpoint).await["status"], "delivered");
    assert_eq!(attempts(&app).await, ["1 worker_lost worker_lost", "2 delivered 204"]);
}

#[tokio::test]
async fn after_eleven_attempts_a_delivery_is_given_up() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    // Only this type: the team is also notified of a day of failures.
    let body = json!({"url": hook.url(), "skip_challenge": true, "event_types": ["image_cache.created"]});
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    let endpoint = made["id"].as_str().unwrap().to_owned();
    hook.script(&["500 Oops"; 12]);
    app.created().await;
    for _ in 0..10 {
        assert_eq!(deliver(&app).await, 1);
        app.set_clock(due(&only_delivery(&app, &endpoint).await));
    }
    assert_eq!(deliver(&app).await, 1);
    let given_up = only_delivery(&app, &endpoint).await;
    assert_eq!((&given_up["status"], &given_up["attempts"]), (&json!("exhausted"), &json!(11)));
    assert_eq!((&given_up["last_error"], &given_up["next_attempt_at"]), (&json!("status"), &Value::Null));
    app.advance(30 * 86_400);
    assert_eq!((deliver(&app).await, attempts(&app).await.len(), hook.received().len()), (0, 11, 11));
}

#[tokio::test]
async fn closed_addresses_are_refused_when_saved_and_when_sent() {
    let open = TestGateway::start().await;
    let policy = AddressPolicy { allow_http: true, allow_public: true, ..AddressPolicy::default() };
    let strict = open.second_gateway(Setup { policy, ..Setup::default() }).await;
    let hook = Hook::start().await;
    for url in [hook.url(), "http://localhost:1/".into(), "http://10.0.0.1/".into(), "http://169.254.169.254/".into()] {
        let problem = strict.post("/v1/webhook-endpoints", &json!({"url": url})).await.problem(422, "invalid_request");
        assert_eq!(
            (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
            (&json!("/url"), &json!("not_allowed"))
        );
    }
    // Saved while it was allowed.
    let (endpoint, _) = open.endpoint(&hook.url()).await;
    strict.created().await;
    assert_eq!(deliver(&strict).await, 1);
    let delivery = only_delivery(&strict, &endpoint).await;
    assert_eq!((&delivery["status"], &delivery["last_error"]), (&json!("waiting"), &json!("address_refused")));
    assert_eq!(hook.received(), []);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_encrypted() {
    let app = TestGateway::start().await;
    let request = app.request(Method::POST, "/v1/webhook-endpoints");
    let body = json!({"url": "http://127.0.0.1:9/hook", "description": "ours", "event_types": ["image_cache.ready"], "skip_challenge": true});
    let made = Answer::of(request.json(&body)).await;
    let mut endpoint = made.expect(201);
    let path = format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let secret = endpoint.as_object_mut().unwrap().remove("secret").unwrap();
    let secret = secret.as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(app.get(&path).await.expect(200), endpoint, "everything but the secret");
    assert_eq!(app.items("/v1/webhook-endpoints").await, [endpoint]);
    let kept: Vec<u8> = sqlx::query_scalar("SELECT secret FROM webhook_endpoints").fetch_one(app.sql()).await.unwrap();
    assert_eq!(kept[..4], *b"\x01\x02k1", "sealed, and by which key");
    assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

#[tokio::test]
async fn an_endpoint_hears_what_it_asked_for() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let body =
        json!({"url": hook.url(), "event_types": ["image_cache.ready", "image_cache.deleted"], "skip_challenge": true});
    app.post("/v1/webhook-endpoints", &body).await.expect(201);
    let id = app.created().await;
    app.until(&id, "ready").await;
    assert_eq!(hook.kinds(), ["image_cache.ready"]);
    let wrong = json!({"url": hook.url(), "event_types": ["image_cache.ready", "image_cache.read"]});
    let problem = app.post("/v1/webhook-endpoints", &wrong).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/event_types/1");
}

#[tokio::test]
async fn who_is_told_to_stop_ends_what_is_in_flight_and_begins_no_more() {
    let mut one_slot = Setup::default();
    one_slot.settings.webhook.running = 1;
    let app = TestGateway::with(one_slot).await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    app.created().await;
    app.created().await;
    hook.hold();
    let (gateway, stop) = (app.gateway.clone(), CancellationToken::new());
    let told = stop.clone();
    let delivering = tokio::spawn(async move { gateway.webhooks().deliver(&told).await });
    hook.wait_for(1).await;
    stop.cancel();
    hook.release();
    assert_eq!(delivering.await.unwrap().unwrap(), 1);
    assert_eq!(hook.received().len(), 1);
    assert_eq!(deliver(&app).await, 1, "the other one is left to whoever comes next");
}

#[tokio::test]
async fn an_attempt_that_outlives_the_end_is_cut_off_and_at_once_in_the_queue_again() {
    let settings = app::GatewaySettings { webhook_drain: Duration::ZERO, ..Setup::default().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    app.created().await;
    hook.hold();
    let (gateway, stop) = (app.gateway.clone(), CancellationToken::new());
    let told = stop.clone();
    let delivering = tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await });
    hook.wait_for(1).await;
    stop.cancel();
    delivering.await.unwrap().unwrap();
    let delivery = only_delivery(&app, &endpoint).await;
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("waiting"), &json!(1)), "nothing is in hand");
    assert_eq!(attempts(&app).await, ["1 worker_lost worker_lost"], "it may have arrived");
    hook.release();
    assert_eq!(deliver(&app).await, 1);
    let ids: Vec<_> = hook.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]), "the same id: its receiver can tell");
}
