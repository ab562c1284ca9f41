//! The key of another account of the cloud, stored in a cloud account: refused if that is known, otherwise not used.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use super::reconciliation::{call, operator};
use super::{
    PATH, account, account_with, calls, create_in, created, degraded, id, made_by, pinned, put, start, waits_for,
};
use crate::platform::policy::admin;
use crate::support::gateway::{CLOUD_SECRET, TestGateway};
use crate::support::setup::{KEY, SECOND, SECOND_NEXT};

/// The key of the account of the settings.
const FOREIGN: (&str, &str) = (KEY, CLOUD_SECRET);

async fn get(app: &TestGateway) -> Value {
    admin(app, Method::GET, PATH, None).await.expect(200)
}

/// A gateway with a second account that contains an image cache.
async fn used() -> TestGateway {
    let app = start().await;
    created(&app, "nginx:1").await;
    assert_eq!(pinned(&app).await, [("second".to_owned(), "2".to_owned())]);
    app
}

/// The next call to STS fails.
async fn sts_fails(app: &TestGateway) {
    app.fault(&json!({"action": "GetCallerIdentity", "kind": "error"})).await;
}

#[tokio::test]
async fn a_key_of_another_account_is_refused() {
    let app = used().await;
    let problem = admin(&app, Method::PUT, PATH, Some(&account(FOREIGN))).await.problem(409, "cloud_account_mismatch");
    let detail = problem["detail"].as_str().unwrap();
    for part in ["are in the cloud's account 2", "belongs to the account 1", "accept-account --account second --id 1"] {
        assert!(detail.contains(part), "{detail}");
    }
    assert_eq!((&get(&app).await["access_key_id"], &get(&app).await["version"]), (&json!(SECOND.0), &json!(1)));
    created(&app, "nginx:2").await;
    // Another key of the same account is accepted.
    assert_eq!(put(&app, &account(SECOND_NEXT)).await["version"], 2);
    created(&app, "nginx:3").await;
    assert_eq!((made_by(&app, SECOND.0).await, made_by(&app, SECOND_NEXT.0).await), (2, 1));
}

#[tokio::test]
async fn where_sts_did_not_answer_in_time_the_key_is_asked_before_it_is_used() {
    let app = used().await;
    sts_fails(&app).await;
    assert_eq!(put(&app, &account(FOREIGN)).await["version"], 2);
    let waiting = id(&create_in(&app, "second", "nginx:2").await.expect(202));
    assert_eq!((waits_for(&app, &waiting).await, made_by(&app, KEY).await), (json!("cloud_account"), 0));
    assert!(degraded(&app).await[0].starts_with("cloud account second: its image caches are in the cloud's account 2"));
    let shown = get(&app).await;
    assert_eq!(shown["usable"], false, "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("its key belongs to the account 1"), "{shown}");
    put(&app, &account(SECOND)).await;
    app.advance(5);
    app.until(&waiting, "ready").await;
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (0, 2));
    assert_eq!((degraded(&app).await.len(), &get(&app).await["usable"]), (0, &json!(true)));
}

#[tokio::test]
async fn a_key_that_is_not_used_or_not_new_is_not_asked() {
    let app = used().await;
    let before = calls(&app, SECOND.0, "GetCallerIdentity").await;
    put(&app, &json!({"access_key_id": SECOND.0, "regions": ["cn-beijing"]})).await;
    assert_eq!(calls(&app, SECOND.0, "GetCallerIdentity").await, before);
    put(&app, &account_with(FOREIGN, &json!({"disabled": true}))).await;
    assert_eq!(calls(&app, KEY, "GetCallerIdentity").await, 0);
}

#[tokio::test]
async fn an_operator_says_that_it_is_meant_and_then_it_is_put() {
    let app = used().await;
    let one = Some("1".parse().unwrap());
    let said = app.gateway.cloud_accounts().accept_account(&operator(), &call(&app), "second", one).await.unwrap();
    assert_eq!(said, "the image caches of second are in the cloud's account 1 (before: 2)");
    put(&app, &account(FOREIGN)).await;
    created(&app, "nginx:2").await;
    assert_eq!(made_by(&app, KEY).await, 1);
}

#[tokio::test]
async fn an_account_that_is_removed_leaves_no_number_behind() {
    let app = used().await;
    let cache = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/v1/image-caches/{cache}")).await.expect(200);
    app.until(&cache, "deleted").await;
    assert_eq!(admin(&app, Method::DELETE, PATH, None).await.status, 204);
    assert_eq!(pinned(&app).await, []);
    put(&app, &account(FOREIGN)).await;
    created(&app, "nginx:2").await;
    assert_eq!(pinned(&app).await, [("second".to_owned(), "1".to_owned())]);
}
