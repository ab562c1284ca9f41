//! The testbed: a database of its own, the stand-in in this process, and the workers in a process of their own.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::SystemClock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::sim::StandIn;
use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::{database, settings, stand_in};

const DATABASE: &str = "ecg_bench_tracker";

/// Everything except the gateway.
pub(crate) struct Testbed {
    /// The database as its owner.
    pub(crate) pool: PgPool,
    /// The same database as the gateway uses it.
    pub(crate) store: Store,
    url: String,
    standin: StandIn,
    http: reqwest::Client,
}

impl Testbed {
    /// Creates a new database and an empty stand-in.
    pub(crate) async fn build(server: &Server) -> anyhow::Result<Self> {
        let options = database::make(server, DATABASE).await?;
        let sizes = PoolSizes { requests: 2, workers: 4, acquire: Duration::from_secs(5) };
        let store = Store::open(&options, sizes, Stamp::none());
        let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await?;
        let url = server.database_url().replacen("/postgres?", &format!("/{DATABASE}?"), 1);
        let url = url.replacen("user=eci&", "user=eci_runtime&", 1);
        let standin = stand_in::start(1.0, Vec::new(), Arc::new(SystemClock), Arc::new(Entropy::from_seed(1))).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { pool, store, url, standin, http })
    }

    /// Starts the workers.
    pub(crate) fn worker(&self) -> anyhow::Result<Worker> {
        let child = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"))
            .arg("worker")
            .env_clear()
            .envs(settings::variables(&self.url, &self.standin.url()))
            // One account here stands for many, so it has the rate limit of many.
            .env("ECG_CLOUD_CALLS_PER_SECOND", "2000")
            .env("ECG_LOG", "warn")
            .stdout(Stdio::null())
            .spawn();
        Ok(Worker(child.context("the workers do not start")?))
    }

    /// Calls the stand-in's admin API.
    pub(crate) async fn admin(&self, door: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/_admin/{door}", self.standin.url());
        let answer = self.http.post(url).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// The number of reads that the cloud has counted.
    pub(crate) async fn looks(&self) -> anyhow::Result<u64> {
        let answer = self.http.get(format!("{}/_admin/calls", self.standin.url())).send().await?;
        let calls: Value = answer.json().await?;
        Ok(calls["calls"]["DescribeImageCaches"].as_u64().unwrap_or(0))
    }

    /// Deletes caches in the cloud.
    pub(crate) async fn remove(&self, gone: &[(String, String)]) -> anyhow::Result<()> {
        let gone: Vec<Value> =
            gone.iter().map(|(region, id)| json!({"region": region, "image_cache_id": id})).collect();
        self.admin("caches", &json!({ "remove": gone })).await.map(drop)
    }

    pub(crate) async fn end(self) {
        self.pool.close().await;
        self.store.close().await;
        self.standin.shutdown().await;
    }
}

/// The workers' process; ended when dropped.
pub(crate) struct Worker(Child);

impl Worker {
    /// The CPU time so far in seconds.
    pub(crate) fn busy(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name may contain spaces; after its parenthesis, user and system time are the 12th and 13th word, in 10
        // ms.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / 100.0)
    }

    /// The maximum memory so far in MB.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1_024.0)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
