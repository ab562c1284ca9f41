//! Endpoints that fail their challenge are told why; receivers that verify signatures before they answer can be added
//! nevertheless.
#![cfg(test)]

use std::sync::Arc;

use eci_cache_gateway::domain::clock::ManualClock;
use eci_cache_gateway::receiver;
use eci_cache_gateway::webhook::secret::SigningSecret;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;
use crate::support::hook::Hook;
use crate::support::receiver::{Manner, RawReceiver};

const OWN: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The only reason for which the URL is refused.
async fn reason(app: &TestGateway, url: &str) -> String {
    let problem = app.post("/v1/webhook-endpoints", &json!({"url": url})).await.problem(422, "invalid_request");
    let error = &problem["errors"][0];
    assert_eq!((&error["pointer"], &error["code"]), (&json!("/url"), &json!("challenge_failed")), "{problem}");
    error["detail"].as_str().unwrap().to_owned()
}

async fn post(app: &TestGateway, path: &str) -> Answer {
    Answer::of(app.request(Method::POST, path)).await
}

/// A receiver that answers only messages whose signature it can verify.
async fn strict(app: &TestGateway, secret: Option<&str>) -> receiver::Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secret = secret.map(|text| SigningSecret::parse(text).unwrap());
    receiver::Receiver::start(listener, secret, Arc::new(ManualClock::at(app.now())), |_| {})
}

#[tokio::test]
async fn each_refusal_of_a_challenge_says_what_came_back_and_what_to_change() {
    let app = TestGateway::start().await;
    for (status, extra, said) in [
        (
            "301 Moved",
            "location: https://hooks.example.com:8443/eci?token=hunter2\r\n",
            "301, a redirect to https://hooks.example.com:8443;",
        ),
        (
            "302 Found",
            "location: https://user:hunter2@login.example.com/hunter2\r\n",
            "302, a redirect to https://login.example.com;",
        ),
        (
            "308 Permanent",
            "location: /hook/?k=hunter2\r\n",
            "a redirect to a different path or scheme of the same host (http://127.0.0.1:",
        ),
        ("307 Temporary", "location: //[oops/hunter2\r\n", "307, a redirect without a target;"),
        ("304 Not Modified", "", "304, a redirect without a target;"),
        ("401 No", "", "it answered 401: it requires a credential, or does not accept the signature"),
        ("404 No", "", "it answered 404: there is nothing at that path"),
        ("405 No", "", "it answered 405: it does not accept POST"),
        ("410 Gone", "", "it answered 410: it wants no more messages"),
        ("503 Later", "", "it answered 503: it is unavailable"),
        ("200 OK", "", "it answered 200 with something else"),
    ] {
        let receiver = RawReceiver::says(status, extra).await;
        let detail = reason(&app, &receiver.url()).await;
        assert!(detail.contains(said), "{status}: {detail}");
        assert!(!detail.contains("hunter2"), "only the host is told: {detail}");
    }
    let page = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<!doctype html><title>Sign in</title>";
    let page = RawReceiver::start(Manner::Says(page.into())).await;
    assert!(reason(&app, &page.url()).await.contains("an HTML or XML page"));
    let resets = RawReceiver::start(Manner::Resets).await;
    assert!(reason(&app, &resets.url()).await.contains("ended before a response arrived"));
    assert!(reason(&app, "http://127.0.0.1:9/").await.contains("nothing listens on that port"));
    // Plain HTTP instead of TLS.
    let plain = format!("https://{}/hook", app.address);
    assert!(reason(&app, &plain).await.contains("the TLS connection failed"));
    assert_eq!(app.items("/v1/webhook-endpoints").await.len(), 0);
}

#[tokio::test]
async fn a_test_and_the_attempts_say_why_they_failed() {
    let app = TestGateway::start().await;
    let moved = RawReceiver::says("301 Moved", "location: https://hooks.example.com/eci?token=hunter2\r\n").await;
    let (id, _) = app.endpoint(&moved.url()).await;
    let test = post(&app, &format!("/v1/webhook-endpoints/{id}/test")).await.expect(200);
    assert_eq!(test["error"], "redirect");
    let said = test["explanation"].as_str().unwrap();
    assert!(said.contains("https://hooks.example.com;") && !said.contains("hunter2"), "{said}");
    app.created().await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    let delivery = app.items("/v1/deliveries").await.remove(0);
    let attempts = app.items(&format!("/v1/deliveries/{}/attempts", delivery["id"].as_str().unwrap())).await;
    assert!(attempts[0]["explanation"].as_str().unwrap().contains("it answered 301"), "{attempts:?}");
}

#[tokio::test]
async fn a_caller_may_bring_the_secret_that_its_receiver_has_already() {
    let app = TestGateway::start().await;
    let receiver = strict(&app, Some(OWN)).await;
    let detail = reason(&app, &receiver.url()).await;
    assert!(detail.contains("401") && detail.contains("`secret`") && detail.contains("`verify_later`"), "{detail}");
    let made = app.post("/v1/webhook-endpoints", &json!({"url": receiver.url(), "secret": OWN})).await.expect(201);
    assert_eq!((&made["secret"], &made["disabled"]), (&json!(OWN), &json!(false)));
    for wrong in ["hunter2hunter2hunter2hunter2hunter2hunt", "whsec_", "whsec_aGk=", "whsec_not base64 at all, is it??"]
    {
        let body = json!({"url": receiver.url(), "secret": wrong});
        let problem = app.post("/v1/webhook-endpoints", &body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/secret", "{problem}");
        assert!(!problem.to_string().contains(wrong.trim_start_matches("whsec_")) || wrong == "whsec_", "{problem}");
    }
    // Another one, given in the rotation.
    let next = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    let rotated = app.post(&format!("{path}/rotate-secret"), &json!({"secret": next})).await.expect(200);
    assert_eq!(rotated["secret"], next);
    // Both sign now: the receiver still knows only the first.
    assert_eq!(post(&app, &format!("{path}/test")).await.expect(200)["outcome"], "delivered");
    let kept = "SELECT count(*) FROM audit_entries WHERE parameters::text LIKE '%C2FVsBQI%' OR parameters::text LIKE '%AAECAwQF%'";
    assert_eq!(app.count(kept).await, 0, "no secret is in the audit");
}

#[tokio::test]
async fn an_endpoint_that_is_verified_later_gets_no_event_before() {
    let app = TestGateway::start().await;
    let receiver = strict(&app, None).await;
    let body = json!({"url": receiver.url(), "verify_later": true, "headers": {"X-Api-Key": "k1234"}});
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    assert_eq!((&made["disabled"], &made["disabled_reason"]), (&json!(true), &json!("pending")));
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    app.created().await;
    assert_eq!(app.count("SELECT count(*) FROM webhook_deliveries").await, 0, "none is kept for it either");
    for act in ["pause", "resume", "test"] {
        post(&app, &format!("{path}/{act}")).await.problem(409, "webhook_endpoint_pending");
    }
    for act in ["recover", "replay"] {
        let body = json!({"created_after": "2026-01-01T00:00:00Z"});
        app.post(&format!("{path}/{act}"), &body).await.problem(409, "webhook_endpoint_pending");
    }
    // Another receiver of the same kind with another secret: it is refused.
    let other = strict(&app, Some(OWN)).await;
    app.patch(&path, &json!({"url": other.url(), "headers": {}})).await.expect(200);
    let problem = post(&app, &format!("{path}/verify")).await.problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("401"), "{problem}");
    app.patch(&path, &json!({"url": receiver.url()})).await.expect(200);
    assert_eq!(app.get(&path).await.expect(200)["disabled_reason"], "pending");

    receiver.learn(SigningSecret::parse(made["secret"].as_str().unwrap()).unwrap());
    let verified = post(&app, &format!("{path}/verify")).await.expect(200);
    assert_eq!(
        (&verified["disabled"], &verified["disabled_reason"], &verified["secret"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    app.created().await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM webhook_deliveries WHERE state = 2").await, 1, "from now on");
    post(&app, &format!("{path}/pause")).await.expect(200);
    let again = post(&app, &format!("{path}/verify")).await.expect(200);
    assert_eq!(again["disabled_reason"], "paused", "what is verified stays as it is");
    let both = json!({"url": receiver.url(), "verify_later": true, "skip_challenge": true});
    let problem = app.post("/v1/webhook-endpoints", &both).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/verify_later");
}

#[tokio::test]
async fn names_of_headers_have_no_case() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let headers = json!({"Authorization": "Bearer hunter2", "X-API-Key": "k1234"});
    let made = app.post("/v1/webhook-endpoints", &json!({"url": hook.url(), "headers": headers})).await.expect(201);
    assert_eq!(made["headers"], json!({"authorization": "********", "x-api-key": "********"}));
    app.created().await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    assert_eq!(hook.received()[0].header("x-api-key"), "k1234");
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    for (headers, field) in [
        (json!({"X-Key": "a", "x-key": "b"}), "/headers/x-key"),
        (json!({"Webhook-Signature": "v1,x"}), "/headers/webhook-signature"),
        (json!({"HOST": "x"}), "/headers/host"),
        (json!({"Content-Type": "x"}), "/headers/content-type"),
        (json!({"X Key": "a"}), "/headers/x key"),
        (json!({"X-Ключ": "a"}), "/headers/x-Ключ"),
    ] {
        let problem = app.patch(&path, &json!({"headers": headers})).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem}");
    }
}
