//! Quotas: exactly as many as fit, however many requests arrive concurrently at whichever gateway.
#![cfg(test)]

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{admin, body, refused_by, register, rule, setup};
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway};

/// The number of responses by status, for concurrent requests that alternate between two gateways.
async fn at_once(gateways: [&TestGateway; 2], requests: Vec<(Method, String, Value)>) -> BTreeMap<u16, usize> {
    let answers = join_all(requests.iter().enumerate().map(async |(number, (method, path, body))| {
        let app = gateways[number % 2];
        let request = app.bare(method.clone(), path).bearer_auth(app.token(TEAM, &SCOPES));
        Answer::of(request.header("idempotency-key", format!("key-{number}")).json(body)).await
    }))
    .await;
    let mut counts = BTreeMap::new();
    for answer in &answers {
        if answer.status != 201 {
            refused_by(answer);
        }
        *counts.entry(answer.status).or_insert(0) += 1;
    }
    counts
}

#[tokio::test]
async fn of_many_at_once_exactly_as_many_pass_as_there_is_room_for() {
    for (policy, room) in [
        (json!({"max_image_caches": 3}), 3),
        (json!({"max_total_gib": 119}), 5),
        // 20 a month and 5 for the build.
        (json!({"monthly_budget": "50"}), 2),
    ] {
        let app = TestGateway::with(setup()).await;
        let second = app.second_gateway(setup()).await;
        register(&app, &policy).await;
        let paths = ["/v1/image-caches", "/v1/image-caches/ensure"];
        let create = |number: usize| {
            let more = json!({"name": format!("n-{number}"), "images": [format!("nginx:{number}")]});
            (Method::POST, paths[number / 2 % 2].to_owned(), body(&more))
        };
        let counts = at_once([&app, &second], (0..24).map(create).collect()).await;
        assert_eq!(counts, BTreeMap::from([(201, room), (403, 24 - room)]), "{policy}");
        assert_eq!(app.creations().await, room, "{policy}");
    }
}

#[tokio::test]
async fn two_updates_at_once_do_not_both_take_the_last_room() {
    let app = TestGateway::with(setup()).await;
    let second = app.second_gateway(setup()).await;
    register(&app, &json!({})).await;
    let mut paths = Vec::new();
    for number in 0..4 {
        let more = json!({"name": format!("n-{number}"), "images": [format!("nginx:{number}")]});
        let made = app.post("/v1/image-caches", &body(&more)).await.expect(201);
        paths.push(made["id"].as_str().unwrap().to_owned());
    }
    for id in &paths {
        app.until(id, "ready").await;
    }
    rule(&app, &json!({"max_total_gib": 100})).await;
    let answers = join_all(paths.iter().enumerate().map(async |(number, id)| {
        let gateway = if number % 2 == 0 { &app } else { &second };
        let answer = gateway.patch(&format!("/v1/image-caches/{id}"), &json!({"size_gib": 40})).await;
        answer.status
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 403).count(), 3, "{answers:?}");
}

#[tokio::test]
async fn what_is_removed_or_failed_makes_room() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"max_image_caches": 1})).await;
    let first = app.created().await;
    let answer = app.post("/v1/image-caches", &body(&json!({"images": ["redis:7"]}))).await;
    assert_eq!(refused_by(&answer), ["max_image_caches"]);
    let problem = answer.json();
    assert_eq!(problem["errors"][0]["detail"], "the team has 1 image caches, would have 2, and may have at most 1");
    // An ensure uses what exists: nothing is added.
    app.post("/v1/image-caches/ensure", &body(&json!({}))).await.expect(200);
    app.until(&first, "ready").await;
    app.delete(&format!("/v1/image-caches/{first}")).await.expect(200);
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "http": 400, "code": "QuotaExceeded"})).await;
    let refused = app.post("/v1/image-caches", &body(&json!({}))).await;
    assert_eq!(refused.status / 100, 4, "{refused:?}");
    app.post("/v1/image-caches", &body(&json!({"images": ["redis:7"]}))).await.expect(201);
}

#[tokio::test]
async fn a_repeated_request_is_told_what_it_was_told_whatever_the_policy_is_by_now() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"max_image_caches": 1})).await;
    let send = async || {
        let request = app.request(Method::POST, "/v1/image-caches").header("idempotency-key", "k");
        Answer::of(request.json(&body(&json!({"vswitch_ids": []})))).await
    };
    let first = send().await.expect(201);
    rule(&app, &json!({"regions": [], "max_image_caches": 0})).await;
    let again = send().await;
    assert_eq!((again.header("idempotent-replayed"), &again.expect(201)["id"]), ("true", &first["id"]));
    let other = app.post("/v1/image-caches", &body(&json!({}))).await;
    assert_eq!(refused_by(&other), ["regions /region", "max_image_caches"]);
}

#[tokio::test]
async fn builds_of_the_month_count_and_are_forgotten_with_it() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({"monthly_budget": "30"})).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let path = format!("/v1/image-caches/{id}");
    app.patch(&path, &json!({"images": ["nginx:2"]})).await.expect(200);
    app.until(&id, "ready").await;
    let own = app.get("/v1/policy").await.expect(200);
    assert_eq!((&own["used"]["monthly_cost"], &own["limits"]["monthly_cost"]), (&json!("30.00"), &json!("30.00")));
    assert_eq!(refused_by(&app.patch(&path, &json!({"images": ["nginx:3"]})).await), ["monthly_budget"]);
    app.set_clock("2026-04-01T00:00:01Z".parse().unwrap());
    assert_eq!(app.get("/v1/policy").await.expect(200)["used"]["monthly_cost"], "20.00");
    app.patch(&path, &json!({"images": ["nginx:3"]})).await.expect(200);
    let listed = admin(&app, Method::GET, "/v1/teams", None).await.expect(200);
    assert_eq!(listed["items"][0]["own_policy"], true);
}
