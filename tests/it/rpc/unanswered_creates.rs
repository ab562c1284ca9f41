//! Creates without a `ClientToken` whose caller may not have received the ids: caches that nobody can have been told of
//! are deleted; those that somebody may have been told of, or relies on, are kept.
#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::http;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{RpcKey, encoded, error, send_query, success};
use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{AUDIT_KEY, Setup, TestGateway};

const NEW: [(&str, &str); 3] = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
const REMOVED: &str = "SELECT count(*) FROM image_caches WHERE status = 'deleted'";
const ABANDONED: &str = "SELECT count(*) FROM operations WHERE abandoned";
const OWED: &str = "SELECT count(*) FROM owed_answers";

/// A gateway with a gate in front of its cloud, and another one on the same database without a gate.
async fn gated() -> (TestGateway, TestGateway, Gate, RpcKey) {
    let other = TestGateway::start().await;
    let gate = Gate::before(&other.cloud()).await;
    let app = other.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let key = RpcKey::new(&app).await;
    (app, other, gate, key)
}

/// The head of a signed create as Terraform sends it: without a token, everything in the query.
fn head(app: &TestGateway, key: &RpcKey) -> String {
    let query = encoded(&key.sign("POST", key.unsigned(app, "CreateImageCache", &NEW)));
    format!("POST /?{query} HTTP/1.1\r\nHost: eci\r\nContent-Length: 0\r\n\r\n")
}

/// Sends a create, and does not read the response.
async fn ask(app: &TestGateway, key: &RpcKey) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(head(app, key).as_bytes()).await.unwrap();
    stream
}

async fn until(app: &TestGateway, sql: &'static str, wanted: i64) {
    while app.count(sql).await != wanted {
        tokio::task::yield_now().await;
    }
}

/// Does what is due, including the janitor's work, for three minutes.
async fn settle(app: &TestGateway) {
    for _ in 0..45 {
        app.advance(4);
        app.drain().await;
        app.gateway.upkeep().clean().await.unwrap();
    }
}

async fn ensure(app: &TestGateway) -> Answer {
    app.post("/v1/image-caches/ensure", &json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]})).await
}

/// The reasons of the janitor's deletes.
async fn reasons(app: &TestGateway) -> Vec<String> {
    let sql = "SELECT parameters ->> 'reason' FROM audit_entries
               WHERE action = 'delete_image_cache' AND subject = 'worker:janitor' AND parameters ? 'reason' ORDER BY seq";
    sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap()
}

#[tokio::test]
async fn what_a_caller_that_left_was_not_told_is_removed() {
    let (app, other, gate, key) = gated().await;
    let caller = ask(&app, &key).await;
    gate.answered(1).await;
    drop(caller);
    gate.open();
    until(&app, ABANDONED, 1).await;
    settle(&other).await;
    assert_eq!((app.creations().await, app.count(REMOVED).await, app.count(OWED).await), (1, 1, 0));
    assert_eq!(reasons(&app).await, ["abandoned"]);
    // The next apply creates its own.
    success(&key.post(&other, "CreateImageCache", &NEW).await);
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE status <> 'deleted'").await, 1);
}

#[tokio::test]
async fn who_closes_its_half_of_the_connection_is_gone_and_is_told_nothing() {
    let (app, other, gate, key) = gated().await;
    let mut caller = ask(&app, &key).await;
    gate.answered(1).await;
    caller.shutdown().await.unwrap();
    assert_eq!(caller.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    gate.open();
    settle(&other).await;
    assert_eq!((app.creations().await, app.count(REMOVED).await, app.count(OWED).await), (1, 1, 0));
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_cloud_is_asked_leaves_nothing() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for _ in 0..3 {
        app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    }
    let caller = ask(&app, &key).await;
    until(&app, "SELECT count(*) FROM operation_attempts WHERE finished_at IS NOT NULL", 1).await;
    drop(caller);
    until(&app, "SELECT count(*) FROM operations WHERE state = 'refused'", 1).await;
    settle(&app).await;
    assert_eq!((app.creations().await, app.count(OWED).await), (0, 0));
    assert_eq!(app.only_cache().await["failure"]["code"], "withdrawn");
}

#[tokio::test]
async fn what_was_told_stays_and_is_owed_no_more() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    success(&send_query(&app, Method::GET, &key.sign("GET", key.unsigned(&app, "CreateImageCache", &NEW))).await);
    success(&key.post(&app, "CreateImageCache", &[NEW[0], ("ImageCacheName", "api"), ("Image.1", "redis:7")]).await);
    until(&app, OWED, 0).await;
    settle(&app).await;
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE status = 'ready'").await, 2);
    // A caller who can find the cache again is owed nothing.
    app.created().await;
    let token = [NEW[0], NEW[1], NEW[2], ("ClientToken", "t")];
    success(&key.post(&app, "CreateImageCache", &token).await);
    assert_eq!((app.count(OWED).await, app.count(ABANDONED).await), (0, 0));
}

#[tokio::test]
async fn who_joined_keeps_what_the_first_caller_never_heard_of() {
    let (app, other, gate, key) = gated().await;
    let caller = ask(&app, &key).await;
    gate.answered(1).await;
    let joined = ensure(&other).await.expect(200);
    assert_eq!((&joined["outcome"], app.count(OWED).await), (&json!("joined"), 0));
    drop(caller);
    gate.open();
    settle(&other).await;
    assert_eq!((app.creations().await, app.only_cache().await["status"].clone()), (1, json!("ready")));
    assert_eq!(app.count(ABANDONED).await, 0);
}

#[tokio::test]
async fn who_joined_keeps_what_would_have_been_withdrawn() {
    let http = http::HttpSettings { rpc_deadline: Duration::from_millis(1_500), ..http::HttpSettings::default() };
    let app = TestGateway::with(Setup { http, ..Setup::default() }).await;
    let key = RpcKey::new(&app).await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let create = key.post(&app, "CreateImageCache", &NEW);
    let join = async {
        until(&app, "SELECT count(*) FROM operation_attempts WHERE finished_at IS NOT NULL", 1).await;
        ensure(&app).await.expect(200)
    };
    let (answer, joined) = tokio::join!(create, join);
    error(&answer, 503, "ServiceUnavailable");
    assert_eq!(joined["outcome"], "joined");
    settle(&app).await;
    assert_eq!((app.creations().await, app.only_cache().await["status"].clone()), (1, json!("ready")));
}

#[tokio::test]
async fn who_changes_it_by_its_name_keeps_it() {
    let http = http::HttpSettings { rpc_deadline: Duration::from_millis(300), ..http::HttpSettings::default() };
    let app = TestGateway::with(Setup { http, ..Setup::default() }).await;
    let key = RpcKey::new(&app).await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": true})).await;
    error(&key.post(&app, "CreateImageCache", &NEW).await, 503, "ServiceUnavailable");
    assert_eq!(app.count(ABANDONED).await, 1);
    let id = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    app.patch(&format!("/v1/image-caches/{id}"), &json!({"images": ["nginx:1.28"]})).await.expect(200);
    settle(&app).await;
    assert_eq!((app.cache(&id).await["status"].clone(), app.count(ABANDONED).await), (json!("ready"), 0));
}

#[tokio::test]
async fn what_may_have_been_told_stays_and_is_named_once() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    owe(&app, "sending").await;
    settle(&app).await;
    assert_eq!(app.cache(&id).await["status"], "ready");
    assert_eq!(app.count("SELECT count(*) FROM owed_answers WHERE reported").await, 1);
    app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    settle(&app).await;
    assert_eq!(app.count(OWED).await, 0);
}

#[tokio::test]
async fn a_refused_removal_of_what_was_not_told_rests() {
    let app = TestGateway::start().await;
    app.created().await;
    owe(&app, "unsent").await;
    for _ in 0..8 {
        app.fault(&json!({"action": "DeleteImageCache", "kind": "error", "http": 403, "code": "Forbidden.RAM"})).await;
    }
    settle(&app).await;
    let deletes = "SELECT count(*) FROM operations WHERE kind = 'delete'";
    assert_eq!((app.count(deletes).await, app.count(REMOVED).await), (1, 0));
    // Ten minutes, then twice as long each time, at most a day; two entries each.
    for (minutes, begun) in [(10, 2), (10, 2), (10, 3), (20, 3), (20, 4)] {
        app.advance(minutes * 60);
        settle(&app).await;
        assert_eq!(app.count(deletes).await, begun, "after {minutes} more minutes");
    }
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'delete_image_cache'";
    assert_eq!(app.count(entries).await, 8);
    app.advance(30 * 86_400);
    settle(&app).await;
    for _ in 0..4 {
        app.advance(86_400);
        settle(&app).await;
    }
    assert_eq!((app.count(deletes).await, app.count(REMOVED).await), (9, 1), "in the end it is removed");
}

/// As if the gateway that answers the only create had died.
async fn owe(app: &TestGateway, state: &str) {
    let sql = "INSERT INTO owed_answers (image_cache, operation, state, created_at)
               SELECT id, operation, $1, created_at FROM image_caches";
    sqlx::query(sql).bind(state).execute(app.sql()).await.unwrap();
}

/// As if the gateways that hold leases had been silent for too long; with the process's clock for everybody.
async fn take_over(app: &TestGateway) {
    app.set_clock(SystemClock.now());
    for sql in [
        "UPDATE operations SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL",
        "UPDATE tracker_groups SET lease_until = clock_timestamp() - interval '1 second' WHERE lease_until IS NOT NULL",
    ] {
        sqlx::query(sql).execute(app.sql()).await.unwrap();
    }
}

/// A key that the command line accepts.
const MASTER: [u8; 32] = *b"what encrypts in a killed one  !";

/// A separate gateway process that can be killed.
struct KillableGateway(Child, String);

impl KillableGateway {
    async fn start(app: &TestGateway, cloud: &str) -> Self {
        let settings = [
            ("ECG_DATABASE_URL", app.database_url().await.replacen("//eci@", "//eci_runtime@", 1)),
            ("ECG_LISTEN", "127.0.0.1:0".into()),
            ("ECG_CLOUD_ACCESS_KEY_ID", crate::support::setup::KEY.into()),
            ("ECG_CLOUD_ACCESS_KEY_SECRET", crate::support::gateway::CLOUD_SECRET.into()),
            ("ECG_CLOUD_ENDPOINT", cloud.into()),
            ("ECG_AUTH_ISSUER", "https://issuer.example".into()),
            ("ECG_AUTH_AUDIENCE", "eci-cache-gateway".into()),
            ("ECG_AUTH_HS256_SECRET", crate::support::gateway::TOKEN_SECRET.into()),
            ("ECG_KEYS_MASTER", STANDARD.encode(MASTER)),
            ("ECG_KEYS_MASTER_ID", "k1".into()),
            ("ECG_KEYS_AUDIT", STANDARD.encode(AUDIT_KEY)),
            ("ECG_AUDIT_ORIGIN", "example.com/audit".into()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
        command.arg("serve").env_clear().envs(settings).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (lines, said) = (BufReader::new(process.stderr.take().unwrap()).lines(), mpsc::channel());
        std::thread::spawn(move || {
            // Its output is read after the address was found too: a full pipe would block it.
            let mut before = Vec::new();
            for line in lines.map_while(Result::ok) {
                let read: Value = serde_json::from_str(&line).unwrap_or_default();
                match read["address"].as_str() {
                    Some(address) => drop(said.0.send(Ok(address.to_owned()))),
                    None => before.push(line),
                }
            }
            let _not_waited_for = said.0.send(Err(before));
        });
        let address = tokio::task::spawn_blocking(move || said.1.recv()).await.unwrap().unwrap();
        let address = address.unwrap_or_else(|said| panic!("it ended by itself: {said:?}"));
        Self(process, address)
    }

    async fn ask(&self, app: &TestGateway, key: &RpcKey) -> TcpStream {
        let mut stream = TcpStream::connect(&self.1).await.unwrap();
        stream.write_all(head(app, key).as_bytes()).await.unwrap();
        stream
    }
}

impl Drop for KillableGateway {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_gateway_that_is_killed_before_it_answers_leaves_no_cache_behind() {
    let app = TestGateway::with(Setup { master: (("k1", MASTER), None), ..Setup::default() }).await;
    app.set_clock(SystemClock.now());
    let (gate, key) = (Gate::before(&app.cloud()).await, RpcKey::new(&app).await);
    let process = KillableGateway::start(&app, &gate.url).await;
    let _caller = process.ask(&app, &key).await;
    gate.answered(1).await;
    drop(process);
    assert_eq!((app.creations().await, app.count(OWED).await), (1, 1));
    take_over(&app).await;
    settle(&app).await;
    assert_eq!((app.creations().await, app.count(REMOVED).await, app.count(OWED).await), (1, 1, 0));
    assert_eq!(reasons(&app).await, ["abandoned"]);
}

#[tokio::test]
async fn a_gateway_that_is_killed_after_it_answered_takes_nothing_away() {
    let app = TestGateway::with(Setup { master: (("k1", MASTER), None), ..Setup::default() }).await;
    app.set_clock(SystemClock.now());
    let key = RpcKey::new(&app).await;
    let process = KillableGateway::start(&app, &app.cloud()).await;
    let mut caller = process.ask(&app, &key).await;
    let mut heard = vec![0; 4096];
    let length = caller.read(&mut heard).await.unwrap();
    drop(process);
    assert!(String::from_utf8_lossy(&heard[..length]).contains("imc-"));
    take_over(&app).await;
    settle(&app).await;
    assert_eq!((app.only_cache().await["status"].clone(), app.count(ABANDONED).await), (json!("ready"), 0));
}
