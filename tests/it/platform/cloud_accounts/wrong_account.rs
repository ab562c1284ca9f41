//! A gateway with the key of another cloud account in its settings: it believes nothing, creates nothing, deletes
//! nothing, reports it, and continues once the key is right.
#![cfg(test)]

use serde_json::{Value, json};

use super::reconciliation::{call, operator};
use super::{created, degraded, eci_calls, id, made_by, pinned, put, waits_for};
use crate::support::gateway::{Setup, TestGateway, new_cache};
use crate::support::setup::{KEY, SECOND};

/// A gateway on the same database with the key of another account.
async fn elsewhere(app: &TestGateway) -> TestGateway {
    app.second_gateway(Setup { key: SECOND, ..Setup::default() }).await
}

/// A ready image cache with this name; returns its id.
async fn ready(app: &TestGateway, name: &str) -> String {
    let mut body = new_cache("nginx:1.27");
    body["name"] = json!(name);
    let made = id(&app.post("/v1/image-caches", &body).await.expect(201));
    app.until(&made, "ready").await;
    made
}

/// Long enough for repeated lists and reads.
async fn long(app: &TestGateway) {
    for _ in 0..4 {
        for seconds in [661, 61, 61] {
            app.advance(seconds);
            app.drain().await;
            while app.gateway.reconciler().reconcile().await.unwrap() {}
        }
    }
}

fn named(accounts: &[(&str, &str)]) -> Vec<(String, String)> {
    accounts.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
}

#[tokio::test]
async fn nothing_is_believed_made_or_removed_until_the_key_is_right_again() {
    let app = TestGateway::start().await;
    let (kept, removed) = (ready(&app, "kept").await, ready(&app, "removed").await);
    let building = app.created().await;
    assert_eq!(pinned(&app).await, named(&[("default", "1")]));

    let other = elsewhere(&app).await;
    let waiting = id(&other.create("nginx:1.28").await.expect(202));
    other.delete(&format!("/v1/image-caches/{removed}")).await.expect(202);
    let patched = other.patch(&format!("/v1/image-caches/{kept}"), &json!({"images": ["nginx:1.29"]})).await;
    assert_eq!(patched.status, 202, "{patched:?}");
    long(&other).await;
    for waiting in [&waiting, &removed, &kept] {
        assert_eq!(waits_for(&other, waiting).await, "cloud_account");
    }
    for (id, status) in [(&building, "preparing"), (&removed, "ready"), (&waiting, "pending")] {
        assert_eq!(app.cache(id).await["status"], status);
    }
    other.get("/v1/usage?region=cn-beijing").await.problem(503, "cloud_unavailable");
    assert_eq!((eci_calls(&other, SECOND.0).await, app.creations().await), (0, 3), "nothing was sent with it");
    assert_eq!(app.count("SELECT count(*) FROM mass_vanishings").await, 0, "nothing was compared");
    let told = degraded(&other).await;
    assert_eq!(
        told,
        [
            "cloud account default: its image caches are in the cloud's account 1, but its key belongs to the account 2; \
          nothing is sent with it, and nothing read with it is trusted, until it has a key of 1 again or \
          `accept-account --account default` confirms 2"
        ]
    );
    assert_eq!(degraded(&app).await, [] as [&str; 0], "the other process has the right key");

    // A gateway with the right key carries it out.
    for (id, status) in [(&building, "ready"), (&waiting, "ready"), (&removed, "deleted"), (&kept, "ready")] {
        app.until(id, status).await;
    }
    assert_eq!(app.cache(&kept).await["images"], json!(["nginx:1.29"]));
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (4, 0));
}

#[tokio::test]
async fn a_create_in_doubt_is_not_made_twice() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    let lost = id(&app.create("nginx:1.27").await.expect(202));
    app.forget_tokens().await;
    let other = elsewhere(&app).await;
    long(&other).await;
    assert_eq!(app.creations().await, 1, "what the other account does not show is not made there");
    app.until(&lost, "ready").await;
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (1, 0));
}

#[tokio::test]
async fn a_wrong_key_from_the_start_is_told_before_anybody_asks_for_anything() {
    let app = TestGateway::start().await;
    ready(&app, "web").await;
    let other = elsewhere(&app).await;
    app.advance(661);
    while other.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!((degraded(&other).await.len(), eci_calls(&app, SECOND.0).await), (1, 0));
    let shown = crate::platform::policy::admin(&other, reqwest::Method::GET, "/v1/cloud-accounts/default", None)
        .await
        .expect(200);
    assert_eq!(shown["usable"], false, "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("its key belongs to the account 2"), "{shown}");
}

#[tokio::test]
async fn an_operator_says_that_the_other_account_is_meant() {
    let app = TestGateway::start().await;
    app.created().await;
    let other = elsewhere(&app).await;
    let waiting = id(&other.create("nginx:1.28").await.expect(202));
    let said =
        other.gateway.cloud_accounts().accept_account(&operator(), &call(&other), "default", None).await.unwrap();
    assert_eq!(said, "the image caches of default are in the cloud's account 2 (before: 1)");
    app.advance(5);
    other.until(&waiting, "ready").await;
    assert_eq!((made_by(&app, SECOND.0).await, degraded(&other).await.len()), (1, 0));
    assert_eq!(pinned(&app).await, named(&[("default", "2")]));
    // The previous key is now the wrong one, at every gateway within a second.
    assert_eq!(id(&app.create("nginx:1.29").await.expect(202)).len(), waiting.len());
    assert!(degraded(&app).await[0].contains("in the cloud's account 2, but its key belongs to the account 1"));
    assert_eq!(made_by(&app, KEY).await, 1);
    let entry: Value = sqlx::query_scalar(
        "SELECT to_jsonb(parameters) || jsonb_build_object('subject', subject) FROM audit_entries
         WHERE action = 'accept_cloud_account_id' AND team IS NULL AND resource = 'default'",
    )
    .fetch_one(app.sql())
    .await
    .unwrap();
    let expected =
        json!({"cloud_account": "default", "account_id": "2", "account_id_before": "1", "subject": "command line"});
    assert_eq!(entry, expected);
    let nobodys = app.gateway.cloud_accounts().accept_account(&operator(), &call(&app), "nobodys", None).await;
    assert!(nobodys.is_err(), "{nobodys:?}");
}

#[tokio::test]
async fn what_counts_is_whose_the_role_is_and_not_the_key_that_assumes_it() {
    let app = TestGateway::with(Setup { role: Some("caches"), ..Setup::default() }).await;
    let first = ready(&app, "web").await;
    assert_eq!(pinned(&app).await, named(&[("default", "1")]));
    // A key of account 2 that assumes a role of account 1.
    let other = app.second_gateway(Setup { key: SECOND, role: Some("caches"), ..Setup::default() }).await;
    ready(&other, "other").await;
    long(&other).await;
    assert_eq!((degraded(&other).await.len(), app.cache(&first).await["status"].clone()), (0, json!("ready")));
    // The same key without the role.
    let bare = elsewhere(&app).await;
    assert_eq!(waits_for(&bare, &id(&bare.create("nginx:1.28").await.expect(202))).await, "cloud_account");
    assert_eq!(made_by(&app, SECOND.0).await, 1);
    // A role of another account, assumed by a key of the right one.
    let role = json!({"access_key_id": KEY, "access_key_secret": crate::support::gateway::CLOUD_SECRET,
        "role": {"arn": "acs:ram::2:role/caches"}});
    put(&app, &role).await;
    created(&app, "nginx:1.29").await;
    assert_eq!(pinned(&app).await, named(&[("default", "1"), ("second", "2")]));
}
