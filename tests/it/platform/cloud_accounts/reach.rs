//! Where an account's calls may be sent: changes need its secret, only https is allowed, and only the cloud's own hosts
//! or those that the operator allows.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, account, account_with, create_in, put};
use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;
use crate::support::setup::{SECOND, SECOND_NEXT};

async fn written(app: &TestGateway, body: &Value) -> Answer {
    admin(app, Method::PUT, PATH, Some(body)).await
}

/// The fields that a response refuses.
#[track_caller]
fn refused(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(422, "invalid_request");
    let fields = problem["errors"].as_array().unwrap().iter();
    fields.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

const OURS: &str = "https://eci.{region}.aliyuncs.com";

#[tokio::test]
async fn address_and_role_change_only_together_with_the_secret() {
    let app = TestGateway::start().await;
    let role = json!({"arn": "acs:ram::2:role/caches", "external_id": "first"});
    put(&app, &account_with(SECOND, &json!({"role": role, "api_endpoint": OURS}))).await;
    let kept_role = json!({"arn": "acs:ram::2:role/caches"});
    let id = SECOND.0;
    let vpc = "https://eci-vpc.{region}.aliyuncs.com";
    for (body, fields) in [
        (json!({"access_key_id": id, "role": kept_role, "api_endpoint": vpc}), &["/api_endpoint"][..]),
        (json!({"access_key_id": id, "role": kept_role}), &["/api_endpoint"]),
        (json!({"access_key_id": id, "api_endpoint": OURS}), &["/role"]),
        (json!({"access_key_id": id, "api_endpoint": OURS, "role": {"arn": "acs:ram::9:role/mine"}}), &["/role"]),
        (
            json!({"access_key_id": id, "api_endpoint": OURS, "role": {"arn": "acs:ram::2:role/caches", "session_name": "other"}}),
            &["/role"],
        ),
        (
            json!({"access_key_id": id, "api_endpoint": OURS, "role": {"arn": "acs:ram::2:role/caches", "duration_seconds": 900}}),
            &["/role"],
        ),
        (
            json!({"access_key_id": id, "api_endpoint": OURS, "role": {"arn": "acs:ram::2:role/caches", "external_id": "next"}}),
            &["/role"],
        ),
        (
            json!({"access_key_id": id, "api_endpoint": OURS, "role": {"arn": "acs:ram::2:role/caches", "external_id": ""}}),
            &["/role"],
        ),
        (json!({"access_key_id": id}), &["/api_endpoint", "/role"]),
        (json!({"access_key_id": SECOND_NEXT.0, "role": kept_role, "api_endpoint": OURS}), &["/access_key_secret"]),
    ] {
        assert_eq!(refused(&written(&app, &body).await), fields, "{body}");
    }
    let problem = written(&app, &json!({"access_key_id": id, "role": kept_role, "api_endpoint": vpc}))
        .await
        .problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("access_key_secret"), "{problem}");
    // Changes that reach no other host need no secret.
    let kept = json!({"access_key_id": id, "role": kept_role, "api_endpoint": OURS, "regions": ["cn-beijing"], "disabled": true});
    let shown = written(&app, &kept).await.expect(200);
    assert_eq!((&shown["version"], &shown["role"]["has_external_id"]), (&json!(2), &json!(true)));
    let moved = account_with(SECOND, &json!({"api_endpoint": vpc}));
    assert_eq!(written(&app, &moved).await.expect(200)["api_endpoint"], vpc);
    // Nor can a key that had no role be given one.
    put(&app, &account(SECOND)).await;
    assert_eq!(refused(&written(&app, &json!({"access_key_id": id, "role": role})).await), ["/role"]);
}

#[tokio::test]
async fn an_address_is_https_and_the_clouds_own() {
    let app = TestGateway::start().await;
    for good in [
        OURS,
        "https://eci.cn-hangzhou.aliyuncs.com",
        "https://eci.cn-hangzhou.aliyuncs.com/",
        "https://eci-vpc.{region}.aliyuncs.com",
        "https://eci.aliyuncs.com",
        "https://ECI.CN-Hangzhou.Aliyuncs.com:443",
    ] {
        let shown = written(&app, &account_with(SECOND, &json!({"api_endpoint": good}))).await.expect(200);
        assert_eq!(shown["usable"], true, "{good}: {shown}");
    }
    let before = app.count("SELECT version FROM cloud_accounts").await;
    for bad in [
        "http://eci.cn-hangzhou.aliyuncs.com",
        "http://127.0.0.1:9",
        "https://127.0.0.1:9",
        "https://localhost",
        "https://[::1]",
        "https://2130706433",
        "https://100.100.100.200",
        "https://evil.example",
        "https://evil-aliyuncs.com",
        "https://eci.evil-aliyuncs.com",
        "https://aliyuncs.com",
        "https://aliyuncs.com.evil.example",
        "https://eci.aliyuncs.com.evil.example",
        "https://eci.aliyuncs.com@evil.example",
        "https://user@eci.aliyuncs.com",
        "https://u:p@eci.aliyuncs.com",
        "https://evil.example#eci.aliyuncs.com",
        "https://evil.example?eci.aliyuncs.com",
        "https://evil.example/eci.aliyuncs.com",
        "https://evil.example\\@eci.aliyuncs.com",
        "https://eci.aliyuncs.com:8443",
        "https://eci.aliyuncs.com:0",
        "https://eci.aliyuncs.com.",
        "https://eci.aliyuncs.com..",
        "https://.aliyuncs.com",
        "https://eci..aliyuncs.com",
        "https://eci.aliyuncs.com\t",
        " https://eci.aliyuncs.com",
        "https:eci.aliyuncs.com",
        "https:///eci.aliyuncs.com",
        "https://eci.\u{ff41}liyuncs.com",
        "https://eci.\u{430}liyuncs.com",
        "https://eci.xn--liyuncs-6fg.com",
        "https://eci.aliyuncs\u{3002}com",
        "https://eci%2ealiyuncs.com",
        "https://eci.{region}",
        "https://{region}.evil.example",
        "https://{region}",
        "https://{region}aliyuncs.com",
        "https://eci.aliyuncs.com.{region}",
        // Customers' own hosts are in that domain too.
        "https://mine.oss-cn-hangzhou.aliyuncs.com",
        "https://eci.mine.cn-hangzhou.alb.aliyuncs.com",
        "https://alb-1.cn-hangzhou.alb.aliyuncs.com",
        "https://sts.aliyuncs.com",
        "",
    ] {
        let body = account_with(SECOND, &json!({"api_endpoint": bad}));
        let answer = written(&app, &body).await;
        assert_eq!(refused(&answer), ["/api_endpoint"], "{bad}");
        assert!(!answer.text.contains("u:p"), "{answer:?}");
    }
    assert_eq!(app.count("SELECT version FROM cloud_accounts").await, before);
}

#[tokio::test]
async fn an_account_that_was_stored_with_another_address_is_told_and_not_used() {
    let app = TestGateway::start().await;
    put(&app, &account(SECOND)).await;
    let away = app.cloud();
    sqlx::query("UPDATE cloud_accounts SET endpoint = $1, version = version + 1")
        .bind(&away)
        .execute(app.sql())
        .await
        .unwrap();
    app.advance(2);
    let shown = admin(&app, Method::GET, PATH, None).await.expect(200);
    assert_eq!(shown["usable"], false, "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("api_endpoint"), "{shown}");
    let refused = create_in(&app, "second", "nginx:1").await;
    assert!(refused.status == 202 || refused.status >= 400, "{refused:?}");
    app.drain().await;
    assert_eq!(app.creations().await, 0, "nothing went there");
    // With the secret and a valid address, it is used again.
    put(&app, &account(SECOND)).await;
    create_in(&app, "second", "nginx:2").await.expect(201);
}
