//! Exchanged tokens: what they are bound to, and what invalidates them.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::api_keys::admin;
use super::jobs::{JobProvider, claims, exchange, exchanged, least, me};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};
use crate::support::listener::Listener;

/// A gateway that frequently checks whether credentials are still valid.
fn watchful() -> Setup {
    let settings = app::GatewaySettings { credential_look: Duration::from_millis(10), ..Setup::default().settings };
    Setup { settings, ..Setup::default() }
}

async fn revoke(app: &TestGateway, body: &Value) {
    admin(app, Method::POST, "/v1/revocations", Some(body)).await.expect(201);
}

/// A token for a job of `acme/web` with this `jti`.
async fn token_of_job(app: &TestGateway, github: &JobProvider, jti: &str) -> String {
    let mut job = github.job(app, "acme/web");
    job["jti"] = jti.into();
    exchanged(app, &github.sign(&job)).await
}

#[tokio::test]
async fn it_outlives_the_subject_token_and_ends_after_half_an_hour() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let subject = github.sign(&github.job(&app, "acme/web"));
    let token = exchanged(&app, &subject).await;
    let said = claims(&token);
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 1_800);
    app.advance(7 * 60);
    let late = Answer::of(exchange(&app, &least(&subject))).await.problem(400, "token_expired");
    assert_eq!(late["error"], "invalid_request");
    assert_eq!(late["error_description"], late["detail"]);
    me(&app, &token).await.expect(200);
    app.advance(23 * 60 - 1);
    me(&app, &token).await.expect(200);
    app.advance(1);
    me(&app, &token).await.problem(401, "token_expired");
}

#[tokio::test]
async fn it_is_of_one_team_with_no_more_than_was_given() {
    let app = TestGateway::start().await;
    let github = JobProvider::github();
    let mut issuer = github.issuer(&[("web", "/repository", "acme/web")], &[]);
    issuer["rules"][0]["team"] = json!({"claims": ["/teams"]});
    github.put(&app, &issuer).await.expect(200);
    let mut job = github.job(&app, "acme/web");
    job["teams"] = json!(["web", "zoo"]);
    let subject = github.sign(&job);
    let with = |more: &[(&str, &str)]| {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        least(&subject).into_iter().chain(more).collect::<Vec<_>>()
    };
    Answer::of(exchange(&app, &with(&[]))).await.problem(400, "team_required");
    Answer::of(exchange(&app, &with(&[("team", "other")]))).await.problem(400, "wrong_team");
    Answer::of(exchange(&app, &with(&[("team", "zoo")])).header("x-team", "web")).await.problem(400, "two_teams");
    let by_header = Answer::of(exchange(&app, &with(&[])).header("x-team", "zoo")).await.expect(200);
    assert_eq!(claims(by_header["access_token"].as_str().unwrap())["team"], "zoo");
    let more = Answer::of(exchange(&app, &with(&[("team", "zoo"), ("scope", "read audit")]))).await;
    assert_eq!(more.problem(400, "invalid_scope")["error"], "invalid_scope");
    let given = Answer::of(exchange(&app, &with(&[("team", "zoo"), ("scope", "read")]))).await.expect(200);
    assert_eq!(given["scope"], "read");
    let token = given["access_token"].as_str().unwrap();
    let seen = me(&app, token).await.expect(200);
    assert_eq!((&seen["team"], &seen["scopes"]), (&json!("zoo"), &json!(["read"])));
    let other = app.bare(Method::GET, "/v1/me").bearer_auth(token).header("x-team", "web");
    Answer::of(other).await.problem(401, "wrong_team");
    let create = app.bare(Method::DELETE, "/v1/image-caches/x").bearer_auth(token);
    Answer::of(create).await.problem(403, "scope_missing");
}

#[tokio::test]
async fn whatever_is_revoked_of_it_ends_it() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let github = JobProvider::trusted(&app).await;
    app.advance(1);
    let [by_subject_token, by_itself, stays] = [
        token_of_job(&app, &github, "j-1").await,
        token_of_job(&app, &github, "j-2").await,
        token_of_job(&app, &github, "j-3").await,
    ];
    for token in [&by_subject_token, &by_itself, &stays] {
        me(&other, token).await.expect(200);
    }
    revoke(&app, &json!({"jti": "j-1"})).await;
    revoke(&app, &json!({"jti": claims(&by_itself)["jti"]})).await;
    for token in [&by_subject_token, &by_itself] {
        me(&app, token).await.problem(401, "token_revoked");
    }
    me(&app, &stays).await.expect(200);
    app.advance(1);
    me(&other, &by_subject_token).await.problem(401, "token_revoked");
    me(&other, &stays).await.expect(200);
    // A revocation of the subject counts by when its subject token was issued: exchanging it a moment later does not
    // make it newer.
    let mut job = github.job(&app, "acme/web");
    job["jti"] = "j-4".into();
    let subject = github.sign(&job);
    app.advance(1);
    let exchanged_since = exchanged(&app, &subject).await;
    revoke(
        &app,
        &json!({"subject": "github:repo:acme/web:environment:production",
        "issued_before": app.now()}),
    )
    .await;
    for token in [&stays, &exchanged_since] {
        me(&app, token).await.problem(401, "token_revoked");
    }
    let refused = Answer::of(exchange(&app, &least(&subject))).await.problem(400, "token_revoked");
    assert_eq!(refused["error"], "invalid_request");
    app.advance(1);
    me(&app, &token_of_job(&app, &github, "j-5").await).await.expect(200);
}

#[tokio::test]
async fn it_ends_with_the_rule_within_a_second_everywhere() {
    let app = TestGateway::with(watchful()).await;
    let other = app.second_gateway(watchful()).await;
    let github = JobProvider::trusted(&app).await;
    let rules = |rules: &[(&str, &str, &str)]| github.issuer(rules, &["/repository", "/ref", "/environment"]);
    let (web, zoo) = (("web", "/repository", "acme/web"), ("zoo", "/repository", "acme/zoo"));
    let token = token_of_job(&app, &github, "j-1").await;
    for gateway in [&app, &other] {
        me(gateway, &token).await.expect(200);
    }
    // Other rules are added and removed.
    github.put(&app, &rules(&[zoo, web])).await.expect(200);
    github.put(&app, &rules(&[web])).await.expect(200);
    app.advance(1);
    for gateway in [&app, &other] {
        me(gateway, &token).await.expect(200);
    }
    let get = app.bare(Method::GET, "/v1/events/stream").bearer_auth(&token);
    let mut listener = Listener::open(get).await;
    let mut narrower = rules(&[web]);
    narrower["rules"][0]["scopes"]["fixed"] = json!(["read"]);
    github.put(&app, &narrower).await.expect(200);
    me(&app, &token).await.problem(401, "rule_changed");
    while listener.next().await.is_some() {}
    me(&other, &token).await.expect(200);
    app.advance(1);
    me(&other, &token).await.problem(401, "rule_changed");
    // With the original rules it is valid again; without the issuer it is not, and nothing is exchanged.
    github.put(&app, &rules(&[web])).await.expect(200);
    me(&app, &token).await.expect(200);
    let subject = github.sign(&github.job(&app, "acme/web"));
    assert_eq!(admin(&app, Method::DELETE, "/v1/issuers/github", None).await.status, 204);
    me(&app, &token).await.problem(401, "rule_changed");
    Answer::of(exchange(&app, &least(&subject))).await.problem(400, "token_wrong_issuer");
    app.advance(1);
    me(&other, &token).await.problem(401, "rule_changed");
}

#[tokio::test]
async fn a_disabled_team_gets_none_and_its_tokens_are_refused() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let token = token_of_job(&app, &github, "j-1").await;
    admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": TEAM, "display_name": "Web"}))).await.expect(201);
    admin(&app, Method::PATCH, "/v1/teams/web", Some(&json!({"disabled": true}))).await.expect(200);
    me(&app, &token).await.problem(403, "team_disabled");
    let refused = Answer::of(exchange(&app, &least(&github.sign(&github.job(&app, "acme/web"))))).await;
    assert_eq!(refused.problem(403, "team_disabled")["error"], "invalid_request");
}

#[tokio::test]
async fn what_the_settings_issuer_signed_is_exchanged_too() {
    let app = TestGateway::start().await;
    let token = exchanged(&app, &app.token(TEAM, &[Scope::Read])).await;
    let seen = me(&app, &token).await.expect(200);
    assert_eq!((&seen["subject"], &seen["scopes"]), (&json!("alice"), &json!(["read"])));
    revoke(&app, &json!({"jti": "token-of-web"})).await;
    me(&app, &token).await.problem(401, "token_revoked");
}

#[tokio::test]
async fn the_master_key_is_replaced_and_no_pipeline_notices() {
    const OLD: (&str, [u8; 32]) = ("old", [1; 32]);
    const NEW: (&str, [u8; 32]) = ("new", [2; 32]);
    let setup = |current, previous| Setup { master: (current, previous), ..Setup::default() };
    let old = TestGateway::with(setup(OLD, None)).await;
    let github = JobProvider::trusted(&old).await;
    let token = token_of_job(&old, &github, "j-1").await;
    // First every gateway has both keys and uses the old one; then the new one is used; then the old one is removed.
    let ready = old.second_gateway(setup(OLD, Some(NEW))).await;
    let both = old.second_gateway(setup(NEW, Some(OLD))).await;
    let new = old.second_gateway(setup(NEW, None)).await;
    for gateway in [&old, &ready, &both] {
        me(gateway, &token).await.expect(200);
    }
    let by_new = token_of_job(&both, &github, "j-2").await;
    for gateway in [&ready, &both, &new] {
        me(gateway, &by_new).await.expect(200);
    }
    me(&new, &token).await.problem(401, "token_wrong_issuer");
    let keys = async |gateway: &TestGateway| {
        let keys = Answer::of(gateway.bare(Method::GET, "/.well-known/jwks.json")).await.expect(200);
        let keys = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    let (of_old, of_both, of_new) = (keys(&old).await, keys(&both).await, keys(&new).await);
    assert_eq!(of_both, [of_new[0].clone(), of_old[0].clone()], "the one in use stands first");
}
