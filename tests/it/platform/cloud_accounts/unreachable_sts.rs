//! An STS that cannot be reached or answers nonsense: everything works without it, this is reported, and it is called
//! again later.
#![cfg(test)]

use serde_json::{Value, json};

use super::{calls, degraded, pinned};
use crate::support::gateway::{Setup, TestGateway};
use crate::support::setup::{KEY, NOWHERE, SECOND};

fn without_sts(key: crate::support::setup::CloudKey) -> Setup {
    Setup { key, sts: Some(NOWHERE.into()), ..Setup::default() }
}

async fn asked(app: &TestGateway) -> u64 {
    calls(app, KEY, "GetCallerIdentity").await
}

#[tokio::test]
async fn where_it_cannot_be_reached_everything_goes_on() {
    let app = TestGateway::with(without_sts(Setup::default().key)).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    assert_eq!(app.delete(&format!("/v1/image-caches/{id}")).await.status, 200);
    assert_eq!((pinned(&app).await.len(), degraded(&app).await.len()), (0, 0));
}

#[tokio::test]
async fn whatever_else_it_answers_is_no_number() {
    let app = TestGateway::start().await;
    let body = |text: &str| json!({"kind": "status", "http": 200, "body": text});
    let answers = [
        json!({"kind": "error"}),
        json!({"kind": "error", "http": 403, "code": "Forbidden.RAM"}),
        json!({"kind": "throttle"}),
        json!({"kind": "reset"}),
        json!({"kind": "garbage"}),
        json!({"kind": "garbage", "variant": "empty"}),
        json!({"kind": "garbage", "variant": "truncated"}),
        body("{}"),
        body("[]"),
        body("{\"AccountId\":\"\"}"),
        body("{\"AccountId\":\"196813200012****\"}"),
        body("{\"AccountId\":\"1 or 2\"}"),
        body("{\"AccountId\":1}"),
        body("{\"AccountId\":null}"),
        body("{\"Account\":\"1\"}"),
        body("{\"AccountId\":\"1\",\"Code\":\"InternalError\"}"),
    ];
    for (count, mut answer) in (1..).zip(answers) {
        answer["action"] = json!("GetCallerIdentity");
        app.fault(&answer).await;
        let gateway = app.second_gateway(Setup::default()).await;
        for image in ["nginx:1.27", "redis:7"] {
            gateway.create(image).await.expect(201);
        }
        assert_eq!(
            (asked(&app).await, pinned(&app).await.len()),
            (count, 0),
            "once, and believed in nothing: {answer}"
        );
        assert_eq!(app.ledger().await["faults_waiting"], 0);
    }
}

#[tokio::test]
async fn it_is_asked_again_after_a_while_and_nobody_waits() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "GetCallerIdentity", "kind": "error"})).await;
    app.created().await;
    app.advance(599);
    app.created().await;
    assert_eq!(asked(&app).await, 1);
    app.advance(1);
    app.created().await;
    // It is called in the background of that create, and the next caller pins the account.
    while pinned(&app).await.is_empty() {
        app.get("/v1/usage?region=cn-beijing").await.expect(200);
    }
    app.advance(6_000);
    app.created().await;
    assert_eq!(asked(&app).await, 2, "once it is known it is not asked again");
}

#[tokio::test]
async fn one_that_never_answers_is_waited_for_once() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "GetCallerIdentity", "kind": "hang"})).await;
    let begun = std::time::Instant::now();
    let both = tokio::join!(app.create("nginx:1.27"), app.create("redis:7"));
    both.0.expect(201);
    both.1.expect(201);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    assert_eq!(asked(&app).await, 1);
}

/// A gateway with two image caches in its database, and an empty list in the cloud.
async fn alarm(app: &TestGateway) {
    let blind = app.second_gateway(without_sts(SECOND)).await;
    app.advance(661);
    while blind.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!(app.count("SELECT count(*) FROM mass_vanishings").await, 1);
}

#[tokio::test]
async fn a_key_is_not_pinned_while_it_may_be_the_wrong_one() {
    let app = TestGateway::with(without_sts(Setup::default().key)).await;
    let made: Vec<Value> = vec![app.create("nginx:1.27").await.expect(201), app.create("redis:7").await.expect(201)];
    for cache in &made {
        app.until(cache["id"].as_str().unwrap(), "ready").await;
    }
    alarm(&app).await;
    let wrong = app.second_gateway(Setup { key: SECOND, ..Setup::default() }).await;
    wrong.get("/v1/usage?region=cn-beijing").await.expect(200);
    assert_eq!((calls(&app, SECOND.0, "GetCallerIdentity").await, pinned(&app).await.len()), (1, 0));
    // Once the right key has ended the alarm, its account is pinned.
    let right = app.second_gateway(Setup::default()).await;
    app.advance(61);
    while right.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!(app.count("SELECT count(*) FROM mass_vanishings").await, 0);
    right.get("/v1/usage?region=cn-beijing").await.expect(200);
    assert_eq!(pinned(&app).await, [("default".to_owned(), "1".to_owned())]);
    wrong.advance(2);
    wrong.get("/v1/usage?region=cn-beijing").await.problem(503, "cloud_unavailable");
}
