//! One cache for each content, however many callers request it.
#![cfg(test)]

use std::collections::BTreeMap;

use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::domain::image_cache::spec::fields::{ALL, AuditForm};
use eci_cache_gateway::eci::Attempt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};

const PATH: &str = "/v1/image-caches/ensure";

fn content(more: &Value) -> Value {
    let mut body = new_cache("nginx:1.27");
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Status, outcome and the cache's id.
async fn ensure(app: &TestGateway, more: &Value) -> (u16, String, String) {
    read(&app.post(PATH, &content(more)).await)
}

fn read(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    (answer.status, text(&body["outcome"]), text(&body["image_cache"]["id"]))
}

fn is(found: &(u16, String, String), status: u16, outcome: &str) -> bool {
    (found.0, found.1.as_str()) == (status, outcome)
}

#[tokio::test]
async fn a_thousand_at_once_on_two_gateways_make_one() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    let answers = join_all((0..1_000).map(async |number| {
        let gateway = if number % 2 == 0 { &app } else { &second };
        // Every third one with a key, and each with another name: neither is part of the content.
        let body = content(&json!({"name": format!("from-{number}")}));
        let request = gateway.bare(Method::POST, PATH).bearer_auth(app.token(TEAM, &SCOPES)).json(&body);
        let keyed = number % 3 == 0;
        let request = if keyed { request.header("idempotency-key", format!("key-{number}")) } else { request };
        read(&Answer::of(request).await)
    }))
    .await;
    let mut counts = BTreeMap::new();
    for (status, outcome, _) in &answers {
        *counts.entry(format!("{status} {outcome}")).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("200 joined".to_owned(), 999), ("201 created".to_owned(), 1)]));
    assert!(answers.iter().all(|answer| answer.2 == answers[0].2), "all mean the same cache");
    assert_eq!(app.creations().await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operations").await, 1);
    let audited = "SELECT count(*) FROM audit_entries WHERE action = 'ensure_image_cache' AND resource IS NOT NULL";
    assert_eq!(app.count(audited).await, 1_000);
}

#[tokio::test]
async fn there_is_none_then_it_is_built_then_it_is_ready() {
    let app = TestGateway::start().await;
    let made = app.post(PATH, &content(&json!({}))).await;
    let created = read(&made);
    assert!(is(&created, 201, "created"), "{created:?}");
    let id = &created.2;
    assert_eq!(made.header("location"), format!("/v1/image-caches/{id}"));
    assert_eq!(made.header("etag"), "\"v2\"");
    let spelled = json!({"name": "other", "images": ["docker.io/library/nginx:1.27"], "size_gib": 20,
        "tags": {"a": "b"}, "retention_days": 3});
    assert_eq!(ensure(&app, &spelled).await, (200, "joined".to_owned(), id.clone()));
    app.until(id, "ready").await;
    assert_eq!(ensure(&app, &spelled).await, (200, "reused".to_owned(), id.clone()));
    assert_eq!(app.cache(id).await["tags"], json!({}), "what is reused is not changed");
    for other in [
        json!({"images": ["nginx:1.28"]}),
        json!({"size_gib": 40}),
        json!({"region": "cn-hangzhou"}),
        json!({"flash": true}),
        json!({"images": ["nginx:1.27", "redis:7"]}),
    ] {
        assert!(is(&ensure(&app, &other).await, 201, "created"), "{other}");
    }
    let entries = app.items(&format!("/v1/audit-entries?resource={id}&action=ensure_image_cache")).await;
    let told: Vec<String> =
        entries.iter().map(|one| format!("{} {}", one["outcome"], one["parameters"]["outcome"])).collect();
    assert_eq!(told, [r#""succeeded" "reused""#, r#""succeeded" "joined""#, r#""accepted" "created""#]);
    assert_eq!(app.creations().await, 6);
}

#[tokio::test]
async fn a_plain_create_makes_another_and_serves_as_well() {
    let app = TestGateway::start().await;
    let plain = app.created().await;
    assert_eq!(ensure(&app, &json!({})).await, (200, "joined".to_owned(), plain.clone()));
    let second = app.created().await;
    assert_ne!(second, plain);
    app.until(&second, "ready").await;
    app.delete(&format!("/v1/image-caches/{plain}")).await.expect(200);
    assert_eq!(ensure(&app, &json!({})).await, (200, "reused".to_owned(), second));
}

#[tokio::test]
async fn another_teams_is_none() {
    let app = TestGateway::start().await;
    let ours = ensure(&app, &json!({})).await;
    let token = app.token("other", &[Scope::Write]);
    let request = app.bare(Method::POST, PATH).bearer_auth(token).json(&content(&json!({})));
    let theirs = read(&Answer::of(request).await);
    assert!(is(&theirs, 201, "created") && theirs.2 != ours.2, "{theirs:?}");
}

#[tokio::test]
async fn one_that_failed_ends_soon_is_removed_or_was_changed_will_not_do() {
    let app = TestGateway::start().await;
    // Failed.
    let broken = json!({"images": ["example.com/does-not-exist:1"]});
    let failed = ensure(&app, &broken).await.2;
    app.until(&failed, "failed").await;
    let again = ensure(&app, &broken).await;
    assert!(is(&again, 201, "created") && again.2 != failed, "{again:?}");
    // Expires within the margin.
    let brief = ensure(&app, &json!({"retention_days": 1})).await.2;
    let end: Instant = app.until(&brief, "ready").await["expires_at"].as_str().unwrap().parse().unwrap();
    app.set_clock(end - chrono::Duration::seconds(3_601));
    assert!(is(&ensure(&app, &json!({})).await, 200, "reused"));
    app.advance(1);
    let longer = ensure(&app, &json!({})).await;
    assert!(is(&longer, 201, "created"), "{longer:?}");
    app.until(&longer.2, "ready").await;
    // An update is in progress with an unknown outcome: the content will change.
    app.fault(&json!({"action": "UpdateImageCache", "kind": "throttle"})).await;
    let path = format!("/v1/image-caches/{}", longer.2);
    app.patch(&path, &json!({"images": ["nginx:2"]})).await.expect(202);
    let fresh = ensure(&app, &json!({})).await;
    assert!(is(&fresh, 201, "created"), "{fresh:?}");
    app.until(&longer.2, "updating").await;
    assert_eq!(ensure(&app, &json!({"images": ["nginx:2"]})).await, (200, "joined".to_owned(), longer.2.clone()));
    // Changed outside the gateway.
    app.until(&fresh.2, "ready").await;
    let imc = app.cache(&fresh.2).await["eci_cache_id"].as_str().unwrap().to_owned();
    let changes = serde_json::from_value(changed_images("nginx:3")).unwrap();
    let operation = OperationId::new(app.now(), &Entropy::from_os());
    let attempt = Attempt {
        operation,
        client_token: operation.to_string(),
        signed_at: app.now(),
        bucket: None,
        marks: Vec::new(),
    };
    app.advance(120);
    app.cloud_client().update(&"cn-beijing".parse().unwrap(), &imc, &changes, &[], &attempt).await.unwrap();
    app.advance(120);
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!(app.cache(&fresh.2).await["drift"][0]["field"], "images");
    let last = ensure(&app, &json!({})).await;
    assert!(is(&last, 201, "created") && last.2 != fresh.2, "{last:?}");
}

/// A change of only the images.
fn changed_images(image: &str) -> Value {
    let taken = ALL.iter().filter(|field| field.in_update.is_some() && field.audit != AuditForm::Secret);
    let mut all: Value = taken.map(|field| (field.name.to_owned(), Value::Null)).collect();
    all["images"] = json!([image]);
    all
}

#[tokio::test]
async fn a_key_stands_for_what_was_answered() {
    let app = TestGateway::start().await;
    let with = async |key: &str, more: &Value| {
        let request = app.request(Method::POST, PATH).header("idempotency-key", key).json(&content(more));
        Answer::of(request).await
    };
    let created = with("one", &json!({})).await;
    assert!(is(&read(&created), 201, "created"));
    let joined = with("two", &json!({})).await;
    assert!(is(&read(&joined), 200, "joined"));
    app.until(&read(&created).2, "ready").await;
    let reused = with("three", &json!({})).await;
    for (key, first) in [("one", &created), ("two", &joined), ("three", &reused)] {
        let again = with(key, &json!({})).await;
        assert_eq!((again.json(), again.status), (first.json(), first.status), "{key}");
        assert_eq!(again.header("idempotent-replayed"), "true");
        with(key, &json!({"size_gib": 40})).await.problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn a_refusal_is_told_and_the_next_may_try() {
    let app = TestGateway::start().await;
    app.set_limits(&json!({"quota": 0})).await;
    app.post(PATH, &content(&json!({}))).await.problem(409, "cloud_refused");
    app.set_limits(&json!({})).await;
    assert!(is(&ensure(&app, &json!({})).await, 201, "created"));
    app.post(PATH, &content(&json!({"images": []}))).await.problem(422, "invalid_request");
    app.post(PATH, &content(&json!({"colour": "red"}))).await.problem(422, "invalid_request");
}
