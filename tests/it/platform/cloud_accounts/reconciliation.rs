//! The cloud compared with the rows in every account: unmanaged and vanished caches, and adoption.
#![cfg(test)]

use eci_cache_gateway::app::Call;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::{Caller, CredentialKind, Door, Origin, Scope};
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::eci::Attempt;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, account_with, all_calls, calls, created, put};
use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};
use crate::support::setup::{KEY, SECOND};

/// A user of the command line on the gateway's machine.
pub(super) fn operator() -> Caller {
    Caller {
        team: TEAM.parse().unwrap(),
        subject: "command line".into(),
        credential: "command line".into(),
        kind: CredentialKind::Own,
        scopes: Scope::PLATFORM.to_vec(),
        expires_at: None,
        provenance: None,
    }
}

pub(super) fn call(app: &TestGateway) -> Call {
    let origin = Origin { door: Door::Cli, request_id: app.gateway.base().new_request_id(), address: None };
    Call::new(origin, app.now())
}

async fn compare(app: &TestGateway) {
    while app.gateway.reconciler().reconcile().await.unwrap() {}
}

fn attempt(app: &TestGateway) -> Attempt {
    let operation = OperationId::new(app.now(), &Entropy::from_os());
    Attempt { operation, client_token: operation.to_string(), signed_at: app.now(), bucket: None, marks: Vec::new() }
}

/// A request of [`TEAM`]'s administrator.
async fn ours(app: &TestGateway, method: Method, path: &str, body: Option<&Value>) -> Value {
    let request = app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    let request = if let Some(body) = body { request.json(body) } else { request };
    Answer::of(request).await.expect(200)
}

#[tokio::test]
async fn strangers_of_every_account_are_found_and_adopted_there() {
    let app = TestGateway::start().await;
    // Nothing was ever created in it: its regions are read because they are configured.
    put(&app, &account_with(SECOND, &json!({"regions": ["cn-beijing"]}))).await;
    let spec = json!({"name": "outside", "region": "cn-beijing", "images": ["redis:7"]});
    let spec = serde_json::from_value(spec).unwrap();
    let outside = app.cloud_client_of(SECOND).create(&spec, &[], &attempt(&app)).await.unwrap().eci_cache_id;
    app.advance(661);
    compare(&app).await;
    assert_eq!(all_calls(&app, KEY).await, 0, "the account of the settings has no region to look at");
    let found = ours(&app, Method::GET, "/v1/found-image-caches?cloud_account=second", None).await;
    let found = &found["items"][0];
    assert_eq!((&found["eci_cache_id"], &found["cloud_account"]), (&json!(outside), &json!("second")));
    let none = ours(&app, Method::GET, "/v1/found-image-caches?cloud_account=default", None).await;
    assert_eq!(none["items"], json!([]));

    let order = |account: &str| json!({"region": "cn-beijing", "eci_cache_id": outside, "cloud_account": account});
    let path = "/v1/image-caches/adopt";
    let missing = ours(&app, Method::POST, path, Some(&order("default"))).await;
    assert_eq!(missing["skipped"][0]["reason"], "not_found", "{missing}");
    let done = ours(&app, Method::POST, path, Some(&order("second"))).await;
    assert_eq!(done["adopted"][0]["eci_cache_id"], json!(outside), "{done}");
    assert_eq!(app.only_cache().await["cloud_account"], "second");
    let left = ours(&app, Method::GET, "/v1/found-image-caches", None).await;
    assert_eq!(left["items"], json!([]));
}

#[tokio::test]
async fn what_vanishes_in_an_account_is_noticed() {
    let app = TestGateway::start().await;
    put(&app, &account_with(SECOND, &json!({}))).await;
    let (usual, other) = (app.created().await, created(&app, "nginx:1").await);
    app.until(&usual, "ready").await;
    let gone = app.until(&other, "ready").await["eci_cache_id"].as_str().unwrap().to_owned();
    let region = "cn-beijing".parse().unwrap();
    app.cloud_client_of(SECOND).delete(&region, &gone, &attempt(&app)).await.unwrap();
    let before = calls(&app, KEY, "DescribeImageCaches").await;
    let turns = async || {
        for _ in 0..2 {
            app.advance(661);
            compare(&app).await;
            app.advance(61);
            compare(&app).await;
        }
    };
    turns().await;
    assert_eq!(app.cache(&other).await["status"], "ready", "an empty list is an alarm");
    let accepted = app.gateway.vanishings().accept_vanished(&operator(), &call(&app), "second", &region).await.unwrap();
    assert_eq!(accepted, "1 of 1 image caches of second in cn-beijing are considered gone");
    turns().await;
    assert_eq!(app.cache(&other).await["status"], "lost");
    assert_eq!(app.count("SELECT count(*) FROM mass_vanishings").await, 0, "there is nothing to doubt any more");
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'accept_mass_vanishing' AND team IS NULL
        AND parameters ->> 'cloud_account' = 'second'";
    assert_eq!(app.count(entries).await, 1);
    let again = app.gateway.vanishings().accept_vanished(&operator(), &call(&app), "second", &region).await;
    assert!(again.is_err(), "{again:?}");
    assert_eq!(app.cache(&usual).await["status"], "ready", "the other account's list says nothing of it");
    assert!(calls(&app, KEY, "DescribeImageCaches").await > before, "both were compared");
    assert_eq!(app.count("SELECT count(*) FROM found_caches").await, 0, "nobody's cache is another account's stranger");
    // It is empty now, so it can be deleted, with its groups.
    assert_eq!(admin(&app, Method::DELETE, PATH, None).await.status, 204);
    let groups =
        "SELECT count(*) FROM (SELECT account FROM tracker_groups UNION ALL SELECT account FROM reconcile_groups)
        AS g WHERE account = 'second'";
    assert_eq!(app.count(groups).await, 0);
    app.advance(661);
    compare(&app).await;
    assert_eq!(app.count(groups).await, 0);
}
