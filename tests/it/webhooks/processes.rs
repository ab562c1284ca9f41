//! Worker processes of this binary that are told to stop, or lose their database connection: nothing is lost, nothing
//! is sent twice unnecessarily, and the log stays short.
#![cfg(test)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chrono::{DateTime, Utc};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::EndpointId;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::chaos::proxy::{FaultProxy, ProxyTarget, Sky};
use crate::support::gateway::TestGateway;
use crate::support::hook::Hook;
use crate::webhooks::faults::{IN_HAND, sealed, worker_on};

/// The limit of lines per minute.
const FEW: usize = 100;
const ARRIVED: &str = "SELECT count(*) FROM webhook_deliveries WHERE state = 2";

/// A running `worker` and its output.
struct WorkerProcess {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl WorkerProcess {
    fn start(database: &PgConnectOptions) -> Self {
        let mut process = worker_on(database).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, said) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(process.stderr.take().unwrap()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { process, lines }
    }

    fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Until that many of its lines contain all these words.
    async fn says(&mut self, words: &[&str], times: usize) {
        let has = |line: &&String| words.iter().all(|word| line.contains(word));
        while self.said().iter().filter(has).count() < times {
            assert!(self.process.try_wait().unwrap().is_none(), "it ended by itself: {:#?}", self.said());
            tokio::task::yield_now().await;
        }
    }

    fn terminate(&self) {
        let sent =
            Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Until it has exited; returns whether successfully.
    async fn ended(&mut self) -> bool {
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// This many endpoints in each of this many teams, whose secrets the processes can decrypt.
async fn endpoints(app: &TestGateway, hook: &Hook, teams: usize, each: usize) {
    let entropy = Entropy::from_seed(7);
    for number in 0..teams * each {
        let id = EndpointId::new(SystemClock.now(), &entropy);
        let sql = "WITH w AS (INSERT INTO webhook_endpoints (id, team, url, event_types, secret, created_at)
                VALUES ($1, $2, $3, '{}', $4, now()))
            INSERT INTO webhook_endpoint_state (endpoint) VALUES ($1)";
        let made = sqlx::query(sql).bind(id.uuid()).bind(format!("team-{}", number % teams)).bind(hook.url());
        made.bind(sealed(&id.to_string())).execute(app.sql()).await.unwrap();
    }
}

/// This many deliveries for each endpoint, each with an event of its own.
async fn tell(app: &TestGateway, each: i32) {
    let sql = "WITH told AS (
            INSERT INTO events (id, team, type, endpoint, dedupe_key, body, occurred_at)
            SELECT gen_random_uuid(), team, 'webhook_endpoint.failing', id, gen_random_uuid()::text, '{}', now()
            FROM webhook_endpoints, generate_series(1, $1) RETURNING seq, team, endpoint)
        INSERT INTO webhook_deliveries (team, event, endpoint, next_attempt_at) SELECT team, seq, endpoint, now() FROM told";
    sqlx::query(sql).bind(each).execute(app.sql()).await.unwrap();
}

/// Until a query returns `wanted`.
async fn until(app: &TestGateway, sql: &'static str, wanted: i64) {
    while app.count(sql).await != wanted {
        tokio::task::yield_now().await;
    }
}

fn ids(hook: &Hook) -> BTreeSet<String> {
    hook.received().iter().map(|one| one.header("webhook-id").to_owned()).collect()
}

/// The time of a line.
fn time(line: Option<&String>) -> DateTime<Utc> {
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    line["timestamp"].as_str().unwrap().parse().unwrap()
}

/// A proxy in front of the test's database, and how to connect through it.
async fn proxied(app: &TestGateway) -> (FaultProxy, PgConnectOptions) {
    let own = app.runtime_database();
    let socket = own.get_socket().unwrap().join(format!(".s.PGSQL.{}", own.get_port()));
    let proxy = FaultProxy::before(ProxyTarget::Postgres(socket)).await;
    let way = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(proxy.address.port());
    let way = way.username(own.get_username()).database(own.get_database().unwrap()).ssl_mode(PgSslMode::Disable);
    (proxy, way)
}

#[tokio::test]
async fn a_process_told_to_stop_ends_its_two_hundred_and_leaves_the_rest_to_another_at_once() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoints(&app, &hook, 5, 5).await;
    tell(&app, 12).await;
    hook.hold();
    let mut first = WorkerProcess::start(&app.runtime_database());
    hook.wait_for(200).await;
    until(&app, IN_HAND, 300).await;
    let mut second = WorkerProcess::start(&app.runtime_database());
    second.says(&["working"], 1).await;
    first.terminate();
    // Deliveries that were not started are returned at once; those being sent continue, and nobody else sends them.
    until(&app, IN_HAND, 200).await;
    assert!(first.process.try_wait().unwrap().is_none());
    assert_eq!(hook.received().len(), 200, "two processes look, one delivers");
    hook.release();
    assert!(first.ended().await, "{:#?}", first.said());
    until(&app, ARRIVED, 300).await;
    assert_eq!((hook.received().len(), ids(&hook).len()), (300, 300), "none is lost, none comes twice");
    assert_eq!(app.count("SELECT count(*) FROM delivery_attempts WHERE outcome = 'delivered'").await, 300);
    second.terminate();
    assert!(second.ended().await);
    assert_eq!(app.count("SELECT count(*) FROM webhook_workers").await, 0);
}

#[tokio::test]
async fn a_database_that_falls_silent_while_results_are_recorded_loses_none_of_them() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoints(&app, &hook, 1, 1).await;
    tell(&app, 40).await;
    let (proxy, way) = proxied(&app).await;
    hook.hold();
    let mut worker = WorkerProcess::start(&way);
    hook.wait_for(8).await;
    proxy.set(Sky { silent: true, ..Sky::default() });
    hook.release();
    // It answers nobody, but nobody waits forever.
    worker.says(&["a pass failed", "deliverer"], 1).await;
    assert_eq!(app.count(ARRIVED).await, 0, "nothing of it was recorded");
    proxy.set(Sky::default());
    until(&app, ARRIVED, 40).await;
    assert_eq!((ids(&hook).len(), app.count(IN_HAND).await), (40, 0));
    worker.terminate();
    assert!(worker.ended().await);
}

#[tokio::test]
async fn a_minute_without_the_database_fills_no_log() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    endpoints(&app, &hook, 1, 1).await;
    tell(&app, 1).await;
    let (proxy, way) = proxied(&app).await;
    let mut worker = WorkerProcess::start(&way);
    hook.wait_for(1).await;
    let before = worker.said().len();
    proxy.set(Sky { refused: true, ..Sky::default() });
    proxy.storm();
    // A repeated message is logged after a minute, no sooner: most lines are at the beginning.
    worker.says(&["a pass failed", "tracker"], 2).await;
    let said = worker.said().split_off(before);
    let seconds = usize::try_from((time(said.last()) - time(said.first())).num_seconds()).unwrap();
    assert!(seconds >= 59, "{said:#?}");
    assert!(said.len() * 60 / seconds < FEW, "{} in {seconds} s: {said:#?}", said.len());
    assert!(said.iter().any(|line| line.contains("deliverer")), "it is said, though: {said:#?}");
    tell(&app, 1).await;
    proxy.set(Sky::default());
    until(&app, ARRIVED, 2).await;
}
