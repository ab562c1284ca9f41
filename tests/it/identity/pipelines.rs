//! Pipelines without secrets: a job's token is accepted by one rule, and the audit names its repository.
#![cfg(test)]

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use eci_cache_gateway::http::links::Links;
use reqwest::Method;
use serde_json::{Value, json};

use super::jobs::{JobProvider, claims, done, entry, exchange, exchanged, least, me};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};

#[tokio::test]
async fn a_job_on_github_creates_a_cache_and_no_secret_was_made() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let subject_token = github.sign(&github.job(&app, "acme/web"));
    let answer = Answer::of(exchange(&app, &least(&subject_token))).await;
    let issued = answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = issued["access_token"].as_str().unwrap();
    let expected = json!({"access_token": token, "token_type": "Bearer", "expires_in": 1800, "scope": "read write",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
    assert_eq!(issued, expected);

    let create = app.bare(Method::POST, "/v1/image-caches").bearer_auth(token).json(&new_cache("nginx"));
    assert_eq!(Answer::of(create).await.expect(201)["team"], TEAM);
    let own = claims(token);
    let jti = own["jti"].as_str().unwrap();
    let who = "github:repo:acme/web:environment:production";
    let facts = json!({"token_issuer": "github", "token_rule": "web", "token/repository": "acme/web",
        "token/ref": "refs/heads/main", "token/environment": "production"});
    let (subject, credential, outcome, code, parameters) = entry(&app, "exchange_token").await;
    assert_eq!((&*subject, credential.as_deref(), &*outcome, code), (who, Some(jti), "succeeded", None));
    let mut exchange_facts = facts.clone();
    exchange_facts["token_scopes"] = "read write".into();
    exchange_facts["token_subject_jti"] = "job-of-acme-web".into();
    assert_eq!(parameters, exchange_facts);
    let (subject, credential, parameters) = done(&app, "create_image_cache").await;
    assert_eq!((&*subject, credential.as_deref()), (who, Some(jti)));
    for (name, value) in facts.as_object().unwrap() {
        assert_eq!(parameters[name], *value, "{parameters}");
    }
    assert_eq!(parameters["name"], "web", "what was asked stands beside it: {parameters}");
    for secret in [&*subject_token, token] {
        let sql = "SELECT count(*) FROM audit_entries t WHERE position($1 in t::text) > 0";
        let part = secret.rsplit('.').next().unwrap();
        let found: i64 = sqlx::query_scalar(sql).bind(part).fetch_one(app.sql()).await.unwrap();
        assert_eq!(found, 0);
    }
}

#[tokio::test]
async fn a_job_on_gitlab_becomes_a_caller() {
    let app = TestGateway::start().await;
    let gitlab = JobProvider::gitlab();
    let noted = ["/project_path", "/ref_path", "/environment", "/runner_id"];
    gitlab.put(&app, &gitlab.issuer(&[("web", "/project_path", "acme/web")], &noted)).await.expect(200);
    let token = exchanged(&app, &gitlab.sign(&gitlab.gitlab_job(&app, "acme/web"))).await;
    let seen = me(&app, &token).await.expect(200);
    assert_eq!(seen["subject"], "gitlab:project_path:acme/web:ref_type:branch:ref:main");
    let (_, _, _, _, parameters) = entry(&app, "get_me").await;
    let facts = json!({"token_issuer": "gitlab", "token_rule": "web", "token/project_path": "acme/web",
        "token/ref_path": "refs/heads/main", "token/environment": "production", "token/runner_id": "1"});
    assert_eq!(parameters, facts);
}

#[tokio::test]
async fn a_job_of_another_repository_is_told_which_rule_failed_on_which_claim() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    for repository in ["acme/other", "mallory/web", "acme/web-fork", "ACME/WEB", "acme/web/../other"] {
        let answer = Answer::of(exchange(&app, &least(&github.sign(&github.job(&app, repository))))).await;
        let problem = answer.problem(403, "no_rule_matches");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("github") && detail.contains("web") && detail.contains("/repository"), "{detail}");
        assert!(!detail.contains(repository) && !detail.contains("acme/web"), "{detail}");
        assert_eq!(problem["error"], "invalid_request");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let (_, _, outcome, code, _) = entry(&app, "exchange_token").await;
    assert_eq!((&*outcome, code.as_deref()), ("refused", Some("no_rule_matches")));
}

#[tokio::test]
async fn anybody_can_check_its_tokens_with_the_published_keys() {
    let base = "https://gateway.example";
    let app = TestGateway::with(Setup { links: Links::new(Some(base), Vec::new()), ..Setup::default() }).await;
    let github = JobProvider::trusted(&app).await;
    let token = exchanged(&app, &github.sign(&github.job(&app, "acme/web"))).await;
    let keys = Answer::of(app.bare(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(keys.header("content-type"), "application/jwk-set+json");
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let [key] = keys.expect(200)["keys"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
    );
    assert!(key.get("d").is_none());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    public.verify(message.as_bytes(), &decode(signature)).unwrap();
    let header: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
    assert_eq!(header, json!({"alg": "EdDSA", "typ": "JWT", "kid": key["kid"]}));
    let said = claims(&token);
    assert_eq!((&said["iss"], &said["aud"], &said["team"]), (&json!(base), &json!("eci-cache-gateway"), &json!(TEAM)));
    let told = Answer::of(app.bare(Method::GET, "/.well-known/openid-configuration")).await.expect(200);
    assert_eq!((&told["issuer"], &told["jwks_uri"]), (&json!(base), &json!(format!("{base}/.well-known/jwks.json"))));
}

#[tokio::test]
async fn a_gateway_that_is_reached_under_another_name_has_no_discovery() {
    let app = TestGateway::start().await;
    Answer::of(app.bare(Method::GET, "/.well-known/openid-configuration")).await.problem(404, "not_found");
    Answer::of(app.bare(Method::GET, "/.well-known/jwks.json")).await.expect(200);
}
