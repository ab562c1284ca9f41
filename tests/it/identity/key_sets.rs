//! Key sets of issuers over time: rotation, removal, poisoning, and an unreachable provider.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use super::provider::{Provider, ProviderIssuer};
use super::providers::me;
use super::signers::{Signer, b64};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

const GENERIC: [(&str, &str); 2] = [("issuer", "https://sso.example.com"), ("name", "sso")];

async fn gateway(at: &ProviderIssuer<'_>) -> TestGateway {
    let issuers = vec![at.configured("generic", &GENERIC)];
    TestGateway::with(Setup { issuers, ..Setup::default() }).await
}

fn claims() -> Value {
    json!({"aud": "eci-cache-gateway", "sub": "alice", "team": "web", "scope": "eci:read"})
}

fn signed(app: &TestGateway, at: &ProviderIssuer<'_>, kid: &str, signer: &Signer) -> String {
    signer.sign(&json!({"alg": signer.algorithm(), "kid": kid}), &at.claims(app.now(), &claims()))
}

#[tokio::test]
async fn a_new_key_is_found_and_one_that_left_is_refused() {
    let (provider, next) = (Provider::start().await, Signer::rsa());
    let at = provider.issuer("sso", "");
    let app = gateway(&at).await;
    let old = signed(&app, &at, "key-1", &at.signer);
    me(&app, &old).await.expect(200);
    at.publish(&[at.signer.jwk_as("key-1"), next.jwk_as("key-2")]);
    me(&app, &signed(&app, &at, "key-2", &next)).await.expect(200);
    at.publish(&[next.jwk_as("key-2")]);
    me(&app, &old).await.expect(200);
    app.advance(300);
    me(&app, &old).await.problem(401, "token_unknown_key");
    me(&app, &signed(&app, &at, "key-2", &next)).await.expect(200);
}

#[tokio::test]
async fn bad_entries_spoil_no_good_one() {
    let (provider, stranger) = (Provider::start().await, Signer::rsa());
    let at = provider.issuer("sso", "");
    let app = gateway(&at).await;
    let weak = json!({"kty": "RSA", "kid": "weak", "n": b64([0xff; 128]), "e": "AQAB"});
    let mut encryption = stranger.jwk_as("key-1");
    encryption["use"] = json!("enc");
    at.publish(&[
        weak,
        json!({"kid": "typeless"}),
        json!(null),
        json!({"kty": "oct", "kid": "secret", "k": b64([7; 32])}),
        json!({"kty": "RSA", "kid": "chain", "x5c": ["MIIB"]}),
        json!({"kty": ["RSA"], "kid": 7}),
        encryption,
        at.signer.jwk_as("key-1"),
        at.signer.jwk_as("key-1"),
        stranger.jwk_as("twice"),
        Signer::rsa().jwk_as("twice"),
    ]);
    me(&app, &signed(&app, &at, "key-1", &at.signer)).await.expect(200);
    me(&app, &signed(&app, &at, "key-1", &stranger)).await.problem(401, "token_bad_signature");
    me(&app, &signed(&app, &at, "twice", &stranger)).await.problem(401, "token_unknown_key");
    let forged = super::signers::hmac_signed(
        &[7; 32],
        &json!({"alg": "HS256", "kid": "secret"}),
        &at.claims(app.now(), &claims()),
    );
    me(&app, &forged).await.problem(401, "token_unknown_key");
}

#[tokio::test]
async fn a_set_that_cannot_be_renewed_is_trusted_for_an_hour() {
    let provider = Provider::start().await;
    let at = provider.issuer("sso", "");
    let app = gateway(&at).await;
    app.gateway.upkeep().beat("test").await.unwrap();
    let token = |app: &TestGateway| signed(app, &at, "key-1", &at.signer);
    // Other tests share the database server, so their transactions are reported too.
    let told_of_issuers = async || {
        let ready = Answer::of(app.bare(Method::GET, "/readyz")).await.expect(200);
        let told = ready["degraded"].as_array().cloned().unwrap_or_default();
        told.into_iter().filter(|told| told.as_str().unwrap().contains("issuer")).collect::<Vec<_>>()
    };
    me(&app, &token(&app)).await.expect(200);
    assert!(app.gateway.identity().prepare_tokens().await);
    assert!(told_of_issuers().await.is_empty());
    at.say(500, "");
    app.advance(3_599);
    me(&app, &token(&app)).await.expect(200);
    app.gateway.upkeep().beat("test").await.unwrap();
    let told =
        "the keys of the issuer sso cannot be refreshed: those fetched 3599 s ago are trusted until they are too old";
    assert_eq!(told_of_issuers().await, [told]);
    app.advance(1);
    let refused = me(&app, &token(&app)).await;
    let problem = refused.problem(503, "issuer_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("(sso)") && problem["retryable"] == true, "{problem}");
    assert_eq!(refused.header("retry-after"), "5");
    // Callers of other issuers are served, and the gateway is ready.
    app.get("/v1/me").await.expect(200);
    let told = "the keys of the issuer sso cannot be fetched: requests with its tokens are answered with 503";
    assert_eq!(told_of_issuers().await, [told]);
    at.publish(&[at.signer.jwk_as("key-1")]);
    app.advance(5);
    me(&app, &token(&app)).await.expect(200);
    assert!(told_of_issuers().await.is_empty());
}

#[tokio::test]
async fn a_discovery_document_that_is_wrong_gives_no_keys() {
    let provider = Provider::start().await;
    let at = provider.issuer("sso", "");
    let app = gateway(&at).await;
    let token = signed(&app, &at, "key-1", &at.signer);
    for wrong in [format!("{}/", at.iss()), "https://evil.example".to_owned(), String::new()] {
        at.discover(&wrong);
        me(&app, &token).await.problem(503, "issuer_unavailable");
        app.advance(5);
    }
    at.discover(&at.iss());
    me(&app, &token).await.expect(200);
}
