//! The door's conventions: what is wrong with a request, and what every response contains.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::http::openapi::{document_3_0, document_3_1};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{TestGateway, new_cache};
use crate::support::hook::Hook;

/// A body sent verbatim with this media type.
async fn send(app: &TestGateway, media_type: &str, body: &str) -> Answer {
    let request = app.request(Method::POST, "/v1/image-caches").header("content-type", media_type);
    Answer::of(request.body(body.to_owned())).await
}

/// Pointer or parameter, and code, of each invalid field.
fn fields(problem: &Value) -> Vec<String> {
    let name = |field: &Value| field["pointer"].as_str().or(field["parameter"].as_str()).unwrap().to_owned();
    let all = problem["errors"].as_array().unwrap();
    all.iter().map(|field| format!("{} {}", name(field), field["code"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn what_is_not_there_and_what_may_not_be_done() {
    let app = TestGateway::start().await;
    for path in ["/v2/image-caches", "/v1/nothing", "/v1/image-caches/ic_1/nothing", "/v1"] {
        app.get(path).await.problem(404, "unknown_route");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/v1/image-caches", vec!["GET", "HEAD", "POST"]),
        (Method::PUT, "/v1/image-caches/ic_1", vec!["DELETE", "GET", "HEAD", "PATCH"]),
        (Method::POST, "/v1/me", vec!["GET", "HEAD"]),
        (Method::POST, "/healthz", vec!["GET", "HEAD"]),
    ] {
        let answer = Answer::of(app.request(method, path)).await;
        answer.problem(405, "method_not_allowed");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, allow, "{path}");
    }
    let sql = "SELECT count(*) FROM audit_entries WHERE action = 'unknown_route' AND http_status IN (404, 405)";
    assert_eq!(app.count(sql).await, 6, "of those under /v1");
}

#[tokio::test]
async fn bodies_that_cannot_be_taken() {
    let app = TestGateway::start().await;
    let good = new_cache("nginx").to_string();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        send(&app, media_type, &good).await.problem(415, "unsupported_media_type");
    }
    for body in ["", "{", "nonsense", "{\"name\": }", &format!("{good} and more")] {
        send(&app, "application/json", body).await.problem(400, "malformed_json");
    }
    // As much as production accepts, and one byte more.
    let of = |bytes: usize| format!("{{\"name\": \"{}\"}}", "x".repeat(bytes - "{\"name\": \"\"}".len()));
    send(&app, "application/json", &of(1 << 20)).await.problem(422, "invalid_request");
    send(&app, "application/json", &of((1 << 20) + 1)).await.problem(413, "body_too_large");
    for (change, expected) in [
        (json!({"colour": "red"}), vec!["/colour unknown_field"]),
        (json!({"name": null}), vec!["/name required"]),
        (json!({"images": "nginx"}), vec!["/images invalid_type"]),
        (json!({"images": ["nginx", 7]}), vec!["/images/1 invalid_type"]),
        (json!({"region": "Mars"}), vec!["/region invalid"]),
        (json!({"tags": {"a": 1}}), vec!["/tags/a invalid_type"]),
    ] {
        let mut body = new_cache("nginx");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let problem = app.post("/v1/image-caches", &body).await.problem(422, "invalid_request");
        assert_eq!(fields(&problem), expected, "{body}");
    }
    let wrong = json!({"name": "", "region": "cn-beijing", "images": [], "size_gib": 1, "retention_days": 0});
    let problem = app.post("/v1/image-caches", &wrong).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 4, "all at once: {problem}");
    assert_eq!((app.creations().await, app.count("SELECT count(*) FROM image_caches").await), (0, 0));
}

#[tokio::test]
async fn queries_that_cannot_be_taken() {
    let app = TestGateway::start().await;
    app.created().await;
    app.created().await;
    for (query, expected) in [
        ("limit=0", "limit out_of_range"),
        ("limit=101", "limit out_of_range"),
        ("limit=many", "limit invalid"),
        ("status=Ready", "status invalid"),
        ("colour=red", "colour unknown_parameter"),
        ("created_after=yesterday", "created_after invalid"),
        ("name=a&name=b", "name duplicate"),
        ("cursor=nonsense", "cursor invalid"),
    ] {
        let problem = app.get(&format!("/v1/image-caches?{query}")).await.problem(422, "invalid_request");
        assert_eq!(fields(&problem), [expected], "{query}");
    }
    let first = app.get("/v1/image-caches?limit=1&region=cn-beijing").await;
    let page = first.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["has_more"]), (1, &json!(true)));
    let next = first.header("link").strip_prefix('<').unwrap().split_once('>').unwrap().0;
    let second = app.get(next).await.expect(200);
    assert_eq!((second["items"].as_array().unwrap().len(), &second["has_more"]), (1, &json!(false)));
    assert_ne!(page["items"], second["items"]);
    for list in ["image-caches?region=cn-hangzhou&", "webhook-endpoints?", "events?", "deliveries?", "audit-entries?"] {
        let problem = app.get(&format!("/v1/{list}cursor={cursor}")).await.problem(422, "invalid_request");
        assert_eq!(fields(&problem), ["cursor invalid"], "a cursor belongs to its list: {list}");
    }
}

#[tokio::test]
async fn a_query_where_none_is_taken_is_refused_before_anything_is_done() {
    let app = TestGateway::start().await;
    let cache = format!("/v1/image-caches/{}", app.created().await);
    let body = new_cache("redis:7");
    for (method, path) in [
        (Method::POST, "/v1/image-caches"),
        (Method::POST, "/v1/image-caches/ensure"),
        (Method::PATCH, &cache),
        (Method::DELETE, &cache),
    ] {
        let request = app.request(method, &format!("{path}?dry_run=true")).json(&body);
        let problem = Answer::of(request).await.problem(422, "invalid_request");
        assert_eq!(fields(&problem), ["dry_run unknown_parameter"], "{path}");
    }
    assert_eq!(app.creations().await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operations").await, 1, "nothing is on its way");
}

#[tokio::test]
async fn versions_guard_changes_and_spare_reads() {
    let app = TestGateway::start().await;
    let path = format!("/v1/image-caches/{}", app.created().await);
    let read = app.get(&path).await;
    assert_eq!(read.header("etag"), "\"v2\"");
    for same in ["\"v2\"", "W/\"v2\"", "\"v1\", \"v2\"", "*"] {
        let unchanged = Answer::of(app.request(Method::GET, &path).header("if-none-match", same)).await;
        assert_eq!(
            (unchanged.status, unchanged.text.as_str(), unchanged.header("etag")),
            (304, "", "\"v2\""),
            "{same}"
        );
    }
    let changed = Answer::of(app.request(Method::GET, &path).header("if-none-match", "\"v1\"")).await;
    assert_eq!(changed.expect(200), read.json());
    for stale in ["\"v1\"", "\"v3\"", "W/\"v1\"", "\"v1-gzip\"", "\"else\"", "\"v1\", \"v3\""] {
        let refused = Answer::of(app.request(Method::DELETE, &path).header("if-match", stale)).await;
        refused.problem(412, "precondition_failed");
    }
    let malformed = Answer::of(app.request(Method::DELETE, &path).header("if-match", "v2")).await;
    malformed.problem(400, "malformed_header");
    let deleted = Answer::of(app.request(Method::DELETE, &path).header("if-match", "\"v2\"")).await;
    assert_eq!((deleted.expect(200)["status"].as_str(), deleted.header("etag")), (Some("deleting"), "\"v4\""));
}

#[tokio::test]
async fn two_changes_at_once_are_one() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let path = format!("/v1/image-caches/{id}");
    let body = json!({"images": ["nginx:1.28"]});
    let answers = join_all([app.patch(&path, &body), app.patch(&path, &body), app.patch(&path, &body)]).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)), "{answers:?}");
    assert_eq!(app.ledger().await["updated"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let app = TestGateway::start().await;
    for path in ["/v1/me", "/v1/nothing", "/healthz", "/openapi.json"] {
        let sent = Answer::of(app.request(Method::GET, path).header("x-request-id", "mine-1")).await;
        assert_eq!(sent.header("x-request-id"), "mine-1", "{path}");
        let insane = Answer::of(app.request(Method::GET, path).header("x-request-id", "a b")).await;
        assert!(insane.header("x-request-id").starts_with("req_"), "{path}");
    }
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = Answer::of(app.request(Method::GET, "/v1/me").header("traceparent", trace)).await;
    assert_eq!(traced.header("traceparent"), trace);
    let problem = Answer::of(app.bare(Method::GET, "/v1/me").header("x-request-id", "mine-2")).await;
    assert_eq!(problem.problem(401, "token_missing")["instance"], "urn:eci-cache-gateway:request:mine-2");
}

#[tokio::test]
async fn pages_for_operators_and_readers() {
    let app = TestGateway::start().await;
    let open = |path: &'static str| Answer::of(app.bare(Method::GET, path));
    assert_eq!(open("/healthz").await.expect(200), json!({"status": "ok"}));
    let problem = open("/readyz").await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("workers"), "{problem}");
    app.gateway.upkeep().beat("test").await.unwrap();
    assert_eq!(
        open("/readyz").await.expect(200),
        json!({"database": true, "migrations": true, "workers": true, "tasks": true, "issuer_keys": true,
            "clock": true})
    );
    let metrics = app.bare(Method::GET, "/metrics").bearer_auth(app.token("platform", &[Scope::PlatformRead]));
    let metrics = Answer::of(metrics).await;
    assert_eq!((metrics.status, metrics.text.as_str()), (200, "ecg_tests 1\n"));
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert_eq!(open("/openapi.json").await.text, document_3_1());
    assert_eq!(open("/openapi-3.0.json").await.text, document_3_0());
    let docs = open("/docs/").await;
    assert!(docs.status == 200 && docs.header("content-type").starts_with("text/html"), "{docs:?}");
    assert!(docs.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(app.count("SELECT count(*) FROM audit_entries").await, 0, "nothing of the API");
}

/// The content of all tables as text; bytes as the text that they encode.
async fn dump(app: &TestGateway) -> String {
    let sql = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap();
    assert!(tables.len() >= 13, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = format!("SELECT t::text FROM {table} t");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_all(app.sql()).await.unwrap();
        all.extend(rows);
    }
    all
}

fn hex(text: &str) -> String {
    text.bytes()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[tokio::test]
async fn no_secret_stands_in_any_table() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (_, secret) = app.endpoint(&hook.url()).await;
    let secret = secret.strip_prefix("whsec_").unwrap();
    let mut body = new_cache("private.example.com/app:1");
    let password = "canary-password";
    body["registry_credentials"] =
        json!([{"server": "private.example.com", "user_name": "canary-user", "password": password}]);
    // Stored while the outcome is unknown, and afterwards; also in the cloud's message about it.
    let echo = format!("string to sign is:Password={password}, and again {password}");
    for fault in [
        json!({"action": "CreateImageCache", "kind": "error", "apply": true, "message": echo}),
        json!({"action": "CreateImageCache", "kind": "error", "http": 400, "code": "InvalidParameter", "message": echo}),
    ] {
        app.fault(&fault).await;
        let request = app.request(Method::POST, "/v1/image-caches").header("idempotency-key", fault.to_string().len());
        let answer = Answer::of(request.json(&body)).await;
        assert!(!answer.text.contains(password), "{answer:?}");
        let kept = dump(&app).await;
        assert!(kept.contains("private.example.com/app:1"), "the dump shows what is there");
        for canary in [password, secret, "canary-user", "stand-in-secret"] {
            assert!(!kept.contains(canary) && !kept.contains(&hex(canary)), "{canary}");
        }
    }
    app.advance(2);
    app.drain().await;
    let kept = dump(&app).await;
    assert!(!kept.contains(password) && !hook.received().is_empty());
    assert!(hook.received().iter().all(|received| !received.body.contains("canary")));
}

#[tokio::test]
async fn a_collection_for_postman_is_served_to_everybody() {
    let app = TestGateway::start().await;
    let collection = Answer::of(app.bare(Method::GET, "/collections/postman.json")).await.expect(200);
    assert!(collection["info"]["schema"].as_str().unwrap().ends_with("/v2.1.0/collection.json"), "{collection}");
    let folders = collection["item"].as_array().unwrap();
    let requests: usize = folders.iter().map(|folder| folder["item"].as_array().map_or(1, Vec::len)).sum();
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let operations = document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len());
    assert_eq!(requests, operations.sum::<usize>(), "one for each operation");
}
