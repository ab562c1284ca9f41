//! Every action, called by those who must not: without a key, with a wrong signature, without its scope, from another
//! team; and by those who may.
#![cfg(test)]

use eci_cache_gateway::eci::{self, Product};
use reqwest::Method;
use serde_json::json;

use super::client::{RpcKey, error, own, send_query, success};
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway};

const REGION: (&str, &str) = ("RegionId", "cn-beijing");

/// An action: its name, its scope, and its parameters about the image cache `id`.
#[derive(Clone, Copy)]
struct CoveredAction {
    name: &'static str,
    scope: &'static str,
    operation: &'static str,
    params: fn(&str) -> Vec<(&'static str, String)>,
}

/// Every action of the cloud that the gateway supports.
const ACTIONS: [CoveredAction; 5] = [
    CoveredAction {
        name: "CreateImageCache",
        scope: "write",
        operation: "create_image_cache",
        params: |_| vec![("ImageCacheName", "web".into()), ("Image.1", "nginx".into())],
    },
    CoveredAction {
        name: "DescribeImageCaches",
        scope: "read",
        operation: "list_image_caches",
        params: |id| vec![("ImageCacheId", id.into())],
    },
    CoveredAction {
        name: "UpdateImageCache",
        scope: "write",
        operation: "update_image_cache",
        params: |id| vec![("ImageCacheId", id.into()), ("Image.1", "nginx:2".into())],
    },
    CoveredAction {
        name: "DeleteImageCache",
        scope: "write",
        operation: "delete_image_cache",
        params: |id| vec![("ImageCacheId", id.into())],
    },
    CoveredAction { name: "ListUsage", scope: "read", operation: "list_usage", params: |_| Vec::new() },
];

impl CoveredAction {
    async fn call(&self, app: &TestGateway, key: &RpcKey, id: &str) -> Answer {
        let params = (self.params)(id);
        let mut all = vec![REGION];
        all.extend(params.iter().map(|(name, value)| (*name, value.as_str())));
        key.get(app, self.name, &all).await
    }
}

async fn entry(app: &TestGateway, answer: &Answer) -> String {
    let sql = "SELECT concat_ws(' ', team, action, outcome) FROM audit_entries WHERE request_id = $1";
    sqlx::query_scalar(sql).bind(answer.header("x-request-id").to_owned()).fetch_one(app.sql()).await.unwrap()
}

/// A ready image cache of [`TEAM`]; returns the cloud's id.
async fn owned(app: &TestGateway) -> String {
    let id = app.created().await;
    let cache = app.until(&id, "ready").await;
    cache["eci_cache_id"].as_str().unwrap().to_owned()
}

#[test]
fn every_action_has_a_case_here() {
    let spoken = eci::Action::ALL.into_iter().filter(|action| action.product() == Product::Eci);
    assert_eq!(spoken.map(eci::Action::as_str).collect::<Vec<_>>(), ACTIONS.map(|action| action.name));
}

#[tokio::test]
async fn nobody_acts_without_a_key_a_signature_and_the_scope() {
    let app = TestGateway::start().await;
    let id = owned(&app).await;
    let key = RpcKey::new(&app).await;
    let wrong = RpcKey { id: key.id.clone(), secret: "wrong".into() };
    let nobody = RpcKey { id: "LTAInobody".into(), secret: "x".into() };
    for action in &ACTIONS {
        let bare = own(&[("CoveredAction", action.name), ("Version", "2018-08-08"), REGION]);
        error(&send_query(&app, Method::GET, &bare).await, 400, "MissingAccessKeyId");
        let refused = action.call(&app, &wrong, &id).await;
        error(&refused, 400, "SignatureDoesNotMatch");
        assert_eq!(entry(&app, &refused).await, format!("{} refused", action.operation));
        error(&action.call(&app, &nobody, &id).await, 403, "InvalidAccessKeyId.NotFound");
        let other_scope = if action.scope == "read" { "write" } else { "read" };
        let narrow = RpcKey::of(&app, TEAM, &json!({"scopes": [other_scope]})).await;
        let refused = action.call(&app, &narrow, &id).await;
        let told = error(&refused, 403, "Forbidden.SubUser");
        assert!(told["Message"].as_str().unwrap().contains(action.scope), "{told}");
        assert_eq!(entry(&app, &refused).await, format!("{TEAM} {} refused", action.operation));
    }
    assert_eq!((app.creations().await, app.only_cache().await["status"].as_str()), (1, Some("ready")));
}

#[tokio::test]
async fn what_is_another_teams_is_as_if_it_were_absent() {
    let app = TestGateway::start().await;
    let id = owned(&app).await;
    let other = RpcKey::of(&app, "other", &json!({})).await;
    let absent = "imc-2zeabsentabsentabsen";
    for action in ACTIONS.iter().filter(|action| (action.params)("").iter().any(|(name, _)| *name == "ImageCacheId")) {
        let mut answers = Vec::new();
        for id in [id.as_str(), absent] {
            let answer = action.call(&app, &other, id).await;
            let request_id = answer.header("x-request-id").to_owned();
            answers.push((answer.status, answer.text.replace(&request_id, "").replace(id, "")));
        }
        assert_eq!(answers[0], answers[1], "{}", action.name);
    }
    assert_eq!(app.only_cache().await["status"], "ready", "nothing has moved");
}

#[tokio::test]
async fn the_team_itself_gets_in() {
    let app = TestGateway::start().await;
    let id = owned(&app).await;
    let key = RpcKey::new(&app).await;
    for action in &ACTIONS {
        let answer = action.call(&app, &key, &id).await;
        success(&answer);
        if action.name == "UpdateImageCache" {
            let ours = app.items("/v1/image-caches").await;
            let ours = ours.iter().find(|cache| cache["eci_cache_id"] == id.as_str()).unwrap();
            app.until(ours["id"].as_str().unwrap(), "ready").await;
        }
    }
}

#[tokio::test]
async fn a_rotated_key_signs_with_both_secrets_for_a_while() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let usage = &ACTIONS[4];
    let path = format!("/v1/access-keys/{}/rotate", key.id);
    let rotate = async |hours: u32| {
        let token = app.token(TEAM, &eci_cache_gateway::domain::identity::caller::Scope::ALL);
        let request = app.bare(Method::POST, &path).bearer_auth(token).json(&json!({"keep_old_hours": hours}));
        let turned = Answer::of(request).await.expect(200);
        let secret = turned["access_key_secret"].as_str().unwrap().to_owned();
        (RpcKey { id: key.id.clone(), secret: secret.into() }, turned)
    };
    let (second, turned) = rotate(1).await;
    assert_eq!(turned["old_secret_until"], json!(app.now() + chrono::Duration::hours(1)));
    for key in [&key, &second] {
        success(&usage.call(&app, key, "").await);
    }
    app.advance(3_600);
    error(&usage.call(&app, &key, "").await, 400, "SignatureDoesNotMatch");
    success(&usage.call(&app, &second, "").await);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(previous_secret) FROM access_keys").await, 0, "wiped");
    let (third, turned) = rotate(0).await;
    assert!(turned.get("old_secret_until").is_none(), "{turned}");
    error(&usage.call(&app, &second, "").await, 400, "SignatureDoesNotMatch");
    success(&usage.call(&app, &third, "").await);
}
