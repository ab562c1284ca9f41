//! Receivers that really misbehave, and processes that die, while a deliverer runs: healthy endpoints are not affected,
//! failures end as the policy says, and nothing is lost or stuck.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::crypto::master::MasterKey;
use eci_cache_gateway::crypto::seal::Sealer;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::secret::SigningSecret;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;

use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;
use crate::support::receiver::{Forbidden, Manner, RawReceiver, tls_receiver};
use crate::webhooks::sender::Names;

const LOSE_LEASES: &str = "UPDATE webhook_workers SET alive_until = clock_timestamp() - interval '1 second'";
pub(crate) const IN_HAND: &str = "SELECT count(*) FROM webhook_deliveries WHERE state = 1";

async fn deliver(app: &TestGateway) -> usize {
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap()
}

/// An endpoint that receives only creates, so not what happens to the other endpoints.
async fn endpoint(app: &TestGateway, url: &str) -> String {
    let body = json!({"url": url, "event_types": ["image_cache.created"], "skip_challenge": true});
    app.post("/v1/webhook-endpoints", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// State, status and error of the only delivery to an endpoint.
async fn ending(app: &TestGateway, endpoint: &str) -> String {
    let all = app.items(&format!("/v1/deliveries?webhook_endpoint_id={endpoint}")).await;
    let text = |name: &str| all[0][name].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", text("status"), all[0]["last_http_status"], text("last_error"))
}

/// Copies the only event, with a delivery to every endpoint.
async fn multiply(app: &TestGateway, times: i32) {
    let more = "INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
        SELECT gen_random_uuid(), team, type, image_cache, n::text, body, occurred_at FROM events, generate_series(1, $1) AS n";
    sqlx::query(more).bind(times).execute(app.sql()).await.unwrap();
    let queue = "INSERT INTO webhook_deliveries (team, event, endpoint, next_attempt_at)
        SELECT e.team, e.seq, w.id, e.occurred_at FROM events e, webhook_endpoints w ON CONFLICT DO NOTHING";
    sqlx::query(queue).execute(app.sql()).await.unwrap();
}

#[tokio::test]
async fn receivers_of_every_kind_end_as_the_policy_says_beside_a_healthy_one() {
    let mut setup = Setup::default();
    setup.settings.webhook.timeout = Duration::from_secs(2);
    let app = TestGateway::with(setup).await;
    let says = |text: &str| Manner::SaysAndHangs(text.to_owned());
    let floods = |head: &str| Manner::SaysAndFloods(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"));
    let manners = [
        (says(""), "waiting null timeout"),
        (says("HTTP/1.1 200 OK\r\nx-drip: 1\r\n"), "waiting null timeout"),
        (says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin"), "delivered 200 -"),
        (floods("content-length: 2147483648"), "delivered 200 -"),
        (floods("content-encoding: gzip\r\ncontent-length: 9999999"), "delivered 200 -"),
        (Manner::SaysAndFloods("HTTP/1.1 200 OK\r\nx: ".into()), "waiting null broken_connection"),
        (Manner::Resets, "waiting null broken_connection"),
        (Manner::Says("SSH-2.0-OpenSSH_9.6\r\n".into()), "waiting null broken_connection"),
    ];
    let mut expected = Vec::new();
    for (manner, end) in manners {
        let receiver = RawReceiver::start(manner).await;
        expected.push((endpoint(&app, &receiver.url()).await, end));
    }
    for (status, more, end) in [
        ("302 Found", "location: http://127.0.0.1:9/\r\n", "waiting 302 redirect"),
        ("410 Gone", "", "waiting 410 gone"),
        ("429 Slow", "retry-after: 60\r\n", "waiting 429 status"),
    ] {
        let receiver = RawReceiver::says(status, more).await;
        expected.push((endpoint(&app, &receiver.url()).await, end));
    }
    let untrusted = format!("https://127.0.0.1:{}/", tls_receiver());
    expected.push((endpoint(&app, &untrusted).await, "waiting null tls"));
    expected.push((endpoint(&app, "http://127.0.0.1:9/").await, "waiting null unreachable"));
    let healthy = Hook::start().await;
    expected.push((endpoint(&app, &healthy.url()).await, "delivered 204 -"));
    app.created().await;
    assert_eq!(deliver(&app).await, expected.len());
    for (endpoint, end) in expected {
        assert_eq!(ending(&app, &endpoint).await, end, "{endpoint}");
    }
    assert_eq!((healthy.received().len(), app.count(IN_HAND).await), (1, 0));
}

#[tokio::test]
async fn a_healthy_endpoint_does_not_wait_for_the_backlog_of_a_dead_one() {
    let app = TestGateway::start().await;
    app.endpoint("http://127.0.0.1:9/").await;
    app.created().await;
    multiply(&app, 2_000).await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    for _ in 0..5 {
        app.created().await;
    }
    let (gateway, stop) = (app.gateway.clone(), CancellationToken::new());
    let told = stop.clone();
    let running = tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await });
    hook.wait_for(5).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let waiting = app.count("SELECT count(*) FROM webhook_deliveries WHERE state = 0 AND attempts = 0").await;
    assert!(waiting > 1_900, "{waiting}: the dead one was tried a few times, and rests");
}

#[tokio::test]
async fn every_spelling_of_a_closed_address_is_refused_when_saved_and_when_sent() {
    let open = TestGateway::start().await;
    let policy = AddressPolicy {
        allow_http: true,
        allow_public: true,
        allow_cidrs: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let strict = open.second_gateway(Setup { policy, ..Setup::default() }).await;
    let forbidden = Forbidden::new();
    let port = forbidden.address().port();
    let (endpoint, _) = open.endpoint(&format!("http://127.0.0.1:{port}/")).await;
    strict.created().await;
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "017700000001",
        "0177.0.0.01",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "127%2e0%2e0%2e1",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "0",
        "0.0.0.0",
        "[::]",
        "localhost",
        // However wide the list is, these are never allowed.
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "100.100.100.200",
        "1684301000",
        "[64:ff9b::6464:64c8]",
    ] {
        let url = format!("http://{host}:{port}/");
        let saved = strict.post("/v1/webhook-endpoints", &json!({"url": url, "skip_challenge": true})).await;
        let problem = saved.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], "not_allowed", "{url}");
        // As if it had been saved while it was allowed.
        let saved = "UPDATE webhook_endpoints SET url = $1";
        sqlx::query(saved).bind(&url).execute(open.sql()).await.unwrap();
        let due = "UPDATE webhook_deliveries SET state = 0, attempts = 0, next_attempt_at = '2026-03-01'";
        sqlx::query(due).execute(open.sql()).await.unwrap();
        sqlx::query("UPDATE webhook_endpoint_state SET consecutive_failures = 0, paused_until = NULL")
            .execute(open.sql())
            .await
            .unwrap();
        assert_eq!(deliver(&strict).await, 1, "{url}");
        assert_eq!(ending(&strict, &endpoint).await, "waiting null address_refused", "{url}");
        forbidden.assert_untouched(&url);
    }
}

#[tokio::test]
async fn a_name_that_rebinds_after_it_was_saved_reaches_nobody() {
    let forbidden = Forbidden::new();
    let policy = AddressPolicy {
        allow_http: true,
        allow_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let lookup = Some(Arc::new(Names::new(&[&["10.0.0.1"], &["127.0.0.1", "169.254.169.254"]])) as _);
    let app = TestGateway::with(Setup { policy, lookup, ..Setup::default() }).await;
    let (endpoint, _) = app.endpoint(&format!("http://rebind.test:{}/", forbidden.address().port())).await;
    app.created().await;
    assert_eq!(deliver(&app).await, 1);
    assert_eq!(ending(&app, &endpoint).await, "waiting null address_refused");
    forbidden.assert_untouched("rebind.test");
}

/// A realistic master key.
const MASTER: &str = "3a7c51e09f44d2b86e0b1f9d7c25a8436db1e7f00c9852ab47d3196e8f5a20c4";

/// A realistic audit key.
const AUDIT: &str = "b51f0a6de7c34289a16e04d97b3c58f20e6d91a4c7835bf1062d4ae8937c5b06";

/// A secret for the endpoint that the processes below can decrypt.
pub(crate) fn sealed(endpoint: &str) -> Vec<u8> {
    let master = MasterKey::parse(MASTER).unwrap();
    let sealer = Sealer::new(vec![("k1".into(), master)], "k1").unwrap();
    let (entropy, context) = (Entropy::from_seed(1), format!("webhook_secret:{endpoint}"));
    let secret = SigningSecret::generate(&entropy).text();
    sealer.seal(secret.expose_secret().as_bytes(), &context, &entropy)
}

/// The processes have another master key than the test.
async fn seal_anew(app: &TestGateway, endpoint: &str, url: &str) {
    let update = sqlx::query("UPDATE webhook_endpoints SET secret = $1, url = $2").bind(sealed(endpoint)).bind(url);
    update.execute(app.sql()).await.unwrap();
}

/// Fails if the process exits before the receiver has received `count`.
async fn heard_of(process: &mut Child, hook: &Hook, count: usize) {
    let ended = async {
        while process.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = hook.wait_for(count) => {}
        () = ended => panic!("the worker ended by itself"),
    }
}

/// A worker process of this binary on the test's database, with the runtime role: a more powerful one is refused.
fn worker(app: &TestGateway) -> Child {
    worker_on(&app.runtime_database()).spawn().unwrap()
}

/// The same on any database.
pub(crate) fn worker_on(database: &PgConnectOptions) -> Command {
    let url = database.to_url_lossy().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command
        .arg("worker")
        .env_clear()
        .envs([
            ("ECG_DATABASE_URL", url.as_str()),
            ("ECG_CLOUD_ACCESS_KEY_ID", "none"),
            ("ECG_CLOUD_ACCESS_KEY_SECRET", "none"),
            ("ECG_CLOUD_ENDPOINT", "http://127.0.0.1:9"),
            ("ECG_AUTH_ISSUER", "https://issuer.example"),
            ("ECG_AUTH_AUDIENCE", "eci-cache-gateway"),
            ("ECG_AUTH_HS256_SECRET", "a secret for the tokens of tests, 32 bytes or more"),
            ("ECG_KEYS_MASTER", MASTER),
            ("ECG_KEYS_AUDIT", AUDIT),
            ("ECG_WEBHOOK_ALLOW_HTTP", "true"),
            ("ECG_WEBHOOK_ALLOW_LOOPBACK", "true"),
            // The process uses the machine's clock, by which what a test wrote with its own clock is months old.
            ("ECG_RETENTION_EVENTS_DAYS", "3650"),
            ("ECG_RETENTION_DELIVERIES_DAYS", "3650"),
            ("ECG_RETENTION_IMAGE_CACHES_DAYS", "3650"),
            ("ECG_RETENTION_CREDENTIALS_DAYS", "3650"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[tokio::test]
async fn whenever_the_process_is_killed_everything_arrives_with_the_same_id_and_bytes() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, _) = app.endpoint(&hook.url()).await;
    seal_anew(&app, &endpoint, &hook.url()).await;
    app.created().await;
    multiply(&app, 39).await;
    for _ in 0..2 {
        let before = hook.received().len();
        hook.hold();
        let mut process = worker(&app);
        heard_of(&mut process, &hook, before + 8).await;
        // SIGKILL, with eight being sent and the rest claimed.
        process.kill().unwrap();
        process.wait().unwrap();
        hook.release();
        assert!(app.count(IN_HAND).await > 8);
        sqlx::query(LOSE_LEASES).execute(app.sql()).await.unwrap();
    }
    let mut last = worker(&app);
    let before = hook.received().len();
    heard_of(&mut last, &hook, before + 1).await;
    while app.count("SELECT count(*) FROM webhook_deliveries WHERE state <> 2").await > 0 {
        tokio::task::yield_now().await;
    }
    last.kill().unwrap();
    last.wait().unwrap();
    let told: Vec<(String, String)> =
        sqlx::query_as("SELECT id::text, body FROM events").fetch_all(app.sql()).await.unwrap();
    let mut arrived: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in hook.received() {
        arrived.entry(one.header("webhook-id").to_owned()).or_default().insert(one.body);
    }
    assert_eq!((arrived.len(), told.len()), (40, 40));
    assert!(arrived.values().all(|bodies| bodies.len() == 1), "the same bytes each time");
    assert_eq!(app.count(IN_HAND).await, 0);
}

#[tokio::test]
async fn a_database_that_breaks_its_connections_is_found_again() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let (gateway, stop) = (app.gateway.clone(), CancellationToken::new());
    let told = stop.clone();
    let running = tokio::spawn(async move { gateway.webhooks().deliver_until(&told).await });
    app.created().await;
    hook.wait_for(1).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let _broken: Value = json!(app.count(kill).await);
    // Requests may fail because of a broken connection too.
    while app.create("nginx:1.27").await.status != 201 {}
    let delivered = "SELECT count(*) FROM webhook_deliveries WHERE state <> 2";
    hook.wait_for(2).await;
    while app.count(delivered).await > 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}
