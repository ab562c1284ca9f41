//! Requests captured from two generations of the Python SDK: their signatures are valid, and all their parameters are
//! understood.
#![cfg(test)]

use eci_cache_gateway::domain::image_cache::spec::ImageCacheSpec;
use eci_cache_gateway::eci::incoming::{Incoming, RawRequest};
use eci_cache_gateway::eci::params::read::{read_create, read_describe};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::client::{Pairs, RpcKey, encoded, error, nonce, own, success};
use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;

/// Parameters that differ in each request.
const STALE: [&str; 4] = ["AccessKeyId", "Signature", "SignatureNonce", "Timestamp"];
/// When they were captured.
const CAPTURED: &str = "2026-11-20T23:55:31Z";

fn recorded() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/golden_requests.json")).unwrap();
    file["requests"].as_array().unwrap().clone()
}

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request[name].as_str().unwrap()
}

fn headers(request: &Value) -> Pairs {
    let pair = |header: &Value| (header[0].as_str().unwrap().to_lowercase(), header[1].as_str().unwrap().to_owned());
    request["headers"].as_array().unwrap().iter().map(pair).collect()
}

fn decoded(encoded: &str) -> Pairs {
    url::form_urlencoded::parse(encoded.as_bytes()).into_owned().collect()
}

fn value<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The recorded digest is invalid, and is replaced by a valid one.
const SHORT: &str = "sha256:abc";
const DIGITS: &str = "0123456789abcdef";

fn whole() -> String {
    format!("sha256:{}", DIGITS.repeat(4))
}

/// The same request with our key, signed now. `id` is the cache that it is about.
async fn replay(app: &TestGateway, key: &RpcKey, request: &Value, id: &str) -> Answer {
    let mut query = decoded(text(request, "raw_query"));
    query.retain(|(name, _)| !STALE.contains(&name.as_str()));
    for (name, value) in &mut query {
        if name == "ImageCacheId" {
            id.clone_into(value);
        }
        *value = value.replace(SHORT, &whole());
    }
    if text(request, "signature_scheme").starts_with("V3") {
        replay_v3(app, key, request, query).await
    } else {
        replay_v1(app, key, request, query).await
    }
}

async fn replay_v1(app: &TestGateway, key: &RpcKey, request: &Value, mut query: Pairs) -> Answer {
    let now = app.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    query.extend(own(&[("AccessKeyId", &key.id), ("SignatureNonce", &nonce()), ("Timestamp", &now)]));
    let body = text(request, "body").replace("sha256%3Aabc", &format!("sha256%3A{}", DIGITS.repeat(4)));
    let method = text(request, "method");
    let in_query = query.len();
    query.extend(decoded(&body));
    let mut signed = key.sign(method, query);
    let signature = signed.pop().unwrap();
    signed.truncate(in_query);
    signed.push(signature);
    let method: Method = method.parse().unwrap();
    let mut send = app.bare(method, &format!("/?{}", encoded(&signed)));
    for (name, value) in headers(request) {
        if name.starts_with("x-") || name == "content-type" {
            send = send.header(name, value);
        }
    }
    Answer::of(if body.is_empty() { send } else { send.body(body) }).await
}

async fn replay_v3(app: &TestGateway, key: &RpcKey, request: &Value, query: Pairs) -> Answer {
    let recorded = headers(request);
    let authorization = value(&recorded, "authorization").unwrap();
    let (_, rest) = authorization.split_once("SignedHeaders=").unwrap();
    let names: Vec<&str> = rest.split(',').next().unwrap().split(';').collect();
    let now = app.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fresh = |name: &str| match name {
        "host" => app.address.to_string(),
        "x-acs-date" => now.clone(),
        "x-acs-signature-nonce" => nonce(),
        "x-acs-accesskey-id" => key.id.clone(),
        _ => value(&recorded, name).unwrap().to_owned(),
    };
    let signed: Pairs = names.iter().map(|name| ((*name).to_owned(), fresh(name))).collect();
    Answer::of(key.sign_v3(app, &query, &signed, text(request, "body").to_owned())).await
}

/// What the creates of one SDK request, as it is stored.
fn rich(sdk: &str) -> Value {
    let mut spec = json!({
        "name": "测试 cache+1*~/a", "region": "cn-beijing",
        "images": ["registry-vpc.cn-beijing.aliyuncs.com/eci_open/nginx:1.15.10-perl", format!("docker.io/library/busybox@{}", whole())],
        "vswitch_ids": ["vsw-a", "vsw-b"], "security_group_id": "sg-uf66jeqopgqa9hdn0001", "eip_instance_id": "eip-1",
        "size_gib": 20, "retention_days": 7, "flash": true, "reuse_layers": true, "tags": {"imc": "", "键": "值"},
        "zone_id": "cn-beijing-g", "resource_group_id": "rg-1",
        "acr_registries": [{"instance_id": "cri-nwj395hgf6f30001", "instance_name": "n", "region_id": "cn-beijing",
            "domains": ["d1.cr.aliyuncs.com", "d2.cr.aliyuncs.com"]}],
        "plain_http_registries": ["harbor.pre.com", "192.168.0.1:5000"], "insecure_registries": ["h2"],
        "comment": null, "os_type": "linux", "standard_copy_count": 2, "flash_copy_count": 3,
        "elimination_strategy": "lru",
    });
    if sdk == "new-py" {
        let other = json!({
            "flash": false, "comment": "hide", "os_type": null, "plain_http_registries": ["h", "192.168.0.1:5000"],
            "acr_registries": [{"instance_id": "cri-1", "instance_name": "n", "region_id": "cn-beijing",
                "domains": ["d1.cr", "d2.cr"], "arn_service": "acs:ram::1:role/a", "arn_user": "acs:ram::2:role/b"}],
        });
        spec.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    }
    // Fields that none of them sets are stored as unset.
    let mut stored = json!(serde_json::from_value::<ImageCacheSpec>(spec).unwrap());
    // The version before this one reads it by the cloud's name.
    stored["annotations"] = stored.as_object_mut().unwrap().shift_remove("comment").unwrap();
    stored
}

/// The recorded request, parsed.
fn incoming(request: &Value) -> Incoming {
    let headers = headers(request);
    let read = Incoming::read(&RawRequest {
        method: text(request, "method"),
        path: text(request, "path"),
        query: text(request, "raw_query"),
        headers: &headers,
        body: text(request, "body").as_bytes(),
    });
    read.unwrap_or_else(|error| panic!("{}: {error}", request["label"]))
}

#[test]
fn every_recorded_signature_holds() {
    let captured: chrono::DateTime<chrono::Utc> = CAPTURED.parse().unwrap();
    for request in recorded() {
        let (label, incoming) = (text(&request, "label"), incoming(&request));
        assert_eq!(incoming.action, text(&request, "action"), "{label}");
        assert_eq!(incoming.security_token.is_some(), label.contains("STS"), "{label}");
        incoming.verify(&"testsecret".into()).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert!(incoming.verify(&"other".into()).is_err(), "{label}");
        incoming.check_time(captured).unwrap_or_else(|error| panic!("{label}: {error}"));
    }
}

#[test]
fn what_is_not_kept_is_understood_too() {
    for request in recorded() {
        let (label, params) = (text(&request, "label"), incoming(&request).params);
        if request["action"] == "CreateImageCache" {
            let (new, token) = read_create(&params).unwrap();
            let login = &new.registry_credentials[0];
            assert_eq!(token.as_deref(), Some("123e4567-xxx"), "{label}");
            assert_eq!((login.server.as_str(), login.user_name.as_str()), ("harbor.pre.com", "u ser"), "{label}");
            assert_eq!(login.password.expose_secret(), "p&ss=w+rd/*~", "{label}");
        }
        if label.ends_with("describe rich") {
            let filter = read_describe(&params).unwrap();
            assert_eq!((filter.eci_cache_id.as_deref(), filter.limit), (Some("imc-1"), 20), "{label}");
            assert_eq!(filter.match_images, ["nginx:1", "redis:2"], "{label}");
            assert_eq!((filter.image_full_match, filter.image_match_count), (true, Some(3)), "{label}");
            assert_eq!(filter.tags, [("a".to_owned(), Some("b".to_owned()))], "{label}");
        }
    }
}

#[tokio::test]
async fn every_recorded_create_is_understood_to_the_last_parameter() {
    for request in recorded().iter().filter(|request| request["action"] == "CreateImageCache") {
        let app = TestGateway::start().await;
        let key = RpcKey::new(&app).await;
        let label = text(request, "label");
        let made = success(&replay(&app, &key, request, "").await);
        let spec: Value = sqlx::query_scalar("SELECT spec FROM operations").fetch_one(app.sql()).await.unwrap();
        assert_eq!(spec, rich(text(request, "sdk")), "{label}");
        let seen = json!([made["ImageCacheId"], made["ContainerGroupId"]]);
        let cache = app.only_cache().await;
        assert_eq!(seen, json!([cache["eci_cache_id"], cache["container_group_id"]]), "{label}");
    }
}

#[tokio::test]
async fn every_other_recorded_request_is_understood() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let create = recorded().into_iter().find(|request| request["label"] == "old-py create rich").unwrap();
    let made = success(&replay(&app, &key, &create, "").await);
    let id = made["ImageCacheId"].as_str().unwrap();
    let ours = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.until(&ours, "ready").await;
    for request in recorded().iter().filter(|request| request["action"] != "CreateImageCache") {
        let (label, action) = (text(request, "label"), text(request, "action"));
        // The errors that the recording server had to return are deletes of ids that do not exist.
        let target = if action == "DeleteImageCache" { "imc-nobodys" } else { id };
        let answer = replay(&app, &key, request, target).await;
        match action {
            "DeleteImageCache" => drop(error(&answer, 404, "InvalidParameter.NotFound")),
            // It continues from a page of another server.
            _ if label.ends_with("describe rich") => drop(error(&answer, 400, "InvalidParameter")),
            _ => drop(success(&answer)),
        }
        if action == "UpdateImageCache" {
            let updated = app.until(&ours, "ready").await;
            let told = json!([updated["images"], updated["retention_days"], updated["elimination_strategy"]]);
            assert_eq!(told, json!([["nginx:2"], 3, "keep"]), "{label}");
        }
    }
}
