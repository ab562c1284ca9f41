//! Somebody has left: what they had is revoked, and revoking for an unknown subject is pointed out.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::api_keys::{admin, made};
use super::jobs::{JobProvider, me};
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway};

const SUB: &str = "repo:acme/web:environment:production";

/// The hint of a revocation of that subject; empty if there is none.
async fn hint(app: &TestGateway, subject: &str) -> String {
    let made = admin(app, Method::POST, "/v1/revocations", Some(&json!({"subject": subject}))).await.expect(201);
    told(&made)
}

fn told(made: &Value) -> String {
    made.get("hint").map(|hint| hint.as_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_subject_that_nobody_has_is_told() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let token = github.sign(&github.job(&app, "acme/web"));
    let subject = format!("github:{SUB}");
    assert_eq!(me(&app, &token).await.expect(200)["subject"], subject);
    app.advance(1);
    let said = hint(&app, SUB).await;
    assert!(said.contains(&format!("known is {subject};")) && said.contains("<issuer>:<sub>"), "{said}");
    me(&app, &token).await.expect(200);
    let nobody = hint(&app, "bob").await;
    assert!(nobody.contains("has the subject bob; write subjects"), "{nobody}");
    assert_eq!(hint(&app, &subject).await, "");
    me(&app, &token).await.problem(401, "token_revoked");
    assert_eq!(hint(&app, &subject).await, "", "once more");
    let list = admin(&app, Method::GET, "/v1/revocations", None).await.expect(200);
    assert!(list["items"].as_array().unwrap().iter().all(|one| told(one).is_empty()), "{list}");
    // A key is not mistaken for an unknown subject.
    let (id, _) = made(&app, "other", &["read"]).await;
    assert!(hint(&app, &id).await.contains(&format!("known is api_key:{id};")));
    for _ in 0..2 {
        assert_eq!(hint(&app, &format!("api_key:{id}")).await, "");
    }
}

#[tokio::test]
async fn a_team_hears_of_its_own_subjects_only() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    me(&app, &github.sign(&github.job(&app, "acme/web"))).await.expect(200);
    let revoke = async |team: &str| {
        let request = app.bare(Method::POST, "/v1/revocations").bearer_auth(app.token(team, &[Scope::Keys]));
        told(&Answer::of(request.json(&json!({"subject": SUB}))).await.expect(201))
    };
    assert!(revoke(TEAM).await.contains("known is github:"));
    let others = revoke("other").await;
    assert!(!others.is_empty() && !others.contains("github"), "{others}");
}

#[tokio::test]
async fn what_they_get_from_their_provider_later_is_good_again() {
    let app = TestGateway::start().await;
    let old = app.token("other", &SCOPES);
    app.advance(1);
    assert_eq!(hint(&app, "alice").await, "");
    me(&app, &old).await.problem(401, "token_revoked");
    me(&app, &app.token("other", &SCOPES)).await.expect(200);
}
