//! A credential that was recognized and refused is named in the audit; `anonymous` is only for unknown callers.
#![cfg(test)]

use eci_cache_gateway::auth::mint::{MintedClaims, mint};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::api_key::PresentedKey;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::rpc::client::{RpcKey, own, send_query};
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TOKEN_SECRET, TestGateway};

async fn admin(app: &TestGateway, method: Method, path: &str, body: &Value) -> Answer {
    Answer::of(app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL)).json(body)).await
}

/// The audit entry of a response's request: team, subject, credential and code.
async fn entry(app: &TestGateway, answer: &Answer) -> String {
    let sql = "SELECT concat_ws(' ', coalesce(team, '-'), subject, coalesce(credential, '-'), code) FROM audit_entries
        WHERE request_id = $1";
    sqlx::query_scalar(sql).bind(answer.header("x-request-id")).fetch_one(app.sql()).await.unwrap()
}

/// Uses a credential at `/v1/me`, which must be refused; returns the audit entry.
async fn used(app: &TestGateway, credential: &str, wanted_team: Option<&str>) -> String {
    let request = app.bare(Method::GET, "/v1/me").bearer_auth(credential);
    let answer = Answer::of(match wanted_team {
        Some(team) => request.header("x-team", team),
        None => request,
    })
    .await;
    assert!([401, 403].contains(&answer.status), "{answer:?}");
    entry(app, &answer).await
}

async fn api_key(app: &TestGateway, more: &Value) -> (String, String) {
    let mut body = json!({"name": "ci", "scopes": ["read"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = admin(app, Method::POST, "/v1/api-keys", &body).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_api_key_that_is_refused_is_named() {
    let app = TestGateway::start().await;
    let (id, key) = api_key(&app, &json!({})).await;
    let named = |code: &str| format!("web api_key:{id} {id} {code}");
    assert_eq!(used(&app, &key, Some("other")).await, named("wrong_team"));
    let path = format!("/v1/api-keys/{id}");
    let next = admin(&app, Method::POST, &format!("{path}/rotate"), &json!({"keep_old_hours": 1})).await.expect(200);
    app.advance(3_600);
    assert_eq!(used(&app, &key, None).await, named("api_key_expired"), "its old secret's time is over");
    let next = next["key"].as_str().unwrap();
    admin(&app, Method::DELETE, &path, &json!(null)).await;
    assert_eq!(used(&app, next, None).await, named("api_key_revoked"));
    let (short, key) = api_key(&app, &json!({"expires_at": app.now() + chrono::Duration::hours(1)})).await;
    app.advance(3_600);
    assert_eq!(used(&app, &key, None).await, format!("web api_key:{short} {short} api_key_expired"));
    // Rotated without a transition period, or long ago; the number of remembered secrets is limited.
    let (turned, first) = api_key(&app, &json!({})).await;
    let rotate = async |hours: i32| {
        let path = format!("/v1/api-keys/{turned}/rotate");
        let next = admin(&app, Method::POST, &path, &json!({"keep_old_hours": hours})).await.expect(200);
        next["key"].as_str().unwrap().to_owned()
    };
    let expired = format!("web api_key:{turned} {turned} api_key_expired");
    let second = rotate(0).await;
    assert_eq!(used(&app, &first, None).await, expired);
    rotate(24).await;
    rotate(24).await;
    assert_eq!((used(&app, &first, None).await, used(&app, &second, None).await), (expired.clone(), expired.clone()));
    for _ in 0..9 {
        rotate(0).await;
    }
    assert_eq!(used(&app, &second, None).await, expired);
    assert_eq!(used(&app, &first, None).await, "- anonymous - api_key_unknown");
    // A caller with only the id, or nothing, is unknown.
    let forged = PresentedKey::fresh(id.parse().unwrap(), &Entropy::from_seed(1));
    let forged = forged.text.expose_secret();
    assert_eq!(used(&app, forged, None).await, "- anonymous - api_key_unknown");
    assert_eq!(used(&app, "ecg_nonsense", None).await, "- anonymous - api_key_malformed");
}

#[tokio::test]
async fn what_a_disabled_team_has_is_named() {
    let app = TestGateway::start().await;
    let (id, key) = api_key(&app, &json!({})).await;
    let rpc = RpcKey::new(&app).await;
    admin(&app, Method::POST, "/v1/teams", &json!({"id": TEAM, "display_name": "Web"})).await.expect(201);
    let platform = app.bare(Method::PATCH, "/v1/teams/web").bearer_auth(app.token("platform", &Scope::ALL));
    Answer::of(platform.json(&json!({"disabled": true}))).await.expect(200);
    app.advance(2);
    assert_eq!(used(&app, &key, None).await, format!("web api_key:{id} {id} team_disabled"));
    assert_eq!(used(&app, &app.token(TEAM, &SCOPES), None).await, "web alice token-of-web team_disabled");
    let answer = rpc.get(&app, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await;
    assert_eq!(entry(&app, &answer).await, format!("web access_key:{0} {0} Forbidden.TeamDisabled", rpc.id));
}

fn minted(app: &TestGateway, secret: &str, teams: &[&str], audience: &str) -> String {
    let claims = MintedClaims {
        subject: "bob".into(),
        teams: teams.iter().map(|team| team.parse().unwrap()).collect(),
        scopes: SCOPES.to_vec(),
        lifetime: chrono::Duration::hours(1),
        issuer: "https://issuer.example".into(),
        audience: audience.into(),
    };
    mint(&SecretString::from(secret), &claims, app.now(), "t-1").unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_token_that_is_refused_is_named() {
    let app = TestGateway::start().await;
    let ours = |teams: &[&str]| minted(&app, TOKEN_SECRET, teams, "eci-cache-gateway");
    assert_eq!(used(&app, &ours(&["web"]), Some("other")).await, "web bob t-1 wrong_team");
    assert_eq!(used(&app, &ours(&["web", "data"]), Some("other")).await, "- bob t-1 wrong_team");
    assert_eq!(used(&app, &ours(&["web", "data"]), None).await, "- bob t-1 team_required");
    assert_eq!(used(&app, &ours(&[]), None).await, "- bob t-1 no_team");
    let (token, by_subject) = (ours(&["web"]), app.token("web", &SCOPES));
    admin(&app, Method::POST, "/v1/revocations", &json!({"jti": "t-1"})).await.expect(201);
    assert_eq!(used(&app, &token, None).await, "web bob t-1 token_revoked");
    app.advance(1);
    admin(&app, Method::POST, "/v1/revocations", &json!({"subject": "alice", "issued_before": app.now()}))
        .await
        .expect(201);
    assert_eq!(used(&app, &by_subject, None).await, "web alice token-of-web token_revoked");
    let expired = ours(&["web"]);
    app.advance(3_700);
    assert_eq!(used(&app, &expired, None).await, "web bob t-1 token_expired");
    // A token for another audience, or without a valid signature, identifies nobody.
    let elsewhere = minted(&app, TOKEN_SECRET, &["web"], "another-audience");
    assert_eq!(used(&app, &elsewhere, None).await, "- anonymous - token_wrong_audience");
    let forged = minted(&app, "another secret that nobody here has, 32 bytes", &["web"], "eci-cache-gateway");
    assert_eq!(used(&app, &forged, None).await, "- anonymous - token_bad_signature");
}

#[tokio::test]
async fn an_access_key_that_is_refused_is_named() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let named = |code: &str| format!("web access_key:{0} {0} {code}", key.id);
    let params = [("RegionId", "cn-beijing")];
    let describe = async |key: &RpcKey| key.get(&app, "DescribeImageCaches", &params).await;
    // Signed correctly, but too late or twice.
    let mut stale = key.unsigned(&app, "DescribeImageCaches", &params);
    stale.retain(|(name, _)| name != "Timestamp");
    stale.extend(own(&[("Timestamp", "2026-02-01T00:00:00Z")]));
    let answer = send_query(&app, Method::GET, &key.sign("GET", stale)).await;
    assert_eq!(entry(&app, &answer).await, named("InvalidTimeStamp.Expired"));
    let once = key.sign("GET", key.unsigned(&app, "DescribeImageCaches", &params));
    send_query(&app, Method::GET, &once).await;
    let answer = send_query(&app, Method::GET, &once).await;
    assert_eq!(entry(&app, &answer).await, named("SignatureNonceUsed"));
    // A known id with a wrong secret identifies nobody.
    let wrong = RpcKey { id: key.id.clone(), secret: "wrong".into() };
    assert_eq!(entry(&app, &describe(&wrong).await).await, "- anonymous - SignatureDoesNotMatch");
    let nobody = RpcKey { id: "LTAInobody".into(), secret: "x".into() };
    assert_eq!(entry(&app, &describe(&nobody).await).await, "- anonymous - InvalidAccessKeyId.NotFound");
    // The secret from before the last rotation, once it has expired.
    let path = format!("/v1/access-keys/{}", key.id);
    let next = admin(&app, Method::POST, &format!("{path}/rotate"), &json!({"keep_old_hours": 1})).await.expect(200);
    app.advance(3_601);
    assert_eq!(entry(&app, &describe(&key).await).await, named("SignatureDoesNotMatch"));
    let next = RpcKey { id: key.id.clone(), secret: next["access_key_secret"].as_str().unwrap().into() };
    assert_eq!(describe(&next).await.status, 200);
    let v3 = Answer::of(key.v3(&app, "DescribeImageCaches", &params, false)).await;
    assert_eq!(entry(&app, &v3).await, named("SignatureDoesNotMatch"));
    admin(&app, Method::DELETE, &path, &json!(null)).await;
    assert_eq!(entry(&app, &describe(&next).await).await, named("InvalidAccessKeyId.Inactive"));
}
