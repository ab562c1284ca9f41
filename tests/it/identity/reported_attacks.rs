//! Publicly reported attacks on systems that trust pipelines' tokens, through the door.
#![cfg(test)]

use serde_json::{Value, json};

use super::jobs::{JobProvider, entry, exchange, exchanged, least, me};
use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;

/// A job on GitHub with other claims; `null` removes one.
fn job(app: &TestGateway, github: &JobProvider, claims: &Value) -> String {
    let mut job = github.job(app, "acme/web");
    for (name, value) in claims.as_object().unwrap() {
        if value.is_null() {
            job.as_object_mut().unwrap().remove(name)
        } else {
            job.as_object_mut().unwrap().insert(name.clone(), value.clone())
        };
    }
    github.sign(&job)
}

async fn with_rule(app: &TestGateway, github: &JobProvider, matches: &Value) {
    let mut issuer = github.issuer(&[("web", "/repository", "acme/web")], &["/repository", "/environment"]);
    issuer["rules"][0]["match"] = matches.clone();
    github.put(app, &issuer).await.expect(200);
}

#[tokio::test]
async fn what_others_ran_into() {
    let app = TestGateway::start().await;
    let github = JobProvider::github();
    // A rule, the job's claims, and the claims that do not match; empty if it is accepted.
    let usual = json!({"/repository": ["acme/web"]});
    let cases = [
        // Subjects that an organization has customized, or that contain numbers since 2026.
        (&usual, json!({"sub": "repository_owner_id:65:repository_id:74:environment:release"}), ""),
        (&usual, json!({"sub": "repo:acme@65/web@74:ref:refs/heads/main"}), ""),
        // An organization's name in different case.
        (&usual, json!({"repository": "Acme/web"}), "/repository"),
        // A renamed repository with the same number; and one that took over a name.
        (&json!({"/repository_id": ["74"]}), json!({"repository": "acme/renamed"}), ""),
        (
            &json!({"/repository": ["acme/web"], "/repository_id": ["74"]}),
            json!({"repository_id": "99"}),
            "/repository_id",
        ),
        // The environment is present only if the job has one.
        (&json!({"/environment": ["production"]}), json!({"environment": null}), "/environment"),
        // Booleans and numbers, also as strings.
        (&json!({"/ref_protected": ["true"]}), json!({"ref_protected": true}), ""),
        (&json!({"/ref_protected": ["true"]}), json!({"ref_protected": "false"}), "/ref_protected"),
        (&json!({"/repository_id": ["74"]}), json!({"repository_id": 74}), ""),
        // Arrays.
        (&json!({"/groups": ["platform"]}), json!({"groups": ["acme", "platform"]}), ""),
        // Branches with a slash have more than one part.
        (&json!({"/ref": ["refs/heads/*"]}), json!({"ref": "refs/heads/feature/x"}), "/ref"),
        (&json!({"/ref": ["refs/heads/**"]}), json!({"ref": "refs/heads/feature/x"}), ""),
        // A pattern must not match part of a longer name.
        (&usual, json!({"repository": "acme/web-attacker"}), "/repository"),
        (&json!({"/repository": ["acme/*"]}), json!({"repository": "acme-evil/web"}), "/repository"),
        // Audiences as an array.
        (&usual, json!({"aud": ["https://github.com/acme", "eci-cache-gateway"]}), ""),
        // A reusable workflow of another repository.
        (
            &json!({"/job_workflow_ref": ["acme/web/.github/workflows/*@refs/heads/main"]}),
            json!({"job_workflow_ref": "mallory/tools/.github/workflows/release.yml@refs/heads/main"}),
            "/job_workflow_ref",
        ),
    ];
    for (matches, claims, wrong) in cases {
        with_rule(&app, &github, matches).await;
        let answer = Answer::of(exchange(&app, &least(&job(&app, &github, &claims)))).await;
        if wrong.is_empty() {
            answer.expect(200);
        } else {
            let problem = answer.problem(403, "no_rule_matches");
            assert!(problem["detail"].as_str().unwrap().contains(wrong), "{matches} {claims}: {problem}");
        }
    }
}

#[tokio::test]
async fn a_claim_that_is_not_there_is_not_noted() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let token = exchanged(&app, &job(&app, &github, &json!({"environment": null}))).await;
    me(&app, &token).await.expect(200);
    let (_, _, _, _, parameters) = entry(&app, "get_me").await;
    let expected = json!({"token_issuer": "github", "token_rule": "web", "token/repository": "acme/web",
        "token/ref": "refs/heads/main"});
    assert_eq!(parameters, expected);
}

#[tokio::test]
async fn tokens_that_come_from_a_file_or_beside_other_credentials_are_taken() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let subject = job(&app, &github, &json!({}));
    Answer::of(exchange(&app, &least(&format!("{subject}\n")))).await.expect(200);
    Answer::of(exchange(&app, &least(&subject)).basic_auth("client", Some("secret"))).await.expect(200);
    let mut pairs = least(&subject);
    pairs.push(("client_id".into(), "runner".into()));
    Answer::of(exchange(&app, &pairs)).await.expect(200);
}

#[tokio::test]
async fn where_it_cannot_be_told_what_is_revoked_it_is_no_fault_of_the_token() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    sqlx::query("ALTER TABLE revocations RENAME TO away").execute(app.sql()).await.unwrap();
    app.advance(10);
    let answer = Answer::of(exchange(&app, &least(&job(&app, &github, &json!({}))))).await;
    assert_eq!(answer.problem(503, "credentials_unavailable")["error"], "temporarily_unavailable");
}
