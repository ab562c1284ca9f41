//! Accounts managed by an administrator: added, shown without secrets, replaced, deleted when empty.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, account, account_with, create_in, created, put, start};
use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::setup::{SECOND, SECOND_NEXT};

async fn get(app: &TestGateway, path: &str) -> Answer {
    admin(app, Method::GET, path, None).await
}

async fn written(app: &TestGateway, body: &Value) -> Answer {
    admin(app, Method::PUT, PATH, Some(body)).await
}

#[tokio::test]
async fn an_account_is_shown_without_its_secrets() {
    let app = TestGateway::start().await;
    let more = json!({"regions": ["cn-beijing", "cn-beijing"], "api_endpoint": "https://eci.{region}.aliyuncs.com",
        "role": {"arn": "acs:ram::2:role/caches", "session_name": "web", "duration_seconds": 900, "external_id": "canary-external"}});
    let answer = written(&app, &account_with(SECOND, &more)).await;
    assert!(answer.header("etag").starts_with("\"v1-"));
    let made = answer.expect(200);
    let role = json!({"arn": "acs:ram::2:role/caches", "session_name": "web", "duration_seconds": 900, "has_external_id": true});
    let expected = json!({
        "name": "second", "managed_by": "api", "access_key_id": SECOND.0, "role": role, "regions": ["cn-beijing"],
        "api_endpoint": "https://eci.{region}.aliyuncs.com", "usable": true, "version": 1,
        "created_at": made["created_at"], "updated_at": made["created_at"],
    });
    assert_eq!(made, expected);
    let listed = get(&app, "/v1/cloud-accounts").await;
    let all = listed.expect(200);
    let own = json!({"name": "default", "managed_by": "settings", "access_key_id": "stand-in-key", "regions": [],
        "usable": true, "version": 0});
    assert_eq!(all["items"], json!([own, made]));
    let page = get(&app, "/v1/cloud-accounts?limit=1").await.expect(200);
    assert_eq!((&page["items"], &page["has_more"]), (&json!([own]), &json!(true)));
    let next = format!("/v1/cloud-accounts?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(get(&app, &next).await.expect(200)["items"], json!([made]));
    // Neither here nor in the audit.
    app.seal().await;
    let entries = app.bare(Method::GET, "/v1/audit-entries?action=put_cloud_account");
    let entries = Answer::of(entries.bearer_auth(app.token("platform", &Scope::ALL))).await;
    let parameters = &entries.expect(200)["items"][0]["parameters"];
    assert_eq!((&parameters["access_key_id"], &parameters["disabled"]), (&json!(SECOND.0), &json!("false")));
    for told in [&answer, &listed, &get(&app, PATH).await, &entries] {
        assert!(!told.text.contains(SECOND.1) && !told.text.contains("canary"), "{told:?}");
    }
    let plain = "SELECT count(*) FROM cloud_accounts WHERE position('canary' in encode(secret, 'escape')) > 0
        OR position('canary' in encode(external_id, 'escape')) > 0";
    assert_eq!(app.count(plain).await, 0);
}

#[tokio::test]
async fn a_put_replaces_by_its_version_and_keeps_the_secret() {
    let app = TestGateway::start().await;
    let put = async |tag: &str, body: &Value| {
        let request = app.bare(Method::PUT, PATH).bearer_auth(app.token("platform", &Scope::PLATFORM));
        Answer::of(request.header("if-match", tag).json(body)).await
    };
    put("\"v1\"", &account(SECOND)).await.problem(412, "precondition_failed");
    assert_eq!(put("\"v0\"", &account(SECOND)).await.expect(200)["version"], 1);
    put("\"v0\"", &account(SECOND_NEXT)).await.problem(412, "precondition_failed");
    let kept = json!({"access_key_id": SECOND.0, "regions": ["cn-beijing"]});
    assert_eq!(put("\"v1\"", &kept).await.expect(200)["version"], 2);
    created(&app, "nginx:1").await;
    // The secret of another key is not known.
    let problem = put("\"v2\"", &json!({"access_key_id": SECOND_NEXT.0})).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/access_key_secret");
    assert_eq!(get(&app, PATH).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn one_word_disables_an_account_and_all_else_of_it_stays() {
    let app = TestGateway::start().await;
    let role = json!({"arn": "acs:ram::2:role/caches", "session_name": "web", "external_id": "first"});
    let made = put(&app, &account_with(SECOND, &json!({"regions": ["cn-beijing"], "role": role}))).await;
    let patch = async |path: &str, body: Value| admin(&app, Method::PATCH, path, Some(&body)).await;
    let disabled = patch(PATH, json!({"disabled": true})).await;
    assert!(disabled.header("etag").starts_with("\"v2-"));
    let disabled = disabled.expect(200);
    assert_eq!((&disabled["usable"], disabled["disabled_at"].is_string()), (&json!(false), true));
    for kept in ["access_key_id", "role", "regions", "created_at"] {
        assert_eq!(disabled[kept], made[kept], "{kept}");
    }
    create_in(&app, "second", "nginx:1").await.problem(409, "cloud_account_disabled");
    assert_eq!(patch(PATH, json!({})).await.expect(200)["disabled_at"], disabled["disabled_at"]);
    let stale = app.bare(Method::PATCH, PATH).bearer_auth(app.token("platform", &Scope::PLATFORM));
    let stale = stale.header("if-match", "\"v2\"").json(&json!({"disabled": false}));
    Answer::of(stale).await.problem(412, "precondition_failed");
    let enabled = patch(PATH, json!({"disabled": false})).await.expect(200);
    assert_eq!((&enabled["usable"], enabled.get("disabled_at")), (&json!(true), None));
    let sql = "SELECT string_agg(parameters->>'disabled', ' ' ORDER BY seq) FROM audit_entries
        WHERE action = 'update_cloud_account' AND outcome = 'succeeded' AND resource = 'second'";
    let trail: String = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    assert_eq!(trail, "true false");
    let problem = patch(PATH, json!({"regions": []})).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/regions");
    patch("/v1/cloud-accounts/nobodys", json!({"disabled": true})).await.problem(404, "not_found");
    patch("/v1/cloud-accounts/default", json!({"disabled": true})).await.problem(409, "cloud_account_of_settings");
}

#[tokio::test]
async fn a_put_opens_no_region_by_leaving_them_out() {
    let app = TestGateway::start().await;
    let role = json!({"arn": "acs:ram::2:role/caches", "external_id": "first"});
    put(&app, &account_with(SECOND, &json!({"regions": ["cn-beijing"], "role": role}))).await;
    // The same external id is no change, so no secret is needed.
    let again = json!({"access_key_id": SECOND.0, "role": role, "disabled": true});
    let kept = put(&app, &again).await;
    assert_eq!((&kept["regions"], &kept["role"]["has_external_id"]), (&json!(["cn-beijing"]), &json!(true)));
    assert_eq!(put(&app, &account(SECOND)).await["regions"], json!(["cn-beijing"]), "with the secret neither");
    assert_eq!(put(&app, &account_with(SECOND, &json!({"regions": []}))).await["regions"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let usual = Setup::default().settings;
    let regions = vec!["cn-beijing".parse().unwrap()];
    let settings = eci_cache_gateway::app::GatewaySettings { regions, ..usual };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    for (body, field) in [
        (json!({"access_key_id": "a b", "access_key_secret": "s"}), "/access_key_id"),
        (json!({"access_key_id": "a"}), "/access_key_secret"),
        (json!({"access_key_id": "a", "access_key_secret": "with space"}), "/access_key_secret"),
        (account_with(SECOND, &json!({"regions": ["X"]})), "/regions/0"),
        (account_with(SECOND, &json!({"regions": ["cn-beijing", "cn-hangzhou"]})), "/regions/1"),
        (account_with(SECOND, &json!({"api_endpoint": "https://u:p@host"})), "/api_endpoint"),
        (account_with(SECOND, &json!({"role": {"arn": "nobody"}})), "/role/arn"),
        (
            account_with(SECOND, &json!({"role": {"arn": "acs:ram::1:role/r", "session_name": "x"}})),
            "/role/session_name",
        ),
        (
            account_with(SECOND, &json!({"role": {"arn": "acs:ram::1:role/r", "duration_seconds": 1}})),
            "/role/duration_seconds",
        ),
        (
            account_with(SECOND, &json!({"role": {"arn": "acs:ram::1:role/r", "external_id": "a b"}})),
            "/role/external_id",
        ),
    ] {
        let problem = written(&app, &body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    }
    assert_eq!(app.count("SELECT count(*) FROM cloud_accounts").await, 0);
    for path in ["/v1/cloud-accounts/Second", "/v1/cloud-accounts/nobodys"] {
        get(&app, path).await.problem(404, "not_found");
        admin(&app, Method::DELETE, path, None).await.problem(404, "not_found");
    }
    // Only the operator can change the account of the settings.
    let own = "/v1/cloud-accounts/default";
    assert_eq!(get(&app, own).await.expect(200)["managed_by"], "settings");
    admin(&app, Method::PUT, own, Some(&account(SECOND))).await.problem(409, "cloud_account_of_settings");
    admin(&app, Method::DELETE, own, None).await.problem(409, "cloud_account_of_settings");
}

#[tokio::test]
async fn an_account_with_something_in_it_stays() {
    let app = start().await;
    app.created().await;
    let cache = created(&app, "nginx:1").await;
    let delete = async || admin(&app, Method::DELETE, PATH, None).await;
    delete().await.problem(409, "cloud_account_in_use");
    app.until(&cache, "ready").await;
    delete().await.problem(409, "cloud_account_in_use");
    app.delete(&format!("/v1/image-caches/{cache}")).await.expect(200);
    app.until(&cache, "deleted").await;
    // A cache that the cloud refused never existed.
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "http": 400, "code": "InvalidParameter"})).await;
    assert!(create_in(&app, "second", "nginx:2").await.status >= 400);
    assert_eq!(delete().await.status, 204);
    delete().await.problem(404, "not_found");
    create_in(&app, "second", "nginx:3").await.problem(422, "invalid_request");
    // Its history is kept, and it may be added again.
    assert_eq!(app.cache(&cache).await["cloud_account"], "second");
    assert_eq!(put(&app, &account(SECOND)).await["version"], 1);
    created(&app, "nginx:4").await;
}

#[tokio::test]
async fn nothing_comes_about_in_an_account_that_was_removed_in_this_moment() {
    let app = start().await;
    let second = app.second_gateway(Setup::default()).await;
    create_in(&second, "second", "nginx:1").await.expect(201);
    let cache = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/v1/image-caches/{cache}")).await.expect(200);
    app.until(&cache, "deleted").await;
    second.get("/v1/usage?region=cn-beijing&cloud_account=second").await.expect(200);
    // The clock does not advance: the second gateway uses what it has read.
    assert_eq!(admin(&app, Method::DELETE, PATH, None).await.status, 204);
    let before = app.creations().await;
    create_in(&second, "second", "nginx:2").await.problem(409, "cloud_account_disabled");
    let ensure = second.post("/v1/image-caches/ensure", &super::new_in("second", "nginx:2")).await;
    ensure.problem(409, "cloud_account_disabled");
    assert_eq!((app.creations().await, app.count("SELECT count(*) FROM image_caches").await), (before, 1));
}
