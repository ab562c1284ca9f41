//! The part of the walk about keys: API keys, and the keys of cloud accounts.

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Walk, with_login};
use crate::support::answer::Answer;
use crate::support::gateway::TEAM;
use crate::support::setup::{CloudKey, SECOND, SECOND_NEXT};

/// Secrets that the gateway generated.
pub(super) struct Made {
    pub(super) bearer: String,
    pub(super) access: String,
    pub(super) webhook: String,
    pub(super) api: String,
    pub(super) rotated: String,
}

impl Walk<'_> {
    /// An API key, used and rotated, and also used in wrong places; returns the original and the rotated one.
    pub(super) async fn api_keys(&self) -> (String, String) {
        let admin = async |path: &str, body: Value| {
            let request = self.app.bare(Method::POST, path).bearer_auth(self.app.token(TEAM, &Scope::ALL));
            Answer::of(request.json(&body)).await
        };
        let made = admin("/v1/api-keys", json!({"name": "canary", "scopes": ["read"]})).await.expect(201);
        let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
        let rotated = admin(&format!("{path}/rotate"), json!({"keep_old_hours": 1})).await.expect(200);
        let (first, then) = (made["key"].as_str().unwrap(), rotated["key"].as_str().unwrap());
        for key in [first, then, &format!("{}x", &then[..then.len() - 1])] {
            let me = self.app.bare(Method::GET, "/v1/me").bearer_auth(key);
            self.heard.hear(Answer::of(me).await);
            self.get(&format!("/v1/image-caches?q={key}")).await;
            self.post("/v1/image-caches", &json!({"key": key})).await;
        }
        self.get(&path).await;
        self.get("/v1/api-keys").await;
        (first.to_owned(), then.to_owned())
    }

    /// A cloud account with a role: added, used, refused, rotated, and shown.
    pub(super) async fn accounts(&self, external: &str) {
        let path = "/v1/cloud-accounts/second";
        let role = json!({"arn": "acs:ram::2:role/caches", "external_id": external});
        let body = |(id, secret): CloudKey| json!({"access_key_id": id, "access_key_secret": secret, "role": role});
        for key in [SECOND, SECOND_NEXT] {
            self.ask(Method::PUT, path, Some(&body(key))).await.expect(200);
            let mut new = with_login("private.example.com/account:1");
            new["cloud_account"] = json!("second");
            self.post("/v1/image-caches", &new).await;
        }
        let mut wrong = body(SECOND);
        wrong["access_key_id"] = json!(format!("{} ", SECOND.1));
        wrong["api_endpoint"] = json!(format!("https://u:{}@host", SECOND.1));
        assert_eq!(self.ask(Method::PUT, path, Some(&wrong)).await.status, 422);
        wrong["secret"] = json!(SECOND.1);
        assert_eq!(self.ask(Method::PUT, path, Some(&wrong)).await.status, 422);
        self.get(path).await;
        self.get("/v1/cloud-accounts").await;
    }
}
