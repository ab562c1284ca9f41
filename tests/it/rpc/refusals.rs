//! Refusals, with the cloud's codes and in its format.
#![cfg(test)]

use reqwest::Method;
use serde_json::json;

use super::client::{RpcKey, encoded, error, own, send_form, send_query, success};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

const DESCRIBE: &str = "DescribeImageCaches";
const REGION: (&str, &str) = ("RegionId", "cn-beijing");

#[tokio::test]
async fn who_is_not_let_in() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let good = || key.unsigned(&app, DESCRIBE, &[REGION]);
    let send = async |pairs| send_query(&app, Method::GET, &key.sign("GET", pairs)).await;
    success(&send(good()).await);

    let wrong = RpcKey { id: key.id.clone(), secret: "wrong".into() };
    let refused = error(&wrong.get(&app, DESCRIBE, &[REGION]).await, 400, "SignatureDoesNotMatch");
    let message = refused["Message"].as_str().unwrap();
    // What the SDKs compare with what they signed.
    let (_, shown) = message.split_once("server string to sign is:").unwrap();
    assert!(shown.starts_with("GET&%2F&AccessKeyId%3D") && shown.contains(&key.id), "{message}");
    let (_, after) = message.split_once(':').unwrap();
    assert_eq!(after, shown, "an old SDK takes what stands behind the first colon");
    let nobody = RpcKey { id: "LTAInobody".into(), secret: "x".into() };
    error(&nobody.get(&app, DESCRIBE, &[REGION]).await, 403, "InvalidAccessKeyId.NotFound");
    let odd = RpcKey { id: "no key at all\0".into(), secret: "x".into() };
    error(&odd.get(&app, DESCRIBE, &[REGION]).await, 403, "InvalidAccessKeyId.NotFound");

    let mut changed = key.sign("GET", good());
    changed[0].1 = "cn-hangzhou".to_owned();
    error(&send_query(&app, Method::GET, &changed).await, 400, "SignatureDoesNotMatch");
    let mut doubled = key.sign("GET", good());
    doubled.extend(own(&[REGION]));
    error(&send_query(&app, Method::GET, &doubled).await, 400, "InvalidParameter");
    let once = key.sign("GET", good());
    success(&send_query(&app, Method::GET, &once).await);
    error(&send_query(&app, Method::GET, &once).await, 400, "SignatureNonceUsed");
    for (shift, code) in [(-901, "InvalidTimeStamp.Expired"), (901, "InvalidTimeStamp.Expired")] {
        let mut stale = good();
        app.advance(shift);
        stale[8].1.clone_from(&good()[8].1);
        app.advance(-shift);
        assert_eq!(stale[8].0, "Timestamp");
        error(&send(stale).await, 400, code);
    }
    for (parameter, value, status, code) in [
        ("Action", "Nonsense", 400, "InvalidApi.NotFound"),
        ("Version", "2014-05-26", 400, "InvalidVersion"),
        ("Format", "YAML", 400, "InvalidParameter.Format"),
        ("SignatureNonce", "a\0b", 400, "InvalidParameter"),
        ("ImageCacheName", "a\0b", 400, "InvalidParameter"),
        ("RegionId", "", 400, "MissingParameter"),
    ] {
        let mut pairs = good();
        pairs.retain(|(key, _)| key != parameter);
        pairs.extend(own(&[(parameter, value)]));
        error(&send(pairs).await, status, code);
    }
}

#[tokio::test]
async fn the_shape_holds_whoever_refuses() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    error(&Answer::of(app.bare(Method::GET, "/")).await, 400, "MissingAccessKeyId");
    error(&Answer::of(app.bare(Method::PUT, "/")).await, 405, "UnsupportedHTTPMethod");
    let large = key.sign("POST", key.unsigned(&app, DESCRIBE, &[("ImageCacheName", &"x".repeat((1 << 20) + 1))]));
    error(&send_form(&app, &large).await, 413, "RequestEntityTooLarge");
    let kind = app.bare(Method::POST, "/").header("content-type", "text/plain").body("a=b");
    error(&Answer::of(kind).await, 415, "UnsupportedMediaType");
    sqlx::query("ALTER TABLE access_keys RENAME TO away").execute(app.sql()).await.unwrap();
    let failed = error(&key.get(&app, DESCRIBE, &[REGION]).await, 500, "InternalError");
    assert!(!failed.to_string().contains("away") && !failed.to_string().contains("access_keys"), "{failed}");
    let sql =
        "SELECT concat_ws(' ', action, outcome, http_status, code) FROM audit_entries WHERE door = 'rpc' ORDER BY seq";
    let trail: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap();
    assert_eq!(
        trail,
        [
            "unknown_action refused 400 MissingAccessKeyId",
            "unknown_action refused 405 UnsupportedHTTPMethod",
            "unknown_action refused 413 RequestEntityTooLarge",
            "unknown_action refused 415 UnsupportedMediaType",
            "list_image_caches failed 500 InternalError",
        ]
    );
}

#[tokio::test]
async fn nothing_is_said_that_is_not_audited() {
    let app = TestGateway::with(Setup::default()).await;
    let key = RpcKey::new(&app).await;
    sqlx::query("ALTER TABLE audit_entries RENAME TO away").execute(app.sql()).await.unwrap();
    error(&key.get(&app, DESCRIBE, &[REGION]).await, 503, "ServiceUnavailable");
}

#[tokio::test]
async fn limits_are_told_in_the_wires_words() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for (parameter, value, told) in [
        ("ImageCacheSize", "19", "ImageCacheSize"),
        ("RetentionDays", "many", "RetentionDays"),
        ("Image.2", "a b", "Image.2"),
        ("Tag.1.Key", "acs:x", "Tag"),
        ("Flash", "perhaps", "Flash"),
        ("ImageRegistryCredential.1.Server", "a.example", "ImageRegistryCredential.1.Password"),
    ] {
        let params = [REGION, ("ImageCacheName", "web"), ("Image.1", "nginx"), (parameter, value)];
        let answer = key.post(&app, "CreateImageCache", &params).await;
        let body = answer.expect(400);
        let code = body["Code"].as_str().unwrap();
        assert!(["InvalidParameter", "MissingParameter"].contains(&code), "{body}");
        assert!(body["Message"].as_str().unwrap().contains(told), "{told} in {body}");
    }
    error(&key.post(&app, "CreateImageCache", &[REGION, ("Image.1", "a")]).await, 400, "MissingParameter");
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn xml_is_answered_in_xml() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let xml = ("Format", "XML");
    let made =
        key.post(&app, "CreateImageCache", &[REGION, xml, ("ImageCacheName", "web"), ("Image.1", "nginx")]).await;
    assert_eq!((made.status, made.header("content-type")), (200, "text/xml;charset=utf-8"));
    assert!(made.text.contains("<CreateImageCacheResponse><RequestId>req_"), "{made:?}");
    let list = key.get(&app, DESCRIBE, &[REGION, xml]).await;
    assert!(list.text.contains("<ImageCaches><") && list.text.contains("<Images>nginx</Images>"), "{list:?}");
    let refused = key.get(&app, "Nonsense", &[xml]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("<Error><RequestId>") && refused.text.contains("<Code>InvalidApi.NotFound</Code>"));
    let large = "x".repeat((1 << 20) + 1);
    let form = app.bare(Method::POST, &format!("/?{}", encoded(&own(&[xml])))).body(large);
    let refused = Answer::of(form.header("content-type", "application/x-www-form-urlencoded")).await;
    assert!(refused.status == 413 && refused.text.contains("<Code>RequestEntityTooLarge</Code>"), "{refused:?}");
}

#[tokio::test]
async fn v3_is_taken_in_query_and_form() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let params = [REGION, ("ImageCacheName", "a b+c"), ("Image.1", "nginx")];
    for form in [true, false] {
        success(&Answer::of(key.v3(&app, "CreateImageCache", &params, form)).await);
    }
    let page = success(&Answer::of(key.v3(&app, DESCRIBE, &[REGION, params[1]], false)).await);
    assert_eq!(page["TotalCount"], 2);
    let wrong = RpcKey { id: key.id.clone(), secret: "wrong".into() };
    error(&Answer::of(wrong.v3(&app, DESCRIBE, &[REGION], false)).await, 400, "SignatureDoesNotMatch");
    let extra = key.v3(&app, DESCRIBE, &[REGION], false).header("x-acs-unsigned", "x");
    error(&Answer::of(extra).await, 400, "IncompleteSignature");
    assert_eq!(json!(app.creations().await), json!(2));
}
