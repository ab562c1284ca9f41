//! Processes of this binary whose logs or output nobody reads, and their messages to operators.
#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::database::TestDatabase;
use crate::support::folder::TempFolder;
use crate::support::hook::Hook;
use crate::support::process::{KEY, stand_in, token};
use crate::webhooks::faults::worker_on;

/// The time within which a process that was told to stop has exited.
const GONE: Duration = Duration::from_secs(20);

/// The command for a `serve` with workers, on the database that `worker_on` would use.
fn serve_on(database: &TestDatabase, cloud: &str) -> Command {
    let worker = worker_on(&database.as_runtime());
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    let set = worker.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.arg("serve").env_clear().envs(set).stdout(Stdio::null()).stderr(Stdio::piped());
    command.envs([
        ("ECG_LISTEN", "127.0.0.1:0"),
        ("ECG_CLOUD_ENDPOINT", cloud),
        ("ECG_CLOUD_ACCESS_KEY_ID", KEY),
        ("ECG_CLOUD_ACCESS_KEY_SECRET", KEY),
        ("ECG_CLOUD_LOOK_MILLISECONDS", "1000"),
    ]);
    command
}

/// Killed at the end of the test.
struct RunningProcess(Child);

impl RunningProcess {
    /// The first line in which `field` is a string; and the reader for the rest.
    fn told(&mut self, field: &str) -> (String, impl std::io::BufRead + use<>) {
        let mut lines = BufReader::new(self.0.stderr.take().unwrap());
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended by itself");
            let line: Value = serde_json::from_str(&line).unwrap();
            if let Some(text) = line[field].as_str() {
                return (text.to_owned(), lines);
            }
        }
    }

    /// Tells it to stop, and waits.
    async fn stop(&mut self) -> ExitStatus {
        let sent = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let told = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(told.elapsed() < GONE, "it is still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A create, its Ready, its webhook, and then the shutdown; `unread` decides what happens to the logs' reader.
async fn goes_through_life<R>(unread: impl FnOnce(Box<dyn std::io::BufRead>) -> R) -> String {
    let (database, cloud, hook) = (TestDatabase::create().await, stand_in().await, Hook::start().await);
    database.with_open_policy(1).await.close().await;
    let mut process = RunningProcess(serve_on(&database, &cloud.url()).spawn().unwrap());
    let (address, lines) = process.told("address");
    let unread = unread(Box::new(lines));
    let (url, http, token) =
        (format!("http://{address}"), reqwest::Client::builder().no_proxy().build().unwrap(), token());
    let post = |path: &str, body: Value| http.post(format!("{url}{path}")).bearer_auth(&token).json(&body).send();
    let endpoint = json!({"url": hook.url(), "event_types": ["image_cache.ready"]});
    assert_eq!(post("/v1/webhook-endpoints", endpoint).await.unwrap().status(), 201);
    // More lines than a pipe and the queue can hold.
    for _ in 0..1_000 {
        let absent = http.get(format!("{url}/v1/image-caches/ic_absent")).bearer_auth(&token).send().await;
        assert_eq!(absent.unwrap().status(), 404);
    }
    let cache = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    let made = post("/v1/image-caches", cache).await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    let wait = format!("{url}/v1/image-caches/{}/wait?wait_seconds=55", made["id"].as_str().unwrap());
    let ready: Value = http.get(wait).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["condition_met"], true, "{ready}");
    hook.wait_for(1).await;
    let metrics = http.get(format!("{url}/metrics")).bearer_auth(&token).send().await.unwrap().text().await.unwrap();
    assert!(process.stop().await.success());
    drop(unread);
    metrics
}

fn dropped(metrics: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix("ecg_log_lines_dropped_total "));
    line.expect("the family is there from the start").parse().unwrap()
}

#[tokio::test]
async fn a_process_whose_log_reader_has_gone_works_on_counts_what_it_lost_and_stops_when_told() {
    let metrics = goes_through_life(drop).await;
    assert!(dropped(&metrics) >= 1_000.0, "{metrics}");
}

#[tokio::test]
async fn a_process_whose_log_reader_has_stopped_reading_works_on_and_stops_when_told() {
    // The pipe is full: without a queue, the process would block here.
    goes_through_life(|lines| lines).await;
}

#[tokio::test]
async fn a_worker_serves_health_readiness_and_metrics() {
    let database = TestDatabase::create().await;
    let mut command = worker_on(&database.as_runtime());
    command.env("ECG_METRICS_LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
    let mut process = RunningProcess(command.spawn().unwrap());
    let (address, _lines) = process.told("health");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| http.get(format!("http://{address}{path}")).send().await.unwrap();
    assert_eq!(get("/healthz").await.status(), 200);
    while get("/readyz").await.status() != 200 {
        tokio::task::yield_now().await;
    }
    let metrics = get("/metrics").await.text().await.unwrap();
    for family in ["ecg_audit_sealed_total", "ecg_tracker_lag_seconds", "ecg_webhook_attempt_seconds"] {
        assert!(metrics.contains(&format!("# TYPE {family} ")), "{family} is missing from: {metrics}");
    }
    assert_eq!(get("/v1/me").await.status(), 404, "nothing of the API");
    let healthy = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
        command.arg("healthcheck").env_clear().env("ECG_METRICS_LISTEN", &address).output().unwrap()
    };
    assert!(healthy().status.success());
    assert!(process.stop().await.success());
    assert_eq!(healthy().status.code(), Some(1));
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn what_ends_a_process_that_logs_json_is_json_too() {
    for command in ["serve", "worker", "migrate", "rotate-keys"] {
        let Output { status, stderr, .. } = run(&[command], &[("ECG_LISTEN", "nowhere"), ("ECG_LOG", "shout=x")]);
        let lines: Vec<Value> =
            String::from_utf8(stderr).unwrap().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(status.code(), Some(2), "{command}");
        let wrong: Vec<&str> = lines.iter().filter_map(|line| line["setting"].as_str()).collect();
        assert!(wrong.contains(&"ECG_LISTEN") && wrong.contains(&"ECG_LOG"), "{command}: {lines:?}");
    }
    let text = [("ECG_LISTEN", "nowhere"), ("ECG_LOG_FORMAT", "text")];
    let said = String::from_utf8(run(&["serve"], &text).stderr).unwrap();
    assert!(said.starts_with("ECG_LISTEN: must be"), "{said}");
}

/// The last log line of a process.
fn last_line(said: &[u8]) -> Value {
    let said = std::str::from_utf8(said).unwrap();
    serde_json::from_str(said.lines().last().unwrap()).expect(said)
}

#[tokio::test]
async fn a_failure_of_a_process_that_logs_json_has_its_causes_as_an_array() {
    let (database, taken) = (TestDatabase::create().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let mut command = worker_on(&database.as_runtime());
    let folder = TempFolder::new("issuers");
    let issuers = folder.path().join("issuers.json");
    let keys = json!({"from": "jwks_file", "file": "/nowhere/keys.json"});
    let rule =
        json!({"name": "all", "match": {"/sub": ["a"]}, "team": {"fixed": "web"}, "scopes": {"fixed": ["read"]}});
    let issuer =
        json!({"name": "ci", "issuer": "https://ci.example", "audiences": ["x"], "keys": keys, "rules": [rule]});
    std::fs::write(&issuers, json!({"issuers": [issuer]}).to_string()).unwrap();
    command.env("ECG_AUTH_ISSUERS_FILE", &issuers).stderr(Stdio::piped());
    let Output { status, stderr, .. } = command.output().unwrap();
    let line = last_line(&stderr);
    assert_eq!((status.code(), &line["error"]), (Some(2), &json!("a setting cannot be used")));
    let cause = line["causes"][0].as_str().unwrap();
    assert!(cause.starts_with("ECG_AUTH_ISSUERS_FILE: /issuers/0") && cause.contains("No such file"), "{line}");
    let mut command = worker_on(&database.as_runtime());
    command.env("ECG_WEBHOOK_EXTRA_CA_FILE", "/nowhere/ca.pem").stderr(Stdio::piped());
    let Output { status, stderr, .. } = command.output().unwrap();
    let line = last_line(&stderr);
    assert_eq!((status.code(), &line["setting"]), (Some(2), &json!("ECG_WEBHOOK_EXTRA_CA_FILE")));
    assert!(
        line["message"].as_str().is_some_and(|told| told.starts_with("the file /nowhere/ca.pem cannot be")),
        "{line}"
    );
    let mut command = serve_on(&database, "http://127.0.0.1:9");
    let Output { status, stderr, .. } =
        command.env("ECG_LISTEN", taken.local_addr().unwrap().to_string()).output().unwrap();
    let line = last_line(&stderr);
    assert_eq!(status.code(), Some(1));
    assert!(line["error"].as_str().is_some_and(|error| error.contains("is in use by another program")), "{line}");
    let mut command = serve_on(&database, "http://127.0.0.1:9");
    let Output { status, stderr, .. } =
        command.env("ECG_LISTEN", "127.0.0.1:18080").env("ECG_METRICS_LISTEN", "127.0.0.1:18080").output().unwrap();
    assert_eq!((status.code(), &last_line(&stderr)["setting"]), (Some(2), &json!("ECG_METRICS_LISTEN")));
}

#[test]
fn a_command_whose_reader_goes_away_ends_quietly() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.arg("openapi").env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = [0; 10];
    let mut answer = child.stdout.take().unwrap();
    answer.read_exact(&mut first).unwrap();
    drop(answer);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    // 128 + SIGPIPE, by the convention of shells.
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap().as_str()), (Some(141), ""));
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    let Output { status, stderr, .. } =
        command.arg("openapi").env_clear().stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(said.starts_with("error: printing the answer: ") && !said.contains("panic"), "{said}");
}
