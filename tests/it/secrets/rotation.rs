//! Rotation of the master key: `rotate-keys` while gateways are running, and its output.
#![cfg(test)]

use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eci_cache_gateway::store::{SEALED, Sealed};
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::identity::api_keys::made;
use crate::platform::cloud_accounts::{new_in, put};
use crate::rpc::client::{RpcKey, success};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};
use crate::support::hook::Hook;
use crate::support::setup::SECOND;

/// Not 32 equal bytes, which the settings refuse.
const fn key(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = first;
    bytes
}

const OLD: (&str, [u8; 32]) = ("old", key(1));
const NEW: (&str, [u8; 32]) = ("new", key(2));

fn setup(current: (&'static str, [u8; 32]), previous: Option<(&'static str, [u8; 32])>) -> Setup {
    Setup { master: (current, previous), ..Setup::default() }
}

/// Runs `rotate-keys` with the runtime role; returns its exit code and output.
async fn rotate(app: &TestGateway, previous: Option<(&str, [u8; 32])>) -> (Option<i32>, String) {
    rotate_with(app, previous, &[]).await
}

/// The same with further arguments.
async fn rotate_with(
    app: &TestGateway,
    previous: Option<(&str, [u8; 32])>,
    arguments: &[&str],
) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.arg("rotate-keys").args(arguments).env_clear();
    command.env("ECG_DATABASE_URL", app.database_url().await.replacen("postgres://eci@", "postgres://eci_runtime@", 1));
    command.env("ECG_KEYS_MASTER", BASE64_STANDARD.encode(NEW.1)).env("ECG_KEYS_MASTER_ID", NEW.0);
    command.env("ECG_KEYS_AUDIT", BASE64_STANDARD.encode(key(3)));
    if let Some((id, bytes)) = previous {
        command.env("ECG_KEYS_MASTER_PREVIOUS", BASE64_STANDARD.encode(bytes)).env("ECG_KEYS_MASTER_PREVIOUS_ID", id);
    }
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(stdout).unwrap();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (status.code(), said)
}

/// An endpoint with its own headers, whose secret was replaced once; returns the new secret.
async fn endpoint(app: &TestGateway, hook: &Hook) -> String {
    let body = json!({"url": hook.url(), "headers": {"x-own": "kept"}});
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    let path = format!("/v1/webhook-endpoints/{}/rotate-secret", made["id"].as_str().unwrap());
    let rotated = Answer::of(app.request(Method::POST, &path).json(&json!({}))).await.expect(200);
    rotated["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_waits_with_logins_of_another_key_is_not_recorded_as_sent() {
    let app = TestGateway::with(setup(OLD, None)).await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let mut body = new_cache("private.example.com/a:1");
    body["registry_credentials"] = json!([{"server": "private.example.com", "user_name": "u", "password": "right"}]);
    let waiting = app.post("/v1/image-caches", &body).await.expect(202);
    let other = app.second_gateway(setup(NEW, None)).await;
    for _ in 0..5 {
        app.advance(61);
        other.drain().await;
    }
    assert_eq!(app.count("SELECT max(number)::bigint FROM operation_attempts").await, 1, "the throttled one");
    assert_eq!(app.count("SELECT attempts::bigint FROM operations").await, 1);
    // A gateway that has the key continues.
    app.advance(61);
    app.drain().await;
    app.until(waiting["id"].as_str().unwrap(), "ready").await;
}

#[tokio::test]
async fn everything_opens_under_the_new_key_alone() {
    let app = TestGateway::with(setup(OLD, None)).await;
    let hook = Hook::start().await;
    let (secret, access) = (endpoint(&app, &hook).await, RpcKey::new(&app).await);
    let role = json!({"arn": "acs:ram::2:role/external-kept", "external_id": "kept"});
    put(&app, &json!({"access_key_id": SECOND.0, "access_key_secret": SECOND.1, "role": role})).await;
    // It waits with its logins: the cloud has throttled it.
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let mut body = new_cache("private.example.com/a:1");
    body["registry_credentials"] = json!([{"server": "private.example.com", "user_name": "u", "password": "right"}]);
    let create = |app: &TestGateway| app.request(Method::POST, "/v1/image-caches").header("idempotency-key", "k");
    let waiting = Answer::of(create(&app).json(&body)).await.expect(202);

    let both = app.second_gateway(setup(NEW, Some(OLD))).await;
    let replayed = Answer::of(create(&both).json(&body)).await;
    assert_eq!((replayed.header("idempotent-replayed"), &replayed.json()["id"]), ("true", &waiting["id"]));

    let (code, said) = rotate(&app, Some(OLD)).await;
    assert_eq!(code, Some(0), "{said}");
    for line in
        ["access key secrets: 1, of which 1 re-encrypted", "replaced webhook secrets: 1, of which 1 re-encrypted"]
    {
        assert!(said.contains(line), "{said}");
    }
    assert!(
        said.contains("webhook headers: 1, of which 1")
            && said.contains("webhook URLs: 1, of which 1")
            && said.contains("registry logins: 1, of which 1"),
        "{said}"
    );
    assert!(
        said.contains("cloud account secrets: 1, of which 1") && said.contains("external ids: 1, of which 1"),
        "{said}"
    );
    assert!(said.contains("Everything is encrypted with the key \"new\"."), "{said}");
    let (code, said) = rotate(&app, Some(OLD)).await;
    assert!(code == Some(0) && said.contains("access key secrets: 1, of which 0"), "{said}");
    assert_eq!(
        app.count("SELECT count(*) FROM audit_entries WHERE action = 'rotate_keys' AND outcome = 'succeeded'").await,
        2
    );

    let new = app.second_gateway(setup(NEW, None)).await;
    new.until(waiting["id"].as_str().unwrap(), "ready").await;
    new.post("/v1/image-caches", &new_in("second", "nginx:1.27")).await.expect(201);
    success(&access.get(&new, "DescribeImageCaches", &[("RegionId", "cn-beijing")]).await);
    new.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    hook.wait_for(1).await;
    let received = &hook.received()[0];
    received.verify(&secret, new.now());
    assert_eq!(received.header("x-own"), "kept");
}

#[tokio::test]
async fn an_api_key_that_is_used_meanwhile_outlives_the_former_key() {
    let app = TestGateway::with(setup(OLD, None)).await;
    let (_, key) = made(&app, TEAM, &["read"]).await;
    let (_, idle) = made(&app, TEAM, &["read"]).await;
    let me = |app: &TestGateway, key: &str| app.bare(Method::GET, "/v1/me").bearer_auth(key);
    let both = app.second_gateway(setup(NEW, Some(OLD))).await;
    Answer::of(me(&both, &key)).await.expect(200);
    both.gateway.base().drain().await;
    let new = app.second_gateway(setup(NEW, None)).await;
    Answer::of(me(&new, &key)).await.expect(200);
    Answer::of(me(&new, &idle)).await.problem(401, "api_key_unknown");
    Answer::of(me(&app, &key)).await.problem(401, "api_key_unknown");
}

/// Columns of bytes that contain nothing encrypted: keyed and plain hashes, and what a receiver answered.
const NOT_SEALED: [&str; 10] = [
    "api_keys.hash",
    "api_keys.previous_hash",
    "audit_entries.stamp",
    "audit_leaves.hash",
    "audit_nodes.hash",
    "delivery_attempts.response_excerpt",
    "idempotency_keys.fingerprint",
    "idempotent_responses.fingerprint",
    "image_caches.content",
    "webhook_attempts.response_excerpt",
];

#[tokio::test]
async fn no_column_of_bytes_is_forgotten() {
    let app = TestGateway::start().await;
    let columns = "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
        JOIN pg_class t ON t.relname = c.table_name AND NOT t.relispartition
        WHERE c.table_schema = 'public' AND c.data_type = 'bytea' AND c.table_name NOT LIKE '\\_%' ORDER BY 1";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(app.sql()).await.unwrap();
    let sealed: Vec<String> = SEALED.iter().map(Sealed::column_name).collect();
    let known = |column: &&String| !sealed.contains(column) && !NOT_SEALED.contains(&column.as_str());
    assert_eq!(columns.iter().filter(known).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(sealed.iter().all(|column| columns.contains(column)), "{sealed:?} {columns:?}");
}

#[tokio::test]
async fn what_is_left_is_named() {
    let app = TestGateway::with(setup(OLD, None)).await;
    let access = RpcKey::new(&app).await;
    let (code, said) = rotate(&app, None).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("  1 are still under the key \"old\"\n"), "{said}");
    assert!(said.contains(&format!("  {} was encrypted with a key that is not configured\n", access.id)), "{said}");
    // One that belongs elsewhere is reported as well.
    let other = RpcKey::new(&app).await;
    let moved = "UPDATE access_keys SET secret = (SELECT secret FROM access_keys WHERE id = $1) WHERE id = $2";
    sqlx::query(moved).bind(&access.id).bind(&other.id).execute(app.sql()).await.unwrap();
    let (code, said) = rotate(&app, Some(OLD)).await;
    assert!(code == Some(1) && said.contains("was altered, or encrypted for a different purpose"), "{said}");
    assert!(said.contains("access key secrets: 2, of which 1 re-encrypted"), "{said}");
}

#[tokio::test]
async fn urls_stay_readable_for_a_version_of_before_until_the_operator_says_that_none_comes_back() {
    let app = TestGateway::with(setup(NEW, None)).await;
    let plain = "SELECT count(*) FROM webhook_endpoints WHERE url LIKE '%hunter2'";
    // As after the migration if an older version was in use.
    sqlx::query("UPDATE webhook_url_storage SET plain_beside = true").execute(app.sql()).await.unwrap();
    let hook = Hook::start().await;
    let url = format!("{}?access_token=hunter2", hook.url());
    let made = app.post("/v1/webhook-endpoints", &json!({"url": url})).await.expect(201);
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count(plain).await, 1, "both can read it");
    assert_eq!(app.count("SELECT count(*) FROM webhook_endpoints WHERE url_sealed IS NOT NULL").await, 1);
    // An older version changes something else, and writes all columns that it knows.
    sqlx::query("UPDATE webhook_endpoints SET url = $1, description = 'ours'")
        .bind(&url)
        .execute(app.sql())
        .await
        .unwrap();
    assert_eq!(app.count("SELECT count(*) FROM webhook_endpoints WHERE url_sealed IS NOT NULL").await, 1);
    let (code, said) = rotate_with(&app, None, &["--seal-urls"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(app.count("SELECT count(*) FROM webhook_endpoints WHERE url LIKE 'sealed:http://127.0.0.1:%'").await, 1);
    assert_eq!(app.get(&path).await.expect(200)["url"], url);
    app.created().await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    assert_eq!(hook.received().len(), 1);
    let noted = "SELECT count(*) FROM audit_entries WHERE action = 'end_plain_webhook_urls' AND outcome = 'succeeded'";
    assert_eq!(app.count(noted).await, 1);
    let again = app.post("/v1/webhook-endpoints", &json!({"url": url})).await;
    again.expect(201);
    assert_eq!(app.count(plain).await, 0);
}
