//! What the walk over the operations needs, created if it does not exist; and audit entries.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::platform::cloud_accounts::{account, put};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};
use crate::support::setup::SECOND;

/// The id of what [`TEAM`]'s administrator creates there.
pub(super) async fn made(app: &TestGateway, path: &str, body: &Value) -> String {
    let create = app.bare(Method::POST, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(create.json(body)).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// A registered team, which may exist already.
pub(super) async fn registered(app: &TestGateway) -> String {
    let body = json!({"id": "known", "display_name": "Known"});
    let create = app.bare(Method::POST, "/v1/teams").bearer_auth(app.token(TEAM, &Scope::ALL));
    assert!([201, 409].contains(&Answer::of(create.json(&body)).await.status));
    "known".to_owned()
}

/// A region profile.
pub(super) async fn profiled(app: &TestGateway) -> String {
    let id = "default:cn-hangzhou";
    let put = app.bare(Method::PUT, &format!("/v1/region-profiles/{id}")).bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(put.json(&json!({}))).await.expect(200);
    id.to_owned()
}

/// A cloud account.
pub(super) async fn accounted(app: &TestGateway) -> String {
    put(app, &account(SECOND)).await;
    "second".to_owned()
}

/// An issuer that an administrator adds.
pub(super) fn issuer() -> Value {
    json!({"name": "added", "issuer": "https://added.example", "audiences": ["eci-cache-gateway"],
        "rules": [{"name": "one", "match": {"/sub": ["one"]}, "team": {"fixed": TEAM}}]})
}

pub(super) async fn trusted(app: &TestGateway) -> String {
    let put = app.bare(Method::PUT, "/v1/issuers/added").bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(put.json(&issuer())).await.expect(200);
    "added".to_owned()
}

/// An API key of `team` with these scopes.
pub(super) async fn api_key(app: &TestGateway, team: &str, scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let create = app.bare(Method::POST, "/v1/api-keys").bearer_auth(app.token(team, &Scope::ALL));
    let made = Answer::of(create.json(&json!({"name": "walk", "scopes": words}))).await.expect(201);
    made["key"].as_str().unwrap().to_owned()
}

/// The refusal's audit entry: team, action, outcome, status and code.
pub(super) async fn entry(app: &TestGateway, answer: &Answer) -> String {
    let sql =
        "SELECT concat_ws(' ', team, action, outcome, http_status, code) FROM audit_entries WHERE request_id = $1";
    let id = answer.header("x-request-id").to_owned();
    let all: Vec<String> = sqlx::query_scalar(sql).bind(id).fetch_all(app.sql()).await.unwrap();
    assert_eq!(all.len(), 1, "{answer:?}: {all:?}");
    all.into_iter().next().unwrap()
}

/// The response without what differs in every response.
pub(super) fn blanked(answer: &Answer) -> (u16, Vec<String>, String) {
    let request_id = answer.header("x-request-id");
    let names = answer.headers.keys().map(ToString::to_string).collect();
    (answer.status, names, answer.text.replace(request_id, ""))
}
