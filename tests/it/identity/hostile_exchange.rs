//! What hostile or incorrect clients send to the token exchange.
#![cfg(test)]

use eci_cache_gateway::domain::limits::bucket::Rate;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::api_keys::made;
use super::jobs::{GRANT, JWT, JobProvider, claims, entry, exchange, exchanged, least, me, with_header};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};

const FORM: &str = "application/x-www-form-urlencoded";

/// Refused with that status and code, also in OAuth's format, and not cacheable.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, error: &str) -> String {
    let problem = answer.problem(status, code);
    assert_eq!(problem["error"], error, "{problem}");
    let description = problem["error_description"].as_str().unwrap();
    assert!(description.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'), "{description}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn parameters_are_refused_by_their_names() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let subject = github.sign(&github.job(&app, "acme/web"));
    let changed = |name: &str, value: Option<&str>| {
        let mut pairs = least(&subject);
        pairs.retain(|(key, _)| key != name);
        pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        pairs
    };
    let more = |name: &str, value: &str| {
        let mut pairs = least(&subject);
        pairs.push((name.to_owned(), value.to_owned()));
        pairs
    };
    for (pairs, code, error, names) in [
        (changed("grant_type", None), "missing_parameter", "invalid_request", "grant_type"),
        (changed("grant_type", Some("")), "missing_parameter", "invalid_request", "grant_type"),
        (
            changed("grant_type", Some("client_credentials")),
            "unsupported_grant_type",
            "unsupported_grant_type",
            "grant_type",
        ),
        (changed("subject_token", None), "missing_parameter", "invalid_request", "subject_token"),
        (changed("subject_token_type", None), "missing_parameter", "invalid_request", "subject_token_type"),
        (changed("subject_token_type", Some("jwt")), "unsupported_token_type", "invalid_request", "subject_token_type"),
        (more("grant_type", GRANT), "duplicate_parameter", "invalid_request", "grant_type"),
        (more("subject_token", &subject), "duplicate_parameter", "invalid_request", "subject_token"),
        (more("subject_token_type", JWT), "duplicate_parameter", "invalid_request", "subject_token_type"),
        (more("audience", "https://elsewhere.example"), "invalid_target", "invalid_target", "audience"),
        (more("resource", "https://elsewhere.example"), "invalid_target", "invalid_target", "resource"),
        (more("scope", "root"), "invalid_scope", "invalid_scope", "scope"),
        (more("scope", "platform:security"), "invalid_scope", "invalid_scope", "the subject token"),
        (more("actor_token", &subject), "unsupported_parameter", "invalid_request", "actor_token"),
        (
            more("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"),
            "unsupported_token_type",
            "invalid_request",
            "requested_token_type",
        ),
    ] {
        let answer = Answer::of(exchange(&app, &pairs)).await;
        let detail = refused(&answer, 400, code, error);
        assert!(detail.starts_with(names), "{detail}");
    }
    // Unknown parameters are ignored, as the standard demands; both targets may be ours.
    let mut pairs = more("client_id", "anything");
    for (name, value) in [
        ("audience", "eci-cache-gateway"),
        ("audience", "https://gateway.example"),
        ("resource", "https://gateway.example"),
        ("scope", ""),
        ("x", "y"),
    ] {
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Answer::of(exchange(&app, &pairs)).await.expect(200);
}

#[tokio::test]
async fn what_is_no_token_of_a_provider_is_not_exchanged() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let job = github.job(&app, "acme/web");
    let subject = github.sign(&job);
    let own = exchanged(&app, &subject).await;
    let (_, key) = made(&app, TEAM, &["read"]).await;
    let (message, signature) = subject.rsplit_once('.').unwrap();
    let altered = format!("{message}.{}{}{}", &signature[4..8], &signature[..4], &signature[8..]);
    let mut elsewhere = job.clone();
    elsewhere["aud"] = "https://github.com/acme".into();
    let mut nested = job.clone();
    nested["subject_token"] = own.clone().into();
    nested["aud"] = json!([own.clone()]);
    for (token, code) in [
        (own.clone(), "not_exchangeable"),
        (key, "not_exchangeable"),
        (format!("Bearer {subject}"), "token_malformed"),
        (" \n".to_owned(), "token_missing"),
        (altered, "token_bad_signature"),
        (github.sign(&elsewhere), "token_wrong_audience"),
        (github.sign(&nested), "token_wrong_audience"),
        (with_header(&subject, &json!({"alg": "none"})), "token_wrong_algorithm"),
        (with_header(&subject, &json!({"alg": "HS256", "kid": "RS256"})), "token_wrong_algorithm"),
        (format!("{own}.{own}"), "not_exchangeable"),
        ("a".repeat(9_000), "token_too_long"),
        ("…".to_owned(), "token_malformed"),
        ("..".to_owned(), "token_malformed"),
    ] {
        let answer = Answer::of(exchange(&app, &least(&token))).await;
        let detail = refused(&answer, 400, code, "invalid_request");
        assert!(!detail.contains(&token), "{detail}");
    }
    // An attacker who signs with their own key, with our name and our key's id.
    let mut forged = claims(&own);
    forged["scope"] = "platform:security".into();
    let forged = github.sign(&forged);
    me(&app, &forged).await.problem(401, "token_wrong_issuer");
    let header: serde_json::Value = {
        use base64::Engine as _;
        let part = own.split('.').next().unwrap();
        serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    me(&app, &with_header(&forged, &header)).await.problem(401, "token_bad_signature");
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused() {
    let app = TestGateway::start().await;
    let github = JobProvider::trusted(&app).await;
    let subject = github.sign(&github.job(&app, "acme/web"));
    let post = || app.bare(Method::POST, "/v1/token-exchange");
    let as_json = json!({"grant_type": GRANT, "subject_token_type": JWT, "subject_token": subject});
    refused(&Answer::of(post().json(&as_json)).await, 415, "unsupported_media_type", "invalid_request");
    refused(&Answer::of(post().body("grant_type=x")).await, 415, "unsupported_media_type", "invalid_request");
    let multipart = post().header(CONTENT_TYPE, "multipart/form-data; boundary=x").body("--x--");
    refused(&Answer::of(multipart).await, 415, "unsupported_media_type", "invalid_request");
    let form = |body: Vec<u8>| post().header(CONTENT_TYPE, FORM).body(body);
    for body in [&b"subject_token=\xff"[..], b"subject_token=%ff", b"subject_token=%00"] {
        refused(&Answer::of(form(body.to_vec())).await, 400, "malformed_form", "invalid_request");
    }
    refused(&Answer::of(form(b"".to_vec())).await, 400, "missing_parameter", "invalid_request");
    refused(&Answer::of(form(b"&&&=&a".to_vec())).await, 400, "missing_parameter", "invalid_request");
    let many = "a=1&".repeat(100).into_bytes();
    refused(&Answer::of(form(many)).await, 400, "malformed_form", "invalid_request");
    let huge = [b"subject_token=".as_slice(), &vec![b'a'; 40_000]].concat();
    refused(&Answer::of(form(huge)).await, 413, "body_too_large", "invalid_request");
    let in_url = format!("/v1/token-exchange?subject_token={subject}");
    let answer = Answer::of(app.bare(Method::POST, &in_url).form(&least(&subject))).await;
    refused(&answer, 400, "malformed_form", "invalid_request");
    Answer::of(app.bare(Method::GET, "/v1/token-exchange")).await.problem(405, "method_not_allowed");
    // A token in the Authorization header changes nothing.
    Answer::of(exchange(&app, &least(&subject)).bearer_auth("nonsense")).await.expect(200);
    let (_, _, outcome, _, parameters) = entry(&app, "exchange_token").await;
    assert_eq!(outcome, "succeeded");
    assert!(!parameters.to_string().contains(&subject[..40]), "{parameters}");
}

#[tokio::test]
async fn a_flood_is_turned_away_as_any_other_of_strangers() {
    let mut setup = Setup::default();
    setup.settings.limits.unauthenticated = Rate { per_second: 1, burst: 5 };
    let app = TestGateway::with(setup).await;
    for _ in 0..5 {
        refused(&Answer::of(exchange(&app, &least("a.b.c"))).await, 400, "token_malformed", "invalid_request");
    }
    let answer = Answer::of(exchange(&app, &least("a.b.c"))).await;
    refused(&answer, 429, "too_many_refused", "temporarily_unavailable");
    assert!(!answer.header("retry-after").is_empty());
}
