//! Request bodies as clients and proxies send them: byte order marks, encodings, compression, nulls, and different
//! spellings of the same content.
#![cfg(test)]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::{TestGateway, new_cache};

const PATH: &str = "/v1/image-caches";

/// A create with these headers and bytes.
async fn send(app: &TestGateway, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let mut request = app.request(Method::POST, PATH).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

/// A create as JSON under a key.
async fn keyed(app: &TestGateway, key: &str, body: &str) -> Answer {
    send(app, &[JSON, ("idempotency-key", key)], body).await
}

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

#[tokio::test]
async fn a_mark_and_gzip_are_taken() {
    let app = TestGateway::start().await;
    let plain = new_cache("nginx").to_string();
    let marked = format!("\u{feff}{plain}");
    send(&app, &[JSON], marked.as_bytes()).await.expect(201);
    send(&app, &[JSON, GZIP], zipped(plain.as_bytes())).await.expect(201);
    send(&app, &[JSON, ("content-encoding", "identity")], plain.as_bytes()).await.expect(201);
    send(&app, &[("content-type", "application/json; charset=ISO-8859-1")], plain.as_bytes()).await.expect(201);
    assert_eq!(app.creations().await, 4);
    let asked =
        "SELECT count(*) FROM audit_entries WHERE action = 'create_image_cache' AND parameters ->> 'images' = 'nginx'
                 AND operation IS NOT NULL AND outcome = 'accepted'";
    assert_eq!(app.count(asked).await, 4, "the audit reads them, too");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let app = TestGateway::start().await;
    let plain = new_cache("nginx").to_string();
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin =
        plain.replace("web", "caf\u{e9}").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
    let bomb = zipped(&vec![b' '; 2 << 20]);
    for (headers, body, status, code, told) in [
        (vec![JSON], wide, 415, "unsupported_charset", "the body is UTF-16; it must be UTF-8"),
        (vec![JSON], latin, 415, "unsupported_charset", "the body is not valid UTF-8 from byte"),
        (
            vec![("content-type", "application/json; charset=utf-16")],
            plain.clone().into(),
            415,
            "unsupported_charset",
            "utf-16",
        ),
        (
            vec![JSON, ("content-encoding", "br")],
            plain.clone().into(),
            415,
            "unsupported_content_encoding",
            "br; it must be gzip",
        ),
        (vec![JSON, ("content-encoding", "zstd")], plain.clone().into(), 415, "unsupported_content_encoding", "zstd"),
        (vec![JSON, GZIP], plain.clone().into(), 400, "malformed_json", "not gzip"),
        (vec![JSON], zipped(plain.as_bytes()), 400, "malformed_json", "Content-Encoding: gzip"),
        (vec![JSON, GZIP], bomb, 413, "body_too_large", "bytes"),
        (vec![JSON], Vec::new(), 400, "malformed_json", "the body is empty"),
        (vec![JSON], b"null".to_vec(), 422, "invalid_request", "1 field is invalid"),
        (vec![], plain.clone().into(), 415, "unsupported_media_type", "there is no Content-Type"),
        (
            vec![("content-type", "text/plain")],
            plain.clone().into(),
            415,
            "unsupported_media_type",
            "Content-Type is text/plain",
        ),
        (
            vec![("content-type", "application/x-www-form-urlencoded")],
            plain.clone().into(),
            415,
            "unsupported_media_type",
            "x-www-form",
        ),
        (vec![JSON], format!("{plain}{plain}").into(), 400, "malformed_json", "after the end"),
    ] {
        let answer = send(&app, &headers, body).await;
        let problem = answer.problem(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
        let accepts = if code == "unsupported_content_encoding" { "gzip, identity" } else { "" };
        assert_eq!(answer.header("accept-encoding"), accepts, "{problem}");
    }
    let twice = send(&app, &[JSON], plain.replacen('{', "{\"size_gib\":30,\"size_gib\":40,", 1)).await;
    let problem = twice.problem(422, "invalid_request");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!("/size_gib"), &json!("duplicate"))
    );
    let twice = send(&app, &[JSON], plain.replacen('{', "{\"tags\":{\"a\":\"1\",\"a\":\"2\"},", 1)).await;
    assert_eq!(twice.problem(422, "invalid_request")["errors"][0]["pointer"], "/tags/a");
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn null_is_absent_in_every_body() {
    let app = TestGateway::start().await;
    let mut body = new_cache("nginx:1.27");
    for member in ["cloud_account", "size_gib", "retention_days", "flash", "tags", "registry_credentials", "zone_id"] {
        body[member] = Value::Null;
    }
    let id = app.post(PATH, &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.post("/v1/image-caches/ensure", &body).await.expect(200);
    app.post("/v1/image-caches/dry-run", &body).await.expect(200);
    app.until(&id, "ready").await;
    let changes = json!({"name": null, "tags": {"a": "b", "c": null}, "acr_registries": null});
    assert_eq!(app.patch(&format!("{PATH}/{id}"), &changes).await.expect(200)["tags"], json!({"a": "b"}));
    let only_null = app.patch(&format!("{PATH}/{id}"), &json!({"name": null})).await;
    assert_eq!(only_null.problem(422, "invalid_request")["errors"][0]["code"], "required");
    let question = json!({"region": "cn-beijing", "images": ["nginx"], "full_match": null, "minimum_matches": null});
    app.post("/v1/matches", &question).await.expect(200);
    let endpoint = json!({"url": "http://127.0.0.1:9/", "skip_challenge": true, "description": null, "headers": null,
        "event_types": null, "rate_per_second": null, "retry_schedule": null});
    app.post("/v1/webhook-endpoints", &endpoint).await.expect(201);
    let team =
        json!({"id": "t", "display_name": "T", "contacts": null, "policy": {"regions": null, "registries": null}});
    admin(&app, Method::POST, "/v1/teams", Some(&team)).await.expect(201);
}

#[tokio::test]
async fn a_key_stands_for_what_a_body_means() {
    let app = TestGateway::start().await;
    let first = r#"{"name":"web","region":"cn-beijing","images":["nginx:1"],"size_gib":20,"tags":{"a":"b","c":"d"}}"#;
    let told = keyed(&app, "k", first).await;
    told.expect(201);
    for same in [
        r#"{ "tags": {"c":"d","a":"b"}, "size_gib": 20, "images": ["nginx:1"], "region":"cn-beijing", "name":"web" }"#,
        r#"{"name":"\u0077eb","region":"cn-beijing","images":["nginx:1"],"size_gib":20.0,"tags":{"a":"b","c":"d"},"flash":null}"#,
        &format!("\u{feff}{first}\r\n"),
    ] {
        let again = keyed(&app, "k", same).await;
        assert_eq!((&again.text, again.header("idempotent-replayed")), (&told.text, "true"), "{same}");
    }
    let zipped = send(&app, &[JSON, GZIP, ("idempotency-key", "k")], zipped(first.as_bytes())).await;
    assert_eq!((zipped.status, &zipped.text), (201, &told.text));
    for other in [
        first.replace("nginx:1", "nginx:2"),
        first.replace("20", "21"),
        first.replace(r#""a":"b","#, ""),
        first.replace(r#"["nginx:1"]"#, r#"["nginx:1","redis"]"#),
    ] {
        keyed(&app, "k", &other).await.problem(422, "idempotency_key_reused");
    }
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn a_key_from_before_is_known_by_the_exact_body() {
    let app = TestGateway::start().await;
    let body = r#"{ "name": "web", "region": "cn-beijing", "images": ["nginx:1"] }"#;
    let told = keyed(&app, "k", body).await;
    let before =
        eci_cache_gateway::crypto::Fingerprint::new(&eci_cache_gateway::crypto::master::MasterKey::new([7; 32]));
    let recorded = before.of("idempotency", body.as_bytes());
    let changed =
        sqlx::query("UPDATE idempotency_keys SET fingerprint = $1").bind(&recorded[..]).execute(app.sql()).await;
    assert_eq!(changed.unwrap().rows_affected(), 1);
    let again = keyed(&app, "k", body).await;
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&told.text, "true"));
    keyed(&app, "k", &body.replace("nginx", "redis")).await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_replay_says_what_was_told_and_where_it_stands_now() {
    let app = TestGateway::start().await;
    let body = new_cache("example.com/does-not-exist:1").to_string();
    let told = keyed(&app, "k", &body).await;
    let id = told.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!((told.header("image-cache-status"), told.header("link")), ("", ""));
    app.until(&id, "failed").await;
    let latest = format!("</v1/image-caches/{id}>; rel=\"latest-version\"");
    let again = keyed(&app, "k", &body).await;
    assert_eq!((again.status, &again.text), (201, &told.text));
    assert_eq!((again.header("image-cache-status"), again.header("link")), ("failed", &*latest));
    app.delete(&format!("{PATH}/{id}")).await.expect(200);
    app.until(&id, "deleted").await;
    assert_eq!(keyed(&app, "k", &body).await.header("image-cache-status"), "deleted");
    let ensure = |key: &'static str| {
        let request = app.request(Method::POST, "/v1/image-caches/ensure").header("idempotency-key", key);
        Answer::of(request.json(&new_cache("nginx:1.27")))
    };
    let told = ensure("e").await;
    let id = told.expect(201)["image_cache"]["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    let again = ensure("e").await;
    assert_eq!((&again.text, again.header("image-cache-status")), (&told.text, "ready"));
    let reused = ensure("r").await;
    assert_eq!(reused.expect(200)["outcome"], "reused");
    app.delete(&format!("{PATH}/{id}")).await.expect(200);
    assert_eq!(ensure("r").await.header("image-cache-status"), "deleting");
}
