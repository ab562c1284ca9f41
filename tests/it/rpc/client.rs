//! A minimal SDK: signs with V1 or V3, in the query or the body, and can deliberately do it wrong.
#![cfg(test)]

use std::sync::atomic::{AtomicU32, Ordering};

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::eci::{Product, sign_v1, sign_v3};
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

pub(crate) type Pairs = Vec<(String, String)>;

/// The provider's `User-Agent`.
pub(crate) const TERRAFORM: &str = "AlibabaCloud (linux; amd64) Golang/1.20.5 Core/0.01 Extra/Terraform \
                                    HashiCorp-Terraform/1.5.7 Provider/1.212.0 Module/";

static NONCE: AtomicU32 = AtomicU32::new(0);

pub(crate) fn nonce() -> String {
    format!("nonce-{}", NONCE.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn own(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// An access key.
pub(crate) struct RpcKey {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
}

impl RpcKey {
    /// A key of [`TEAM`] with all scopes.
    pub(crate) async fn new(app: &TestGateway) -> Self {
        Self::of(app, TEAM, &json!({})).await
    }

    /// A key of `team`, created by its administrator.
    pub(crate) async fn of(app: &TestGateway, team: &str, body: &Value) -> Self {
        let create = app.bare(Method::POST, "/v1/access-keys").bearer_auth(app.token(team, &Scope::ALL));
        let made = Answer::of(create.json(body)).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: text("id"), secret: text("access_key_secret").into() }
    }

    /// The system parameters of V1 and the action's own, without the signature.
    pub(crate) fn unsigned(&self, app: &TestGateway, action: &str, params: &[(&str, &str)]) -> Pairs {
        let now = app.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut pairs = own(params);
        pairs.extend(own(&[
            ("Action", action),
            ("Version", Product::Eci.version()),
            ("AccessKeyId", &self.id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureType", ""),
            ("SignatureNonce", &nonce()),
            ("Timestamp", &now),
        ]));
        pairs
    }

    /// Signs with V1.
    pub(crate) fn sign(&self, method: &str, mut pairs: Pairs) -> Pairs {
        let signature = sign_v1::signature(&self.secret, &sign_v1::string_to_sign(method, &pairs));
        pairs.push((sign_v1::SIGNATURE.to_owned(), signature));
        pairs
    }

    /// An action with V1, everything in the query of a GET.
    pub(crate) async fn get(&self, app: &TestGateway, action: &str, params: &[(&str, &str)]) -> Answer {
        send_query(app, Method::GET, &self.sign("GET", self.unsigned(app, action, params))).await
    }

    /// An action with V1, everything in the body of a POST.
    pub(crate) async fn post(&self, app: &TestGateway, action: &str, params: &[(&str, &str)]) -> Answer {
        send_form(app, &self.sign("POST", self.unsigned(app, action, params))).await
    }

    /// An action with V3: the parameters in the query, or in a form body.
    pub(crate) fn v3(&self, app: &TestGateway, action: &str, params: &[(&str, &str)], form: bool) -> RequestBuilder {
        let (query, body) = if form { (Pairs::new(), encoded(&own(params))) } else { (own(params), String::new()) };
        let mut headers = own(&[
            ("host", &app.address.to_string()),
            ("x-acs-action", action),
            ("x-acs-version", Product::Eci.version()),
            ("x-acs-date", &app.now().format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("x-acs-signature-nonce", &nonce()),
            ("x-acs-content-sha256", &sign_v3::hashed_payload(body.as_bytes())),
        ]);
        if form {
            headers.extend(own(&[("content-type", "application/x-www-form-urlencoded")]));
        }
        self.sign_v3(app, &query, &headers, body)
    }

    /// Signs all of these headers with V3.
    pub(crate) fn sign_v3(&self, app: &TestGateway, query: &Pairs, headers: &Pairs, body: String) -> RequestBuilder {
        let payload = sign_v3::hashed_payload(body.as_bytes());
        let request = sign_v3::SignedParts { method: "POST", path: "/", query, headers, payload: &payload };
        let text = sign_v3::string_to_sign(&sign_v3::canonical_request(&request));
        let signature = sign_v3::signature(&self.secret, &text);
        let authorization = sign_v3::authorization(&self.id, headers, &signature);
        let mut request = app.bare(Method::POST, &format!("/?{}", encoded(query))).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
            request = request.header(name, value);
        }
        request.header("authorization", authorization)
    }
}

pub(crate) async fn send_query(app: &TestGateway, method: Method, pairs: &Pairs) -> Answer {
    Answer::of(app.bare(method, &format!("/?{}", encoded(pairs)))).await
}

/// An action as Terraform sends it: a POST with everything in the query, and its own `User-Agent`.
pub(crate) async fn send_as_terraform(
    app: &TestGateway,
    key: &RpcKey,
    action: &str,
    params: &[(&str, &str)],
) -> Answer {
    let pairs = key.sign("POST", key.unsigned(app, action, params));
    let request = app.bare(Method::POST, &format!("/?{}", encoded(&pairs))).header("user-agent", TERRAFORM);
    Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body("")).await
}

pub(crate) async fn send_form(app: &TestGateway, pairs: &Pairs) -> Answer {
    let request = app.bare(Method::POST, "/").header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(encoded(pairs))).await
}

/// The cloud's error, which must have this status and code, and be complete.
#[track_caller]
pub(crate) fn error(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!(body["Code"], code, "{body}");
    assert_eq!(answer.header("content-type"), "application/json;charset=utf-8");
    for name in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
        assert!(body[name].is_string(), "{name} in {body}");
    }
    assert_eq!(body["RequestId"], answer.header("x-request-id"));
    body
}

/// A success, which must have a `RequestId` first and no `Code`.
#[track_caller]
pub(crate) fn success(answer: &Answer) -> Value {
    let body = answer.expect(200);
    assert!(body["RequestId"].is_string() && body.get("Code").is_none(), "{body}");
    assert_eq!(body.as_object().unwrap().keys().next().map(String::as_str), Some("RequestId"));
    body
}
