//! Which account a request is for, and that everything about an image cache is sent to its account.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::{account, account_with, calls, create_in, created, id, made_by, new_in, put, start};
use crate::platform::policy::{admin, register, rule};
use crate::rpc::client::{RpcKey, success};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};
use crate::support::setup::{KEY, SECOND, SECOND_NEXT};

#[tokio::test]
async fn each_cache_lives_in_its_account() {
    let app = start().await;
    let usual = app.created().await;
    let made = create_in(&app, "second", "nginx:1.27").await.expect(201);
    assert_eq!(
        (&made["cloud_account"], &app.cache(&usual).await["cloud_account"]),
        (&json!("second"), &json!("default"))
    );
    let other = id(&made);
    app.until(&usual, "ready").await;
    app.until(&other, "ready").await;
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (1, 1));
    assert!(calls(&app, SECOND.0, "DescribeImageCaches").await > 0, "followed with its own key");
    // Neither account lists the other's.
    for listed in ["default", "second"] {
        let found = app.items(&format!("/v1/image-caches?cloud_account={listed}")).await;
        assert_eq!((found.len(), &found[0]["cloud_account"]), (1, &json!(listed)));
    }
    let path = format!("/v1/image-caches/{other}");
    app.patch(&path, &json!({"images": ["nginx:1.28"]})).await.expect(200);
    app.until(&other, "ready").await;
    app.delete(&path).await.expect(200);
    app.until(&other, "deleted").await;
    for action in ["UpdateImageCache", "DeleteImageCache"] {
        assert_eq!((calls(&app, KEY, action).await, calls(&app, SECOND.0, action).await), (0, 1), "{action}");
    }
    // Each account has its own budget.
    assert_eq!(app.count("SELECT count(*) FROM cloud_budgets WHERE account IN ('default', 'second')").await, 2);
    app.until(&usual, "ready").await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_in_its_account() {
    let app = start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    let lost = id(&create_in(&app, "second", "nginx:1.27").await.expect(202));
    app.forget_tokens().await;
    app.advance(6 * 60);
    app.drain().await;
    app.advance(16 * 60);
    app.drain().await;
    app.until(&lost, "ready").await;
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (0, 1));
    assert_eq!(calls(&app, KEY, "DescribeImageCaches").await, 0);
}

#[tokio::test]
async fn ensure_and_dry_run_and_match_stay_in_one_account() {
    let app = start().await;
    app.created().await;
    let dry = app.post("/v1/image-caches/dry-run", &new_in("second", "nginx:1.27")).await.expect(200);
    assert_eq!((&dry["image_cache"]["cloud_account"], &dry["ensure_outcome"]), (&json!("second"), &json!("created")));
    let ensured = app.post("/v1/image-caches/ensure", &new_in("second", "nginx:1.27")).await.expect(201);
    let other = id(&ensured["image_cache"]);
    assert_eq!(made_by(&app, SECOND.0).await, 1);
    let again = app.post("/v1/image-caches/ensure", &new_in("second", "nginx:1.27")).await.expect(200);
    assert_eq!((&again["outcome"], &again["image_cache"]["id"]), (&json!("joined"), &json!(other)));
    app.until(&other, "ready").await;
    let question = |account: &str| json!({"region": "cn-beijing", "images": ["nginx:1.27"], "cloud_account": account});
    assert_eq!(app.post("/v1/matches", &question("second")).await.expect(200)["winner_id"], json!(other));
    assert_ne!(app.post("/v1/matches", &question("default")).await.expect(200)["winner_id"], json!(other));
}

#[tokio::test]
async fn usage_is_the_accounts() {
    let app = start().await;
    for image in ["nginx:1", "nginx:2"] {
        created(&app, image).await;
    }
    for (account, used) in [("second", 2), ("default", 0)] {
        let usage = app.get(&format!("/v1/usage?region=cn-beijing&cloud_account={account}")).await.expect(200);
        assert_eq!((&usage["cloud_account"], &usage["team_image_caches"]), (&json!(account), &json!(used)));
        assert_eq!(usage["attributes"]["UsedImageCacheCount"].as_f64(), Some(f64::from(used)));
    }
}

/// The problem without what differs in every response.
fn told(answer: &Answer) -> String {
    answer.problem(422, "invalid_request");
    answer.text.replace(answer.header("x-request-id"), "")
}

#[tokio::test]
async fn a_team_hears_of_no_account_that_it_may_not_use() {
    let app = start().await;
    register(&app, &json!({"cloud_accounts": ["default", "third"]})).await;
    let bodies = |account: &str| {
        [
            (Method::POST, "/v1/image-caches", new_in(account, "nginx:1")),
            (Method::POST, "/v1/image-caches/ensure", new_in(account, "nginx:1")),
            (Method::POST, "/v1/image-caches/dry-run", new_in(account, "nginx:1")),
            (
                Method::POST,
                "/v1/image-caches/adopt",
                json!({"region": "cn-beijing", "filter": {}, "cloud_account": account}),
            ),
        ]
    };
    let ask = async |account: &str| {
        let mut answers = Vec::new();
        for (method, path, body) in bodies(account) {
            let request = app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL)).json(&body);
            answers.push(told(&Answer::of(request).await));
        }
        answers.push(told(&app.get(&format!("/v1/usage?region=cn-beijing&cloud_account={account}")).await));
        answers
    };
    let forbidden = ask("second").await;
    assert_eq!(forbidden, ask("nobodys").await, "one that is there is as one that is not");
    for answer in &forbidden {
        let problem: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(problem["errors"][0]["pointer"], "/cloud_account", "{problem}");
        assert_eq!(problem["errors"][0]["detail"], "must be one of default");
    }
    // Nor is a forbidden account used by another request: nothing was sent.
    assert_eq!(app.creations().await, 0);
    let other = app.bare(Method::POST, "/v1/image-caches").bearer_auth(app.token("other", &[Scope::Write]));
    let made = Answer::of(other.json(&new_in("second", "nginx:1"))).await.expect(201);
    assert_eq!(made["cloud_account"], "second");
}

#[tokio::test]
async fn the_only_account_of_a_team_goes_without_saying() {
    let app = start().await;
    register(&app, &json!({"cloud_accounts": ["second"], "vswitch_ids": ["*"]})).await;
    let profile = json!({"security_group_id": "sg-second"});
    admin(&app, Method::PUT, "/v1/region-profiles/second:cn-beijing", Some(&profile)).await.expect(200);
    let profile = json!({"security_group_id": "sg-default"});
    admin(&app, Method::PUT, "/v1/region-profiles/default:cn-beijing", Some(&profile)).await.expect(200);
    let made = app.create("nginx:1.27").await.expect(201);
    assert_eq!((&made["cloud_account"], &made["security_group_id"]), (&json!("second"), &json!("sg-second")));
    // The cloud's own API has no parameter for it: the same rule applies.
    let key = RpcKey::new(&app).await;
    let new = [("RegionId", "cn-beijing"), ("ImageCacheName", "rpc"), ("Image.1", "redis:7")];
    success(&key.post(&app, "CreateImageCache", &new).await);
    success(&key.post(&app, "ListUsage", &[("RegionId", "cn-beijing")]).await);
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (0, 2));
    assert_eq!((calls(&app, KEY, "ListUsage").await, calls(&app, SECOND.0, "ListUsage").await), (0, 1));
    // With two, none of them is the default: that of the settings is, and it is refused.
    rule(&app, &json!({"cloud_accounts": ["second", "third"]})).await;
    app.create("nginx:1.28").await.problem(403, "policy_refused");
    let problem = app.get("/v1/usage?region=cn-beijing").await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/cloud_account", "{problem}");
    let made = create_in(&app, "second", "nginx:1.28").await.expect(201);
    assert_eq!(made["cloud_account"], "second");
}

#[tokio::test]
async fn an_account_is_used_in_its_regions_only() {
    let app = TestGateway::start().await;
    put(&app, &account_with(SECOND, &json!({"regions": ["cn-hangzhou"]}))).await;
    let problem = create_in(&app, "second", "nginx:1").await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/region", "{problem}");
    let mut body = new_in("second", "nginx:1");
    body["region"] = json!("cn-hangzhou");
    app.post("/v1/image-caches", &body).await.expect(201);
    assert_eq!(made_by(&app, SECOND.0).await, 1);
}

#[tokio::test]
async fn new_credentials_are_used_by_every_gateway() {
    let app = start().await;
    let second = app.second_gateway(Setup::default()).await;
    for (gateway, image) in [(&app, "nginx:1"), (&second, "nginx:2")] {
        created(gateway, image).await;
    }
    assert_eq!(made_by(&app, SECOND.0).await, 2);
    assert_eq!(put(&app, &account(SECOND_NEXT)).await["access_key_id"], SECOND_NEXT.0);
    created(&app, "nginx:3").await;
    assert_eq!(made_by(&app, SECOND_NEXT.0).await, 1, "here at once");
    app.advance(2);
    let late = created(&second, "nginx:4").await;
    assert_eq!((made_by(&app, SECOND.0).await, made_by(&app, SECOND_NEXT.0).await), (2, 2));
    let before = calls(&app, SECOND.0, "DescribeImageCaches").await;
    second.until(&late, "ready").await;
    assert_eq!(calls(&app, SECOND.0, "DescribeImageCaches").await, before, "the tracker goes with it");
}

#[tokio::test]
async fn while_the_accounts_cannot_be_read_what_is_known_of_them_goes_on() {
    let app = start().await;
    let id = created(&app, "nginx:1").await;
    sqlx::query("ALTER TABLE cloud_accounts RENAME TO away").execute(app.sql()).await.unwrap();
    let mut looks = calls(&app, SECOND.0, "DescribeImageCaches").await;
    for _ in 0..3 {
        app.advance(60);
        while app.gateway.tracker().track().await.unwrap() {}
        let now = calls(&app, SECOND.0, "DescribeImageCaches").await;
        assert!(now > looks || app.cache(&id).await["status"] == "ready", "it is looked at with what was read last");
        looks = now;
    }
    assert!(create_in(&app, "second", "nginx:2").await.status >= 500);
    assert_eq!(made_by(&app, SECOND.0).await, 1, "nothing new is begun");
    sqlx::query("ALTER TABLE away RENAME TO cloud_accounts").execute(app.sql()).await.unwrap();
    created(&app, "nginx:2").await;
}

#[tokio::test]
async fn an_account_may_assume_a_role() {
    let app = TestGateway::start().await;
    let role = json!({"role": {"arn": "acs:ram::2:role/external-canary-external-id-3c55", "external_id": "canary-external-id-3c55"}});
    let made = put(&app, &account_with(SECOND, &role)).await;
    let arn = &role["role"]["arn"];
    let shown =
        json!({"arn": arn, "session_name": "eci-cache-gateway", "duration_seconds": 3_600, "has_external_id": true});
    assert_eq!(made["role"], shown);
    let first = created(&app, "nginx:1").await;
    app.until(&first, "ready").await;
    assert_eq!(calls(&app, SECOND.0, "AssumeRole").await, 1, "one session for all calls");
    // What is left out is kept, as long as the role is the same.
    let kept = json!({"access_key_id": SECOND.0, "role": {"arn": arn}});
    assert_eq!(put(&app, &kept).await["role"]["has_external_id"], true);
    created(&app, "nginx:2").await;
    assert_eq!(calls(&app, SECOND.0, "AssumeRole").await, 2);
    let other = account_with(SECOND, &json!({"role": {"arn": "acs:ram::2:role/caches"}}));
    assert_eq!(put(&app, &other).await["role"]["has_external_id"], false);
    created(&app, "nginx:3").await;
    assert_eq!((made_by(&app, KEY).await, made_by(&app, SECOND.0).await), (0, 3));
}
