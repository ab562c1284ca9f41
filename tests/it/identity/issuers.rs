//! Issuers managed by administrators: stored, changed by version, deleted, explained; and all gateways use them.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::jobs::{JobProvider, done, entry, me};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};

const PATH: &str = "/v1/issuers/github";

fn request(app: &TestGateway, method: Method, path: &str) -> RequestBuilder {
    app.bare(method, path).bearer_auth(app.token("platform", &[Scope::PlatformSecurity]))
}

fn usual(github: &JobProvider) -> Value {
    github.issuer(&[("web", "/repository", "acme/web")], &["/repository"])
}

/// The refused fields.
async fn wrong(app: &TestGateway, issuer: &Value) -> Vec<String> {
    let answer = Answer::of(request(app, Method::PUT, PATH).json(issuer)).await;
    let problem = answer.problem(422, "invalid_request");
    let fields =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned());
    fields.collect()
}

#[tokio::test]
async fn they_are_kept_by_version() {
    let app = TestGateway::start().await;
    let github = JobProvider::github();
    let issuer = usual(&github);
    Answer::of(request(&app, Method::PUT, PATH).header("if-match", "\"v1\"").json(&issuer))
        .await
        .problem(412, "precondition_failed");
    let made = Answer::of(request(&app, Method::PUT, PATH).header("if-none-match", "*").json(&issuer)).await;
    assert_eq!(made.header("etag"), "\"v1\"");
    let seen = made.expect(200);
    assert_eq!((&seen["name"], &seen["managed_by"], &seen["version"]), (&json!("github"), &json!("api"), &json!(1)));
    assert_eq!(Answer::of(request(&app, Method::GET, PATH)).await.expect(200), seen);
    // What is returned can be stored again.
    let again = Answer::of(request(&app, Method::PUT, PATH).header("if-match", "\"v1\"").json(&seen["document"])).await;
    assert_eq!(again.expect(200)["version"], 2);
    let stale = request(&app, Method::PUT, PATH).header("if-match", "\"v1\"").json(&issuer);
    Answer::of(stale).await.problem(412, "precondition_failed");
    let list = Answer::of(request(&app, Method::GET, "/v1/issuers")).await.expect(200);
    let names: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|issuer| &issuer["name"]).collect();
    assert_eq!(names, ["default", "github"]);
    let (subject, _, parameters) = done(&app, "put_issuer").await;
    assert_eq!((&*subject, &parameters["iss"], &parameters["rules"]), ("alice", &issuer["issuer"], &json!("web")));
    let stale = request(&app, Method::DELETE, PATH).header("if-match", "\"v1\"");
    Answer::of(stale).await.problem(412, "precondition_failed");
    assert_eq!(Answer::of(request(&app, Method::DELETE, PATH)).await.status, 204);
    Answer::of(request(&app, Method::DELETE, PATH)).await.problem(404, "not_found");
    Answer::of(request(&app, Method::GET, PATH)).await.problem(404, "not_found");
    for strange in ["%00", "..%2f", "GitHub", &"x".repeat(64)] {
        let path = format!("/v1/issuers/{strange}");
        Answer::of(request(&app, Method::GET, &path)).await.problem(404, "not_found");
        Answer::of(request(&app, Method::PUT, &path).json(&issuer)).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let app = TestGateway::start().await;
    let github = JobProvider::github();
    let with = |pointer: &str, value: Value| {
        let mut issuer = usual(&github);
        *issuer.pointer_mut(pointer).unwrap() = value;
        issuer
    };
    assert_eq!(wrong(&app, &with("/name", json!("other"))).await, ["/name"]);
    assert_eq!(wrong(&app, &with("/issuer", json!("https://issuer.example"))).await, ["/issuer"], "the settings'");
    assert_eq!(wrong(&app, &with("/issuer", json!("https://gateway.example"))).await, ["/issuer"], "ours");
    assert_eq!(wrong(&app, &with("/rules", json!([]))).await, ["/rules"]);
    assert_eq!(wrong(&app, &with("/keys", json!({"from": "jwks_file", "file": "/etc/passwd"}))).await, ["/keys/from"]);
    assert_eq!(wrong(&app, &with("/keys/document", json!({"keys": []}))).await, ["/keys/document"]);
    assert_eq!(
        wrong(&app, &with("/keys", json!({"from": "jwks_url", "url": "http://10.0.0.1/keys"}))).await,
        ["/keys/url"]
    );
    let anybody = with("/rules/0/match", json!({}));
    assert!(wrong(&app, &anybody).await[0].starts_with("/rules/0/match"));
    let mut unknown = usual(&github);
    unknown["colour"] = json!("red");
    assert_eq!(wrong(&app, &unknown).await, ["/colour"]);
    for (name, code) in [("default", "issuer_of_settings")] {
        let put = request(&app, Method::PUT, &format!("/v1/issuers/{name}")).json(&usual(&github));
        Answer::of(put).await.problem(409, code);
        Answer::of(request(&app, Method::DELETE, &format!("/v1/issuers/{name}"))).await.problem(409, code);
    }
    let default = Answer::of(request(&app, Method::GET, "/v1/issuers/default")).await.expect(200);
    assert_eq!((&default["managed_by"], &default["version"]), (&json!("settings"), &json!(0)));
    assert!(!default.to_string().contains("a secret for the tokens"), "{default}");
    // Another one with the same iss, even if both are added concurrently.
    github.put(&app, &usual(&github)).await.expect(200);
    let twin = Answer::of(request(&app, Method::PUT, "/v1/issuers/twin").json(&with("/name", json!("twin")))).await;
    assert_eq!(twin.problem(422, "invalid_request")["errors"][0]["pointer"], "/issuer");
}

#[tokio::test]
async fn a_change_reaches_every_gateway_within_a_second() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let github = JobProvider::github();
    let token = github.sign(&github.job(&app, "acme/web"));
    for gateway in [&app, &other] {
        me(gateway, &token).await.problem(401, "token_wrong_issuer");
    }
    github.put(&app, &usual(&github)).await.expect(200);
    me(&app, &token).await.expect(200);
    me(&other, &token).await.problem(401, "token_wrong_issuer");
    app.advance(1);
    me(&other, &token).await.expect(200);
    github.put(&app, &github.issuer(&[("zoo", "/repository", "acme/zoo")], &[])).await.expect(200);
    me(&app, &token).await.problem(403, "no_rule_matches");
    me(&other, &token).await.expect(200);
    app.advance(1);
    me(&other, &token).await.problem(403, "no_rule_matches");
}

#[tokio::test]
async fn while_the_table_cannot_be_read_the_last_counts_for_a_while() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let token = github.sign(&github.job(&app, "acme/web"));
    me(&app, &token).await.expect(200);
    sqlx::query("ALTER TABLE issuers RENAME TO away").execute(app.sql()).await.unwrap();
    app.advance(1);
    me(&app, &token).await.expect(200);
    app.advance(4);
    let answer = me(&app, &token).await;
    answer.problem(503, "credentials_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    sqlx::query("ALTER TABLE away RENAME TO issuers").execute(app.sql()).await.unwrap();
    app.advance(1);
    me(&app, &token).await.expect(200);
}

#[tokio::test]
async fn one_of_another_version_is_passed_over_and_the_others_go_on() {
    let app = TestGateway::start().await;
    let (github, gitlab) = (JobProvider::trusted(&app).await, JobProvider::gitlab());
    gitlab.put(&app, &gitlab.issuer(&[("web", "/project_path", "acme/web")], &[])).await.expect(200);
    let (of_github, of_gitlab) =
        (github.sign(&github.job(&app, "acme/web")), gitlab.sign(&gitlab.gitlab_job(&app, "acme/web")));
    for change in [
        r#"document || '{"of_tomorrow": true}'"#,
        r#"document || '{"algorithms": ["ML-DSA-65"]}'"#,
        r#"jsonb_set(document, '{rules,0,unless}', '{"/actor": ["mallory"]}')"#,
        r#"document || '{"keys": {"from": "jwks_file", "file": "/etc/passwd"}}'"#,
        "'[]'",
    ] {
        github.put(&app, &github.issuer(&[("web", "/repository", "acme/web")], &[])).await.expect(200);
        me(&app, &of_github).await.expect(200);
        let sql = format!("UPDATE issuers SET document = {change} WHERE name = 'github'");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(app.sql()).await.unwrap();
        app.advance(1);
        me(&app, &of_github).await.problem(401, "token_wrong_issuer");
        me(&app, &of_gitlab).await.expect(200);
        Answer::of(request(&app, Method::GET, PATH)).await.problem(503, "record_of_another_version");
        let list = Answer::of(request(&app, Method::GET, "/v1/issuers")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    }
    assert_eq!(Answer::of(request(&app, Method::DELETE, PATH)).await.status, 204);
}

#[tokio::test]
async fn a_token_is_explained_and_kept_nowhere() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let explain = async |token: &str| {
        let body = json!({"token": token, "team": TEAM});
        Answer::of(request(&app, Method::POST, "/v1/issuers/explain").json(&body)).await.expect(200)
    };
    let good = github.sign(&github.job(&app, "acme/web"));
    let told = explain(&good).await;
    assert_eq!((&told["accepted"], &told["issuer"]), (&json!(true), &json!("github")));
    assert_eq!(told["caller"]["noted"]["/repository"], "acme/web");
    let told = explain(&github.sign(&github.job(&app, "acme/other"))).await;
    assert_eq!((&told["accepted"], &told["code"]), (&json!(false), &json!("no_rule_matches")));
    let failed = &told["rules"][0]["failed"][0];
    assert_eq!((&failed["pointer"], &failed["values"]), (&json!("/repository"), &json!(["acme/other"])));
    assert_eq!(explain("nonsense").await["code"], "token_malformed");
    let (_, _, _, _, parameters) = entry(&app, "explain_token").await;
    let names: Vec<&String> = parameters.as_object().unwrap().keys().collect();
    assert_eq!(names, ["team"], "of the token not even a hash");
    let lacking = app.bare(Method::POST, "/v1/issuers/explain").bearer_auth(app.token(TEAM, &[Scope::PlatformRead]));
    Answer::of(lacking.json(&json!({"token": good}))).await.problem(403, "scope_missing");
}
