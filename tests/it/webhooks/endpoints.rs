//! What a team may do with its webhook endpoints and deliveries, through the API and over real sockets.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sign;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::gateway::{Setup, TestGateway, new_cache};
use crate::support::hook::Hook;
use crate::support::receiver::RawReceiver;

async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

/// An endpoint with these additional members; returns the response.
async fn endpoint(app: &TestGateway, hook: &Hook, more: Value) -> Value {
    let mut body = json!({"url": hook.url()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/v1/webhook-endpoints", &body).await.expect(201)
}

fn path(endpoint: &Value) -> String {
    format!("/v1/webhook-endpoints/{}", endpoint["id"].as_str().unwrap())
}

async fn act(app: &TestGateway, endpoint: &Value, what: &str, body: Value) -> Value {
    let request = app.request(reqwest::Method::POST, &format!("{}/{what}", path(endpoint)));
    let request = if body.is_null() { request } else { request.json(&body) };
    crate::support::answer::Answer::of(request).await.expect(200)
}

#[tokio::test]
async fn a_url_must_echo_a_challenge_before_it_is_saved() {
    let settings = app::GatewaySettings::default();
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    let hook = Hook::start().await;
    let deaf = RawReceiver::says("200 OK", "").await;
    let refuse = async |body: Value, field: &str, code: &str| {
        let problem = app.post("/v1/webhook-endpoints", &body).await.problem(422, "invalid_request");
        assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!(field), &json!(code)));
    };
    refuse(json!({"url": deaf.url()}), "/url", "challenge_failed").await;
    refuse(json!({"url": "http://127.0.0.1:9/"}), "/url", "challenge_failed").await;
    refuse(json!({"url": hook.url(), "skip_challenge": true}), "/skip_challenge", "not_allowed").await;
    let asked: Value = serde_json::from_str(deaf.requests()[0].split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(asked["type"], "webhook_endpoint.challenge");
    assert_eq!(app.items("/v1/webhook-endpoints").await.len(), 0);

    let made = endpoint(&app, &hook, json!({})).await;
    let moved = app.patch(&path(&made), &json!({"url": deaf.url()})).await.problem(422, "invalid_request");
    assert_eq!(moved["errors"][0]["code"], "challenge_failed");
    assert_eq!(app.get(&path(&made)).await.expect(200)["url"], hook.url());
}

#[tokio::test]
async fn an_endpoint_hears_of_the_names_and_tags_that_it_asked_for() {
    let app = TestGateway::start().await;
    let (names, tags, all) = (Hook::start().await, Hook::start().await, Hook::start().await);
    endpoint(&app, &names, json!({"name_pattern": "web-?_*"})).await;
    endpoint(&app, &tags, json!({"tags": {"service": "web"}})).await;
    endpoint(&app, &all, json!({})).await;
    for (name, tag) in [("web-1_a", "web"), ("web-11", "web"), ("api", "api")] {
        let mut new = new_cache("nginx");
        new["name"] = json!(name);
        new["tags"] = json!({"service": tag, "commit": "1"});
        app.post("/v1/image-caches", &new).await.expect(201);
    }
    deliver(&app).await;
    let heard = |hook: &Hook| {
        let name = |one: &crate::support::hook::ReceivedWebhook| {
            one.json()["data"]["image_cache"]["name"].as_str().unwrap().to_owned()
        };
        let mut heard: Vec<String> = hook.received().iter().map(name).collect();
        heard.sort();
        heard
    };
    assert_eq!((heard(&names), heard(&tags)), (vec!["web-1_a".into()], vec!["web-11".into(), "web-1_a".into()]));
    assert_eq!(heard(&all).len(), 3);
}

#[tokio::test]
async fn only_what_is_given_is_changed() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let more = json!({
        "description": "ours", "event_types": ["image_cache.ready"], "name_pattern": "web-*", "tags": {"a": "b"},
        "rate_per_second": 5, "ordered": true, "headers": {"authorization": "Bearer hunter2"},
        "timeout_seconds": 7, "retry_schedule_seconds": [1, 2],
    });
    let mut before = endpoint(&app, &hook, more).await;
    before.as_object_mut().unwrap().remove("secret");
    assert_eq!(before["headers"], json!({"authorization": "********"}));
    let after =
        app.patch(&path(&before), &json!({"rate_per_second": 0, "retry_schedule_seconds": []})).await.expect(200);
    let mut expected = before.clone();
    expected.as_object_mut().unwrap().retain(|name, _| name != "rate_per_second" && name != "retry_schedule_seconds");
    expected["version"] = json!(before["version"].as_i64().unwrap() + 1);
    assert_eq!(after, expected);
    assert_eq!(app.get(&path(&before)).await.expect(200), expected);
    for (wrong, field) in [
        (json!({"rate_per_second": 1001}), "/rate_per_second"),
        (json!({"timeout_seconds": 31}), "/timeout_seconds"),
        (json!({"retry_schedule_seconds": [0]}), "/retry_schedule_seconds"),
        (json!({"headers": {"webhook-signature": "v1,x"}}), "/headers/webhook-signature"),
        (json!({"headers": {"host": "x"}}), "/headers/host"),
        (json!({"headers": {"transfer-encoding": "x"}}), "/headers/transfer-encoding"),
        (json!({"headers": {"content-type": "x"}}), "/headers/content-type"),
        (json!({"headers": {"x-a": "a\r\nb: c"}}), "/headers/x-a"),
        (json!({"event_types": ["nonsense"]}), "/event_types/0"),
        (json!({"url": "http://127.0.0.1:9/", "skip_challenge": true}), "/headers"),
        (json!({"url": "http://169.254.169.254/", "headers": {}}), "/url"),
    ] {
        let problem = app.patch(&path(&before), &wrong).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{wrong}");
    }
    let kept: Vec<u8> = sqlx::query_scalar("SELECT headers FROM webhook_endpoints").fetch_one(app.sql()).await.unwrap();
    assert!(!kept.windows(7).any(|window| window == b"hunter2"), "sealed");
}

#[tokio::test]
async fn own_headers_go_out_and_the_signature_is_both_schemes() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let more = json!({"headers": {"authorization": "Bearer hunter2"}, "ed25519": true});
    let made = endpoint(&app, &hook, more).await;
    app.created().await;
    deliver(&app).await;
    let received = hook.received().remove(0);
    assert_eq!(received.header("authorization"), "Bearer hunter2");
    received.verify(made["secret"].as_str().unwrap(), app.now());
    let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok());
    let public = made["public_key"].as_str().unwrap();
    sign::verify_asymmetric(public, header, received.body.as_bytes(), app.now()).unwrap();

    let plain = app.patch(&path(&made), &json!({"ed25519": false})).await.expect(200);
    assert_eq!(plain["public_key"], Value::Null);
    app.created().await;
    deliver(&app).await;
    assert_eq!(hook.received()[1].header("webhook-signature").matches("v1").count(), 1);
    hook.received()[1].verify(made["secret"].as_str().unwrap(), app.now());
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_old_one_for_a_while() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let made = endpoint(&app, &hook, json!({})).await;
    let old = made["secret"].as_str().unwrap();
    let rotated = act(&app, &made, "rotate-secret", json!({"keep_old_hours": 1})).await;
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(rotated["old_secret_until"], "2026-03-01T09:00:00Z");
    app.created().await;
    deliver(&app).await;
    for secret in [old, new] {
        hook.received()[0].verify(secret, app.now());
    }
    app.advance(3_600);
    app.created().await;
    deliver(&app).await;
    let last = hook.received().pop().unwrap();
    last.verify(new, app.now());
    let header = |name: &str| last.headers.get(name).and_then(|value| value.to_str().ok());
    let refused = sign::verify(&SigningSecret::parse(old).unwrap(), header, last.body.as_bytes(), app.now());
    assert!(refused.is_err(), "its time is over");
    let wrong = app.post(&format!("{}/rotate-secret", path(&made)), &json!({"keep_old_hours": 169})).await;
    wrong.problem(422, "invalid_request");
}

#[tokio::test]
async fn a_test_tells_what_came_back() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let made = endpoint(&app, &hook, json!({})).await;
    let good = act(&app, &made, "test", Value::Null).await;
    assert_eq!((&good["outcome"], &good["http_status"]), (&json!("delivered"), &json!(204)));
    let received = hook.received().remove(0);
    assert_eq!(
        (received.kind(), received.header("webhook-id")),
        ("webhook_endpoint.test".into(), good["message_id"].as_str().unwrap())
    );
    received.verify(made["secret"].as_str().unwrap(), app.now());
    let refusing = RawReceiver::says("500 Oh", "").await;
    app.patch(&path(&made), &json!({"url": refusing.url(), "skip_challenge": true})).await.expect(200);
    let bad = act(&app, &made, "test", Value::Null).await;
    assert_eq!((&bad["outcome"], &bad["http_status"], &bad["response"]), (&json!("failed"), &json!(500), &json!("ok")));
    assert_eq!(app.count("SELECT count(*) FROM webhook_deliveries").await, 0, "a test is no delivery");
}

#[tokio::test]
async fn what_happens_during_a_pause_waits_for_its_end() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let made = endpoint(&app, &hook, json!({})).await;
    let paused = act(&app, &made, "pause", Value::Null).await;
    assert_eq!((&paused["disabled"], &paused["disabled_reason"]), (&json!(true), &json!("paused")));
    app.created().await;
    assert_eq!((deliver(&app).await, hook.received().len()), (0, 0));
    let resumed = act(&app, &made, "resume", Value::Null).await;
    assert_eq!((&resumed["disabled"], &resumed["disabled_reason"]), (&json!(false), &Value::Null));
    assert_eq!(deliver(&app).await, 1);
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_on_request() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let made = endpoint(&app, &hook, json!({"retry_schedule_seconds": [1]})).await;
    hook.script(&["500 A", "500 B", "500 C", "500 D"]);
    app.created().await;
    app.created().await;
    deliver(&app).await;
    app.advance(2);
    deliver(&app).await;
    let list = format!("/v1/deliveries?webhook_endpoint_id={}", made["id"].as_str().unwrap());
    let types = "event_type=image_cache.created&event_type=image_cache.lost";
    let given_up = app.items(&format!("{list}&status=exhausted&{types}")).await;
    assert_eq!(given_up.len(), 2, "two attempts each, by its own schedule");
    let one = format!("/v1/deliveries/{}", given_up[0]["id"].as_str().unwrap());
    assert_eq!(app.get(&one).await.expect(200), given_up[0]);
    let attempts = app.items(&format!("{one}/attempts")).await;
    let told: Vec<_> =
        attempts.iter().map(|one| (one["number"].as_i64().unwrap(), one["http_status"].as_i64().unwrap())).collect();
    assert_eq!(told, [(1, 500), (2, 500)]);

    let request = app.request(reqwest::Method::POST, &format!("{one}/resend"));
    let resent = crate::support::answer::Answer::of(request).await.expect(200);
    assert_eq!((&resent["status"], &resent["attempts"]), (&json!("waiting"), &json!(0)));
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(app.get(&one).await.expect(200)["status"], "delivered");
    assert_eq!(app.items(&format!("{one}/attempts")).await.len(), 3, "none is forgotten");

    let since = json!({"created_after": "2026-03-01T08:00:00Z"});
    assert_eq!(act(&app, &made, "recover", json!({"created_after": "2026-03-01T08:00:01Z"})).await["deliveries"], 0);
    assert_eq!(act(&app, &made, "recover", since.clone()).await, json!({"deliveries": 1, "has_more": false}));
    assert_eq!((deliver(&app).await, app.items(&format!("{list}&status=delivered")).await.len()), (1, 2));

    let late = Hook::start().await;
    let second = endpoint(&app, &late, json!({"event_types": ["image_cache.created"]})).await;
    assert_eq!(act(&app, &second, "replay", since.clone()).await["deliveries"], 2);
    assert_eq!(act(&app, &second, "replay", since).await["deliveries"], 0, "each once");
    assert_eq!(deliver(&app).await, 2);
    let ids = |hook: &Hook| {
        hook.received().iter().map(|one| one.header("webhook-id").to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&late), ids(&hook), "the same ids");
}

#[tokio::test]
async fn deliveries_are_found_by_event_and_time() {
    let app = TestGateway::start().await;
    app.endpoint("http://127.0.0.1:9/").await;
    app.created().await;
    app.advance(60);
    app.created().await;
    let all = app.items("/v1/deliveries").await;
    let event = all[1]["event_id"].as_str().unwrap();
    assert_eq!(app.items(&format!("/v1/deliveries?event_id={event}")).await, all[1..]);
    assert_eq!(app.items("/v1/deliveries?created_after=2026-03-01T08:00:30Z").await, all[..1]);
    assert_eq!(app.items("/v1/deliveries?created_before=2026-03-01T08:00:30Z").await, all[1..]);
    assert_eq!(app.items("/v1/deliveries?event_type=image_cache.ready").await.len(), 0);
}

#[tokio::test]
async fn an_endpoint_may_ask_for_cloud_events() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.post("/v1/webhook-endpoints", &json!({"url": hook.url(), "format": "xml"}))
        .await
        .problem(422, "invalid_request");
    let made = endpoint(&app, &hook, json!({"format": "cloudevents"})).await;
    let id = app.created().await;
    deliver(&app).await;
    let received = &hook.received()[0];
    received.verify(made["secret"].as_str().unwrap(), app.now());
    assert_eq!(received.headers["content-type"], "application/cloudevents+json");
    let event = received.json();
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("image_cache.created")));
    assert_eq!(
        (&event["id"], &event["subject"]),
        (&json!(received.headers["webhook-id"].to_str().unwrap()), &json!(id))
    );
    assert_eq!(event["data"]["image_cache"]["id"], json!(id));

    let tested = act(&app, &made, "test", Value::Null).await;
    let received = hook.received().pop().unwrap();
    received.verify(made["secret"].as_str().unwrap(), app.now());
    assert_eq!(
        (received.headers["content-type"].as_bytes(), tested["outcome"].as_str()),
        (&b"application/cloudevents+json"[..], Some("delivered"))
    );
    let event = received.json();
    assert_eq!((&event["id"], &event["type"]), (&tested["message_id"], &json!("webhook_endpoint.test")));
    assert_eq!(event["subject"], made["id"]);

    app.patch(&path(&made), &json!({"format": "native"})).await.expect(200);
    app.until(&id, "ready").await;
    let native = hook.received().last().unwrap().json();
    assert_eq!((&native["type"], &native["specversion"]), (&json!("image_cache.ready"), &Value::Null));
}
