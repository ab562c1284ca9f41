//! Accounts that cannot be used: their work waits, nothing is lost, and no calls are signed with other keys.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, account, account_with, all_calls, create_in, created, id, made_by, put, start};
use crate::platform::policy::admin;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::setup::{KEY, SECOND};

async fn operation(app: &TestGateway, cache: &str) -> Value {
    let id = app.cache(cache).await["operation_id"].as_str().unwrap().to_owned();
    app.get(&format!("/v1/operations/{id}")).await.expect(200)
}

/// Advances the time repeatedly, doing all work that is due.
async fn while_away(app: &TestGateway) {
    for _ in 0..5 {
        app.advance(40);
        app.drain().await;
        while app.gateway.reconciler().reconcile().await.unwrap() {}
    }
}

/// A create, a build and a delete are in progress in the second account while `spoil` makes it unusable and `mend`
/// usable again.
async fn it_waits(spoil: impl AsyncFn(&TestGateway), mend: impl AsyncFn(&TestGateway)) {
    let app = start().await;
    let built = created(&app, "nginx:1").await;
    let removed = created(&app, "nginx:2").await;
    app.until(&removed, "ready").await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let pending = id(&create_in(&app, "second", "nginx:3").await.expect(202));
    spoil(&app).await;
    app.delete(&format!("/v1/image-caches/{removed}")).await.expect(202);
    let (theirs, usual) = (all_calls(&app, SECOND.0).await, all_calls(&app, KEY).await);
    while_away(&app).await;
    assert_eq!(all_calls(&app, SECOND.0).await, theirs, "nothing is sent with its key");
    assert_eq!(all_calls(&app, KEY).await, usual, "and nothing with another's");
    for waiting in [&pending, &removed] {
        let operation = operation(&app, waiting).await;
        assert_eq!((&operation["status"], &operation["waits_for"]), (&json!("running"), &json!("cloud_account")));
    }
    // Other accounts work, and a second gateway sees the same.
    let second = app.second_gateway(Setup::default()).await;
    let own = second.created().await;
    second.until(&own, "ready").await;
    assert!(all_calls(&app, KEY).await > usual);
    mend(&app).await;
    app.advance(40);
    app.until(&pending, "ready").await;
    app.until(&built, "ready").await;
    app.until(&removed, "deleted").await;
    assert_eq!(operation(&app, &pending).await.get("waits_for"), None);
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (1, 3));
}

#[tokio::test]
async fn what_is_for_a_disabled_account_waits() {
    let disable = async |app: &TestGateway| {
        let put = put(app, &account_with(SECOND, &json!({"disabled": true}))).await;
        assert_eq!((&put["usable"], &put["problem"]), (&json!(false), &json!("the cloud account is disabled")));
        assert!(put["disabled_at"].is_string(), "{put}");
        create_in(app, "second", "nginx:9").await.problem(409, "cloud_account_disabled");
        let usage = "/v1/usage?region=cn-beijing&cloud_account=second";
        app.get(usage).await.problem(409, "cloud_account_disabled");
    };
    let enable = async |app: &TestGateway| {
        assert_eq!(put(app, &json!({"access_key_id": SECOND.0})).await["usable"], true);
    };
    it_waits(disable, enable).await;
}

#[tokio::test]
async fn what_is_for_an_account_that_cannot_be_opened_waits() {
    let spoil = async |app: &TestGateway| {
        let sql = "UPDATE cloud_accounts SET secret = set_byte(secret, octet_length(secret) - 1,
            get_byte(secret, octet_length(secret) - 1) # 1)";
        sqlx::query(sql).execute(app.sql()).await.unwrap();
        app.advance(2);
        let shown = admin(app, Method::GET, PATH, None).await.expect(200);
        assert_eq!(shown["usable"], false);
        assert!(shown["problem"].as_str().unwrap().contains("cannot be decrypted"), "{shown}");
        // Without its secret it cannot be changed.
        let kept = json!({"access_key_id": SECOND.0});
        admin(app, Method::PUT, PATH, Some(&kept)).await.problem(422, "invalid_request");
    };
    let mend = async |app: &TestGateway| {
        put(app, &account(SECOND)).await;
    };
    it_waits(spoil, mend).await;
}

#[tokio::test]
async fn a_busy_account_does_not_hold_up_another() {
    let app = start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let waiting = id(&create_in(&app, "second", "nginx:1").await.expect(202));
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let own = id(&app.create("nginx:1.27").await.expect(202));
    for _ in 0..40 {
        app.advance(2);
        // Other gateways have used up the budget.
        sqlx::query("UPDATE cloud_budgets SET common = 0, reserve = 0, refilled_at = $1 WHERE account = 'second'")
            .bind(app.now() + chrono::Duration::seconds(20))
            .execute(app.sql())
            .await
            .unwrap();
        app.drain().await;
    }
    assert_eq!(app.cache(&own).await["status"], "ready");
    assert_eq!(app.cache(&waiting).await["status"], "pending");
    assert_eq!(made_by(&app, SECOND.0).await, 0);
    app.until(&waiting, "ready").await;
}
