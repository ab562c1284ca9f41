//! A gateway's own database, issuer, cloud and listeners cannot be receivers, by whatever name or address.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::own_services::OwnService;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::TestDatabase;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::process::{KEY, stand_in, token};
use crate::support::receiver::RawReceiver;
use crate::webhooks::faults::worker_on;
use crate::webhooks::sender::Names;

/// A `serve` with these additional settings, killed at the end of the test.
struct Serving {
    process: Child,
    address: String,
    lines: Vec<String>,
}

impl Serving {
    fn start(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        let worker = worker_on(&database.as_runtime());
        let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
        let set = worker.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(["serve", "--no-worker"]).env_clear().envs(set).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("ECG_LISTEN", "127.0.0.1:0").env("ECG_WEBHOOK_ALLOW_SKIP_CHALLENGE", "true");
        let process = command.envs(settings.iter().copied()).spawn().unwrap();
        let mut serving = Self { process, address: String::new(), lines: Vec::new() };
        let mut lines = BufReader::new(serving.process.stderr.take().unwrap());
        while serving.address.is_empty() {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended by itself: {:#?}", serving.lines);
            let read: Value = serde_json::from_str(&line).unwrap();
            read["address"].as_str().unwrap_or_default().clone_into(&mut serving.address);
            serving.lines.push(line);
        }
        serving
    }

    /// The status of a request for an endpoint at `url`, and the message.
    async fn add(&self, url: &str) -> (u16, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = json!({"url": url, "skip_challenge": true});
        let asked = http.post(format!("http://{}/v1/webhook-endpoints", self.address)).bearer_auth(token()).json(&body);
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[tokio::test]
async fn the_gateways_own_services_are_closed_by_the_address_that_is_connected_to() {
    let (database, cloud, issuer) =
        (TestDatabase::create().await, stand_in().await, RawReceiver::says("200 OK", "").await);
    database.with_open_policy(1).await.close().await;
    let sts = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = [
        ("ECG_CLOUD_ENDPOINT", &*cloud.url()),
        ("ECG_CLOUD_STS_ENDPOINT", &*format!("http://localhost:{}", sts.port())),
        ("ECG_CLOUD_ACCESS_KEY_ID", KEY),
        ("ECG_CLOUD_ACCESS_KEY_SECRET", KEY),
        ("ECG_CLOUD_PROXY", "http://127.0.0.1:9099"),
        ("ECG_PUBLIC_URL", "http://127.0.0.1:9098"),
    ];
    let serving = Serving::start(&database, &settings);
    let port = |url: &str| url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let ports = [port(&cloud.url()), sts.port().to_string(), port(&serving.address), "9099".into(), "9098".into()];
    let mut open = Vec::new();
    for port in &ports {
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
            let (status, said) = serving.add(&format!("http://{host}:{port}/_admin/reset")).await;
            if status != 422 || !said.contains("gateway's own services") {
                open.push(format!("{host}:{port} {status} {said}"));
            }
        }
    }
    assert!(open.is_empty(), "{open:#?}");
    let (status, said) = serving.add(&issuer.url()).await;
    assert_eq!(status, 201, "another port of the same host is free: {said}");
}

#[tokio::test]
async fn the_database_is_closed_too_where_it_is_reached_by_a_socket_as_well() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let port = database.options.get_port();
    let serving = Serving::start(&database, &[("ECG_CLOUD_ENDPOINT", "http://127.0.0.1:9")]);
    for host in ["127.0.0.1", "localhost", "127.1"] {
        let (status, said) = serving.add(&format!("http://{host}:{port}/")).await;
        assert!(status == 422 && said.contains("gateway's own services"), "{host}:{port} {status} {said}");
    }
}

#[tokio::test]
async fn an_issuer_that_shares_an_address_lets_hosts_through_that_the_operator_names() {
    let allow_cidrs = vec!["10.0.0.0/8".parse().unwrap()];
    let policy = |suffixes: &[&str]| AddressPolicy {
        allow_http: true,
        allow_public: true,
        allow_cidrs: allow_cidrs.clone(),
        allow_host_suffixes: suffixes.iter().map(|suffix| (*suffix).to_owned()).collect(),
        ..AddressPolicy::default()
    };
    // All names resolve to one ingress or CDN.
    let start = async |policy, address: &'static str| {
        let lookup = Some(Arc::new(Names::new(&[&[address]])) as _);
        let own = vec![
            OwnService { host: "idp.test".into(), port: 443, shared: true },
            OwnService { host: "db.test".into(), port: 5432, shared: false },
        ];
        TestGateway::with(Setup { policy, lookup, own, ..Setup::default() }).await
    };
    let (by_network, by_name, public) = tokio::join!(
        start(policy(&[]), "10.0.0.5"),
        start(policy(&["hooks.test"]), "10.0.0.5"),
        start(policy(&[]), "1.1.1.1")
    );
    for (url, expected) in [
        ("https://hooks.test/", [422, 201, 201]),
        ("https://hooks.test:8443/", [201, 201, 201]),
        ("https://idp.test/", [422, 422, 422]),
        ("https://IDP.test.:8443/", [422, 422, 422]),
        ("https://10.0.0.5/", [422, 422, 201]),
        ("https://hooks.test:5432/", [422, 422, 422]),
        ("https://[::ffff:10.0.0.5]:5432/", [422, 422, 201]),
    ] {
        let body = json!({"url": url, "skip_challenge": true});
        for (app, expected) in [&by_network, &by_name, &public].into_iter().zip(expected) {
            let answer = app.post("/v1/webhook-endpoints", &body).await;
            assert_eq!(answer.status, expected, "{url}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_setting_that_would_open_a_metadata_address_is_told_so_by_name() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let settings = [
        ("ECG_WEBHOOK_ALLOW_CIDRS", "fd00::/8,192.0.0.0/24,10.0.0.0/8,168.63.129.16"),
        ("ECG_WEBHOOK_ALLOW_HOST_SUFFIXES", "google.internal"),
    ];
    let serving = Serving::start(&database, &settings);
    let told: Vec<_> = serving.lines.iter().filter(|line| line.contains("ECG_WEBHOOK_ALLOW_")).collect();
    for (setting, address) in [
        ("fd00::/8", "fd00:ec2::254"),
        ("192.0.0.0/24", "192.0.0.192"),
        ("168.63.129.16", "Azure"),
        ("google.internal", "metadata.google.internal"),
    ] {
        assert!(told.iter().any(|line| line.contains(setting) && line.contains(address)), "{setting}: {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("10.0.0.0/8")), "{told:#?}");
}
