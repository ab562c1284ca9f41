//! A URL may contain a secret: a token in its query, or a path that only its owner knows. It is shown only to those who
//! may read it, and is stored encrypted.

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::{deliver, unasked};
use crate::secrets::canary::sinks;
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};
use crate::support::hook::Hook;
use crate::support::receiver::{Manner, RawReceiver};

const QUERY: &str = "hunter2-in-the-query";
const PATH: &str = "hunter2-in-the-path";

/// The address of a chat bot.
fn secret_url(hook: &Hook) -> String {
    format!("{}/services/T0/{PATH}?access_token={QUERY}&timestamp=1", hook.url())
}

fn origin(hook: &Hook) -> String {
    hook.url().trim_end_matches("/hook").to_owned()
}

#[tokio::test]
async fn no_event_entry_or_log_shows_more_than_scheme_and_host() {
    let (logs, _logging) = sinks::logs();
    let app = TestGateway::start().await;
    let (hook, other) = (Hook::start().await, Hook::start().await);
    let path = unasked(&app, &secret_url(&hook), json!({"event_types": ["image_cache.created"]})).await;
    let cloud_events = json!({"event_types": ["webhook_endpoint.disabled"], "format": "cloudevents"});
    unasked(&app, &other.url(), json!({"event_types": ["webhook_endpoint.disabled"]})).await;
    unasked(&app, &other.url(), cloud_events).await;
    hook.script(&["410 Gone"]);
    app.created().await;
    deliver(&app).await;
    deliver(&app).await;
    let reader = app.token(TEAM, &[Scope::Read, Scope::Audit]);
    app.events().await;
    let mut heard = String::new();
    for page in ["/v1/events", "/v1/audit-entries?limit=100", "/v1/audit-export?format=ndjson"] {
        heard += &Answer::of(app.bare(Method::GET, page).bearer_auth(&reader)).await.text;
    }
    heard += &Answer::of(app.bare(Method::GET, &path).bearer_auth(&reader)).await.text;
    assert!(heard.contains("webhook_endpoint.disabled") && heard.contains(&origin(&hook)), "{heard}");
    let told: Vec<_> = other.received().iter().map(|one| one.body.clone()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let url = serde_json::to_string(&origin(&hook)).unwrap();
    assert!(told.iter().all(|body| body.contains(&format!("\"url\":{url}"))), "{told:?}");
    let deliveries = app.get("/v1/deliveries").await.text;
    let log = String::from_utf8_lossy(&logs.bytes()).into_owned();
    for (sink, text) in [("answers", heard), ("webhooks", told.join("")), ("deliveries", deliveries), ("log", log)] {
        assert!(!text.contains("hunter2"), "{sink}: {text}");
    }
    // Those who manage the endpoints see it.
    assert_eq!(app.get(&path).await.expect(200)["url"], secret_url(&hook));
}

#[tokio::test]
async fn events_of_before_that_show_a_whole_url_are_told_without_it() {
    let app = TestGateway::start().await;
    let (hook, other) = (Hook::start().await, Hook::start().await);
    unasked(&app, &secret_url(&hook), json!({"event_types": ["image_cache.created"]})).await;
    unasked(&app, &other.url(), json!({"event_types": ["webhook_endpoint.disabled"]})).await;
    hook.script(&["410 Gone"]);
    app.created().await;
    deliver(&app).await;
    // As the previous version wrote it.
    let old = format!("UPDATE events SET body = replace(body, '{}\"', '{}\"')", origin(&hook), secret_url(&hook));
    sqlx::query(AssertSqlSafe(old)).execute(app.sql()).await.unwrap();
    deliver(&app).await;
    let events = app.events().await;
    let disabled = events.iter().find(|event| event["type"] == "webhook_endpoint.disabled").unwrap();
    assert_eq!(disabled["data"]["webhook_endpoint"]["url"], origin(&hook));
    assert_eq!(other.received()[0].json()["data"]["webhook_endpoint"]["url"], origin(&hook));
}

#[tokio::test]
async fn an_answer_that_repeats_the_url_is_kept_without_it() {
    let app = TestGateway::start().await;
    let told = format!("no such robot: /services/{PATH}?access_token={QUERY}");
    let head = format!("HTTP/1.1 404 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", told.len());
    let echoing = RawReceiver::start(Manner::Says(head + &told)).await;
    let url = format!("http://{}/services/{PATH}?access_token={QUERY}", echoing.address);
    let path = unasked(&app, &url, json!({})).await;
    app.created().await;
    deliver(&app).await;
    let delivery = app.items("/v1/deliveries").await.remove(0);
    let attempts = app.items(&format!("/v1/deliveries/{}/attempts", delivery["id"].as_str().unwrap())).await;
    let said = attempts[0]["response"].as_str().unwrap();
    assert!(said.starts_with("no such robot") && !said.contains("hunter2"), "{said}");
    let tested = Answer::of(app.request(Method::POST, &format!("{path}/test"))).await.expect(200);
    assert!(!tested["response"].as_str().unwrap().contains("hunter2"), "{tested}");
}

#[tokio::test]
async fn urls_are_encrypted_at_rest_and_gone_when_the_endpoint_is() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let path = unasked(&app, &secret_url(&hook), json!({})).await;
    let dumped = async || String::from_utf8_lossy(&sinks::dump(app.sql()).await).into_owned();
    assert!(!dumped().await.contains("hunter2"));
    app.created().await;
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(hook.received().len(), 1, "it is known where to");
    let moved = Hook::start().await;
    app.patch(&path, &json!({"url": secret_url(&moved), "skip_challenge": true})).await.expect(200);
    app.created().await;
    deliver(&app).await;
    assert_eq!(moved.received().len(), 1);
    assert_eq!(app.get(&path).await.expect(200)["url"], secret_url(&moved));
    assert!(!dumped().await.contains("hunter2"));
    assert_eq!(app.delete(&path).await.status, 204);
    let left = "SELECT count(*) FROM webhook_endpoints WHERE to_jsonb(webhook_endpoints)->>'url_sealed' IS NOT NULL";
    assert_eq!(app.count(left).await, 0);
}

#[tokio::test]
async fn a_url_that_an_older_version_wrote_counts_and_is_encrypted_later() {
    let app = TestGateway::with(Setup::default()).await;
    let (hook, moved) = (Hook::start().await, Hook::start().await);
    let path = unasked(&app, &secret_url(&hook), json!({})).await;
    // The only column that the previous version writes.
    let write = sqlx::query("UPDATE webhook_endpoints SET url = $1, version = version + 1").bind(secret_url(&moved));
    write.execute(app.sql()).await.unwrap();
    assert_eq!(app.get(&path).await.expect(200)["url"], secret_url(&moved));
    app.created().await;
    deliver(&app).await;
    assert_eq!((hook.received().len(), moved.received().len()), (0, 1));
    app.gateway.upkeep().clean().await.unwrap();
    assert!(!String::from_utf8_lossy(&sinks::dump(app.sql()).await).contains("hunter2"));
    assert_eq!(app.get(&path).await.expect(200)["url"], secret_url(&moved));
    app.created().await;
    deliver(&app).await;
    assert_eq!(moved.received().len(), 2);
}
