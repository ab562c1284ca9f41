//! The printed RAM policy: with it everything works; without one of its rights, that action is refused, and reported by
//! the doctor and to callers.
#![cfg(test)]

use eci_cache_gateway::app::cloud_accounts::doctor::RightVerdict;
use eci_cache_gateway::eci::Action;
use eci_cache_gateway::eci::ram::{RIGHTS, RamResource, Right};
use serde_json::{Value, json};

use super::{ROLE, examined, give, give_printed, missing, start};
use crate::platform::cloud_accounts::{account, put};
use crate::rpc::client::{RpcKey, error};
use crate::support::gateway::TestGateway;
use crate::support::setup::{KEY, SECOND};

const USAGE: &str = "/v1/usage?region=cn-beijing";

/// Everything that a gateway does in the cloud: create, track, read, compare, update, delete.
async fn live(app: &TestGateway) {
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}");
    app.until(&id, "ready").await;
    app.get(&format!("{path}/provider-record")).await.expect(200);
    app.get(USAGE).await.expect(200);
    app.patch(&path, &json!({"images": ["nginx:1.28"]})).await;
    app.drain().await;
    app.until(&id, "ready").await;
    app.advance(661);
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    let deleted = app.delete(&path).await;
    assert!([200, 202, 204].contains(&deleted.status), "{deleted:?}");
    app.until(&id, "deleted").await;
}

#[tokio::test]
async fn with_exactly_the_printed_policy_everything_works() {
    for role in [None, Some("caches")] {
        let app = start(role).await;
        give_printed(&app, None).await;
        live(&app).await;
        let report = examined(&app, true).await;
        assert!(report.is_fine() && missing(&report).is_empty(), "{report:#?}");
        let ledger = app.ledger().await;
        let count = |list: &str| ledger[list].as_array().unwrap().len();
        assert_eq!((count("created"), count("updated"), count("deleted")), (1, 1, 1), "asking has no effect: {ledger}");
    }
}

#[tokio::test]
async fn the_printed_policy_is_as_narrow_as_the_cloud_allows() {
    let app = start(Some("caches")).await;
    let report = examined(&app, false).await;
    assert_eq!(report.policies[0].attach_to, "the RAM user of the access key");
    assert_eq!(report.policies[1].attach_to, format!("the role {ROLE}"));
    assert_eq!(
        serde_json::to_value(&report.policies[0].document).unwrap(),
        json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [ROLE]}]})
    );
    assert_eq!(
        serde_json::to_value(&report.policies[1].document).unwrap(),
        json!({"Version": "1", "Statement": [
            {"Effect": "Allow", "Action": ["eci:CreateImageCache", "eci:DescribeImageCaches", "eci:UpdateImageCache",
                "eci:DeleteImageCache"], "Resource": ["acs:eci:cn-beijing:1:imagecache/*"]},
            {"Effect": "Allow", "Action": ["eci:ListUsage"], "Resource": ["*"]},
        ]})
    );
}

/// What a caller is told if a request failed because the gateway lacks a right.
fn is_operators(problem: &Value) {
    assert_eq!((&problem["cause"], &problem["retryable"]), (&json!("permission"), &json!(false)), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("tell the gateway's administrators"), "{problem}");
    assert!(!problem.to_string().contains(KEY), "{problem}");
}

/// A gateway with a ready cache, whose key then loses the right.
async fn without(right: &Right) -> (TestGateway, String) {
    let app = start(None).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    give_printed(&app, Some(right)).await;
    let report = examined(&app, true).await;
    assert_eq!(missing(&report), [right.name()], "{report:#?}");
    let check = report.checks.iter().find(|check| check.verdict == RightVerdict::Missing).unwrap();
    assert_eq!((check.code.as_deref(), check.region.as_deref()), (Some("Forbidden.RAM"), Some("cn-beijing")));
    assert!(check.detail.as_ref().unwrap().contains("ImplicitDeny") && check.request_id.is_some(), "{check:?}");
    assert!(!report.is_fine());
    (app, format!("/v1/image-caches/{id}"))
}

fn right(action: Action) -> &'static Right {
    Right::to(action).unwrap()
}

#[tokio::test]
async fn without_the_right_to_create_a_create_is_refused_and_told() {
    let (app, _) = without(right(Action::Create)).await;
    is_operators(&app.create("nginx:1.29").await.problem(403, "cloud_refused"));
    assert_eq!(app.creations().await, 1);
    let key = RpcKey::new(&app).await;
    let new = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
    // With the cloud's own message, a caller would suspect their own key's rights.
    let refused = error(&key.post(&app, "CreateImageCache", &new).await, 503, "ServiceUnavailable");
    let message = refused["Message"].as_str().unwrap();
    assert!(message.contains("Forbidden.RAM") && message.contains("Your key is valid"), "{message}");
}

#[tokio::test]
async fn without_the_right_to_delete_a_delete_is_refused_and_told() {
    let (app, path) = without(right(Action::Delete)).await;
    is_operators(&app.delete(&path).await.problem(403, "cloud_refused"));
    assert_eq!(app.get(&path).await.expect(200)["status"], "ready");
    assert_eq!(app.ledger().await["deleted"], json!([]));
}

#[tokio::test]
async fn without_the_right_to_update_an_update_is_refused_and_told() {
    let (app, path) = without(right(Action::Update)).await;
    is_operators(&app.patch(&path, &json!({"images": ["nginx:1.28"]})).await.problem(403, "cloud_refused"));
    assert_eq!(app.get(&path).await.expect(200)["images"], json!(["nginx:1.27"]));
    assert_eq!(app.ledger().await["updated"], json!([]));
}

#[tokio::test]
async fn without_the_right_to_look_nothing_is_taken_for_gone() {
    let (app, path) = without(right(Action::Describe)).await;
    for _ in 0..3 {
        app.advance(3_600);
        app.drain().await;
        // It fails, or postpones the group: either way nothing is concluded.
        let _compared = app.gateway.reconciler().reconcile().await;
    }
    assert_eq!(app.get(&path).await.expect(200)["status"], "ready");
}

#[tokio::test]
async fn without_the_right_to_the_usage_it_is_refused_and_told() {
    let (app, _) = without(right(Action::Usage)).await;
    is_operators(&app.get(USAGE).await.problem(403, "cloud_refused"));
}

#[tokio::test]
async fn without_the_right_to_the_role_nothing_is_sent_and_that_is_told() {
    let app = start(Some("caches")).await;
    give_printed(&app, Some(right(Action::AssumeRole))).await;
    let report = examined(&app, true).await;
    assert_eq!((missing(&report), report.checks.len()), (vec!["sts:AssumeRole".to_owned()], 1), "{report:#?}");
    assert_eq!(report.checks[0].code.as_deref(), Some("NoPermission"));
    let cache = app.create("nginx:1.27").await.expect(202);
    let operation = app.get(&format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(operation["waits_for"], "cloud_credentials");
    // Once the operator has fixed it, it continues.
    give_printed(&app, None).await;
    app.until(cache["id"].as_str().unwrap(), "ready").await;
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn a_policy_for_another_region_or_account_and_a_denial_are_told_as_missing() {
    let app = start(None).await;
    let all: Vec<String> = RIGHTS.iter().map(Right::name).collect();
    let caches: Vec<String> =
        RIGHTS.iter().filter(|right| right.on == RamResource::ImageCaches).map(Right::name).collect();
    for resource in
        ["acs:eci:cn-shanghai:*:imagecache/*", "acs:eci:cn-beijing:4711:imagecache/*", "acs:eci:*:*:containergroup/*"]
    {
        let policy = json!({"Version": "1", "Statement": [
            {"Effect": "Allow", "Action": "eci:*", "Resource": resource},
            {"Effect": "Allow", "Action": "eci:ListUsage", "Resource": "*"}]});
        give(&app, KEY, &policy).await;
        assert_eq!(missing(&examined(&app, true).await), caches, "{resource}");
    }
    let denied = json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["eci:delete*", "eci:?istUsage"], "Resource": "*"}]});
    give(&app, KEY, &denied).await;
    let report = examined(&app, true).await;
    assert_eq!(missing(&report), ["eci:DeleteImageCache", "eci:ListUsage"]);
    let told = report.checks.iter().filter_map(|check| check.detail.as_deref());
    assert!(told.into_iter().all(|detail| detail.contains("ExplicitDeny")), "{report:#?}");
    assert!(all.len() > caches.len());
}

#[tokio::test]
async fn each_account_has_its_own_policy_and_its_own_verdict() {
    let app = start(None).await;
    put(&app, &account(SECOND)).await;
    give(&app, SECOND.0, &json!({"Version": "1", "Statement": []})).await;
    let (reports, unread) = app.gateway.cloud_accounts().examine_cloud(&[], true).await;
    assert!(unread.is_none() && reports.len() == 2, "{reports:#?}");
    assert!(reports[0].is_fine(), "{:#?}", reports[0]);
    let of_region: Vec<String> = RIGHTS.iter().filter(|right| right.on != RamResource::Role).map(Right::name).collect();
    assert_eq!((reports[1].account.as_str(), missing(&reports[1])), ("second", of_region));
    let shown = format!("{reports:?} {}", serde_json::to_string(&reports).unwrap());
    for secret in [SECOND.1, SECOND.0, KEY, crate::support::gateway::CLOUD_SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_the_cloud_does_not_take_is_not_called_a_right_that_is_missing() {
    let app = start(None).await;
    for code in ["InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch"] {
        app.fault(&json!({"kind": "error", "http": 404, "code": code, "times": 6})).await;
        let report = examined(&app, true).await;
        assert!(report.checks.iter().all(|check| check.verdict == RightVerdict::Unknown), "{report:#?}");
        assert!(report.checks[0].detail.as_ref().unwrap().contains("does not accept the access key"));
    }
    for kind in ["garbage", "throttle", "reset"] {
        app.fault(&json!({"kind": kind, "times": 6})).await;
        let report = examined(&app, true).await;
        assert!(!report.is_fine() && missing(&report).is_empty(), "{kind}: {report:#?}");
    }
}
