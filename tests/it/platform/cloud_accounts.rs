//! Several cloud accounts in one gateway: each call is signed with the keys of its account.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::degraded::degraded;
use crate::support::gateway::{TestGateway, new_cache};
use crate::support::setup::{CloudKey, SECOND};

mod administration;
mod reach;
mod reconciliation;
mod selection;
mod unreachable_sts;
mod unusable_accounts;
mod wrong_account;
mod wrong_key;

/// The path of the second account.
const PATH: &str = "/v1/cloud-accounts/second";

/// The body with which an administrator stores an account with this key.
pub(crate) fn account((id, secret): CloudKey) -> Value {
    json!({"access_key_id": id, "access_key_secret": secret})
}

/// The same with additional members.
fn account_with(key: CloudKey, more: &Value) -> Value {
    let mut body = account(key);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Stores the second account.
pub(crate) async fn put(app: &TestGateway, body: &Value) -> Value {
    admin(app, Method::PUT, PATH, Some(body)).await.expect(200)
}

/// A gateway with a second account.
async fn start() -> TestGateway {
    let app = TestGateway::start().await;
    put(&app, &account(SECOND)).await;
    app
}

/// The body of a create in that account.
pub(crate) fn new_in(account: &str, image: &str) -> Value {
    let mut body = new_cache(image);
    body["cloud_account"] = json!(account);
    body
}

/// Requests a cache of `image` in that account.
async fn create_in(app: &TestGateway, account: &str, image: &str) -> Answer {
    app.post("/v1/image-caches", &new_in(account, image)).await
}

/// A cache that the cloud has accepted in the second account; returns its id.
async fn created(app: &TestGateway, image: &str) -> String {
    id(&create_in(app, "second", image).await.expect(201))
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// How many calls of an action were signed with a key.
async fn calls(app: &TestGateway, key: &str, action: &str) -> u64 {
    app.ledger().await["calls_by"][key][action].as_u64().unwrap_or(0)
}

/// How many calls were signed with a key.
async fn all_calls(app: &TestGateway, key: &str) -> u64 {
    let ledger = app.ledger().await;
    ledger["calls_by"][key].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// How many calls about image caches were signed with a key.
async fn eci_calls(app: &TestGateway, key: &str) -> u64 {
    all_calls(app, key).await - calls(app, key, "GetCallerIdentity").await
}

/// What the operation of an image cache's newest request waits for.
async fn waits_for(app: &TestGateway, cache: &str) -> Value {
    let id = app.cache(cache).await["operation_id"].as_str().unwrap().to_owned();
    app.get(&format!("/v1/operations/{id}")).await.expect(200)["waits_for"].clone()
}

/// The account ids to which the accounts are pinned.
async fn pinned(app: &TestGateway) -> Vec<(String, String)> {
    sqlx::query_as("SELECT account, account_id FROM account_ids ORDER BY account").fetch_all(app.sql()).await.unwrap()
}

/// How many caches were created with a key.
async fn made_by(app: &TestGateway, key: &str) -> usize {
    app.ledger().await["created_by"][key].as_array().map_or(0, Vec::len)
}
