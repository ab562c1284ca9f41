//! Pipelines of GitHub Actions and GitLab CI: realistic tokens, signed with keys of the test, and the issuers with
//! which a gateway accepts them.
#![cfg(test)]

use chrono::Duration;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::api_keys::admin;
use super::signers::{Signer, b64, jwks};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

/// A provider that signs tokens.
pub(super) struct JobProvider {
    /// Its name in the gateway.
    pub(super) name: &'static str,
    iss: &'static str,
    signers: [Signer; 1],
}

impl JobProvider {
    pub(super) fn github() -> Self {
        Self::new("github", "https://token.actions.githubusercontent.com")
    }

    pub(super) fn gitlab() -> Self {
        Self::new("gitlab", "https://gitlab.example.com")
    }

    fn new(name: &'static str, iss: &'static str) -> Self {
        let [rsa, ..] = Signer::all();
        Self { name, iss, signers: [rsa] }
    }

    /// The issuer with rules that each require one claim to have one value.
    pub(super) fn issuer(&self, rules: &[(&str, &str, &str)], noted: &[&str]) -> Value {
        let rule = |(name, pointer, value): &(&str, &str, &str)| {
            json!({"name": name, "match": {*pointer: [value]}, "team": {"fixed": TEAM},
                "scopes": {"fixed": ["read", "write"]}, "noted": noted})
        };
        let document: Value = serde_json::from_str(&jwks(&self.signers)).unwrap();
        json!({"name": self.name, "issuer": self.iss, "audiences": ["eci-cache-gateway"],
            "keys": {"from": "document", "document": document}, "rules": rules.iter().map(rule).collect::<Vec<_>>()})
    }

    /// Adds the issuer to the gateway.
    pub(super) async fn put(&self, app: &TestGateway, issuer: &Value) -> Answer {
        admin(app, Method::PUT, &format!("/v1/issuers/{}", self.name), Some(issuer)).await
    }

    /// A gateway's issuer for `acme/web` on GitHub.
    pub(super) async fn trusted(app: &TestGateway) -> Self {
        let github = Self::github();
        let issuer = github.issuer(&[("web", "/repository", "acme/web")], &["/repository", "/ref", "/environment"]);
        github.put(app, &issuer).await.expect(200);
        github
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.signers[0].sign(&self.signers[0].header(), claims)
    }

    /// The claims of a job on GitHub with an environment.
    pub(super) fn job(&self, app: &TestGateway, repository: &str) -> Value {
        let now = app.now();
        json!({
            "jti": format!("job-of-{}", repository.replace('/', "-")), "iss": self.iss, "aud": "eci-cache-gateway",
            "sub": format!("repo:{repository}:environment:production"),
            "ref": "refs/heads/main", "sha": "a1b2c3d4", "ref_type": "branch", "ref_protected": "true",
            "repository": repository, "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65",
            "repository_visibility": "private", "environment": "production", "run_id": "11", "run_number": "10",
            "run_attempt": "2", "actor": "octocat", "actor_id": "12", "workflow": "release", "head_ref": "",
            "base_ref": "", "event_name": "push", "runner_environment": "github-hosted",
            "workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main", "workflow_sha": "a1b2c3d4",
            "job_workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main", "enterprise_id": 7,
            "iat": now.timestamp(), "nbf": (now - Duration::minutes(5)).timestamp(),
            "exp": (now + Duration::minutes(5)).timestamp(),
        })
    }

    /// The claims of a job on GitLab with an environment.
    pub(super) fn gitlab_job(&self, app: &TestGateway, project: &str) -> Value {
        let now = app.now();
        json!({
            "jti": format!("job-of-{}", project.replace('/', "-")), "iss": self.iss, "aud": "eci-cache-gateway",
            "sub": format!("project_path:{project}:ref_type:branch:ref:main"),
            "namespace_id": "72", "namespace_path": "acme", "project_id": "20", "project_path": project,
            "user_id": "1", "user_login": "alice", "user_email": "alice@example.com", "user_access_level": "developer",
            "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}],
            "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
            "ref_path": "refs/heads/main", "ref_protected": "true", "groups_direct": ["acme", "acme/platform"],
            "environment": "production", "environment_protected": "true", "deployment_tier": "production",
            "environment_action": "start", "runner_id": 1, "runner_environment": "self-hosted", "sha": "714a629c",
            "project_visibility": "private", "ci_config_ref_uri": "gitlab.example.com/acme/web//.gitlab-ci.yml@refs/heads/main",
            "ci_config_sha": "714a629c", "iat": now.timestamp(), "nbf": now.timestamp() - 5,
            "exp": (now + Duration::hours(1)).timestamp(),
        })
    }
}

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The parameters of a minimal exchange.
pub(super) fn least(token: &str) -> Vec<(String, String)> {
    let pairs = [("grant_type", GRANT), ("subject_token_type", JWT), ("subject_token", token)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

pub(super) fn exchange(app: &TestGateway, pairs: &[(String, String)]) -> RequestBuilder {
    app.bare(Method::POST, "/v1/token-exchange").form(pairs)
}

/// The token that the gateway returns for this one.
pub(super) async fn exchanged(app: &TestGateway, token: &str) -> String {
    let answer = Answer::of(exchange(app, &least(token))).await;
    answer.expect(200)["access_token"].as_str().unwrap().to_owned()
}

/// Who the gateway says the bearer is.
pub(super) async fn me(app: &TestGateway, token: &str) -> Answer {
    Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(token)).await
}

/// The claims of a token, not verified.
pub(super) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The token with another header, the same claims and the same signature.
pub(super) fn with_header(token: &str, header: &Value) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", b64(header.to_string()))
}

/// The newest audit entry of a request with that action: subject, credential, outcome, code and parameters.
pub(super) async fn entry(app: &TestGateway, action: &str) -> (String, Option<String>, String, Option<String>, Value) {
    let sql = "SELECT subject, credential, outcome, code, parameters FROM audit_entries WHERE action = $1
        AND door = 'rest' ORDER BY seq DESC LIMIT 1";
    sqlx::query_as(sql).bind(action).fetch_one(app.sql()).await.unwrap()
}

/// Subject, credential and parameters of the newest audit entry of a successful or accepted change with that action.
pub(super) async fn done(app: &TestGateway, action: &str) -> (String, Option<String>, Value) {
    let sql = "SELECT subject, credential, parameters FROM audit_entries
        WHERE action = $1 AND door = 'rest' AND outcome <> 'refused' AND parameters <> '{}' ORDER BY seq DESC LIMIT 1";
    sqlx::query_as(sql).bind(action).fetch_one(app.sql()).await.unwrap()
}
