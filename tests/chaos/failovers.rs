//! Repeated failovers, and how long each API needed to recover: `--failovers N`.
//!
//! What must stay true: an API counts as recovered with the first successful request that was sent after the standby
//! took over. The clients' scenarios continue meanwhile, and the ledgers are judged at the end as always.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eci_cache_gateway::domain::region::Region;
use eci_cache_gateway::eci::{Client, Credentials, DescribeQuery};
use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::check::evidence::{HookFact, RecoveryTime};
use crate::client::{Clients, TEAMS, Wish};
use crate::{cloud, ledger};

/// The pause between two failovers, in which the scenarios continue.
const CALM: Duration = Duration::from_secs(3);
/// An API that does not work after this time is broken.
const LIMIT: Duration = Duration::from_mins(1);
/// The pause between two attempts at one API.
const PAUSE: Duration = Duration::from_millis(20);

/// Measures the recoveries.
pub(crate) struct Failovers {
    clients: Arc<Clients>,
    rpc: Client,
    region: Region,
    hooks: PathBuf,
    took: BTreeMap<&'static str, Vec<Duration>>,
}

impl Failovers {
    /// `hooks` is the receiver's ledger.
    pub(crate) async fn new(clients: Arc<Clients>, hooks: PathBuf) -> anyhow::Result<Self> {
        let wish = Wish {
            method: Method::POST,
            path: "/v1/access-keys".into(),
            body: Some(json!({})),
            key: None,
            action: "access key",
        };
        let made = clients.ask(TEAMS[0], &wish, None).await?.context("an access key is made")?.json;
        let text = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("{name} in {made}"));
        let (access_key_id, secret) = (text("id")?, text("access_key_secret")?);
        let credentials = Credentials { access_key_id, access_key_secret: secret.into(), security_token: None };
        let rpc = cloud::client(format!("http://{}", clients.testbed.doors()[0]), credentials)?;
        Ok(Self { clients, rpc, region: "cn-hangzhou".parse()?, hooks, took: BTreeMap::new() })
    }

    /// Runs this many failovers one after another; returns how long each took until every API worked.
    pub(crate) async fn run(&mut self, count: u64) -> anyhow::Result<Vec<RecoveryTime>> {
        let mut recoveries = Vec::new();
        for number in 1..=count {
            sleep(CALM).await;
            // The standby is read-only for zero, one or two seconds.
            let took_over = self.clients.testbed.fail_over(Duration::from_secs(number % 3)).await?;
            let took = timeout(LIMIT, self.knock(took_over, number)).await.ok().transpose()?;
            println!("failover {number}: every door after {took:.2?}");
            recoveries.push(RecoveryTime { fault: format!("failover {number}"), took });
        }
        Ok(recoveries)
    }

    /// Tries every API until it works; returns how long the last one needed.
    async fn knock(&mut self, since: Instant, number: u64) -> anyhow::Result<Duration> {
        let (this, name) = (&*self, format!("failover-{number}"));
        let all = tokio::try_join!(
            this.until(since, || this.rest(Wish::read("/v1/image-caches".into()))),
            this.until(since, || this.rest(Wish::read("/v1/events".into()))),
            this.until(since, || this.describe()),
            this.until(since, || this.rest(create(&name))),
            this.until(since, || this.told(&name)),
        )?;
        let doors = ["REST list", "event feed", "RPC DescribeImageCaches", "REST create", "webhook of that create"];
        let all: [Duration; 5] = all.into();
        for (door, took) in doors.into_iter().zip(all) {
            self.took.entry(door).or_default().push(took);
        }
        Ok(all.into_iter().max().unwrap_or_default())
    }

    async fn until<W>(&self, since: Instant, mut works: impl FnMut() -> W) -> anyhow::Result<Duration>
    where
        W: Future<Output = anyhow::Result<bool>>,
    {
        while !works().await? {
            sleep(PAUSE).await;
        }
        Ok(since.elapsed())
    }

    async fn rest(&self, wish: Wish) -> anyhow::Result<bool> {
        let door = self.clients.testbed.doors()[0];
        let heard = self.clients.ask(TEAMS[0], &wish, Some(door)).await?;
        Ok(heard.is_some_and(|heard| heard.status < 300))
    }

    async fn describe(&self) -> anyhow::Result<bool> {
        Ok(self.rpc.describe(&self.region, &DescribeQuery::default()).await.is_ok())
    }

    /// Whether the receiver was notified of the create with that key.
    async fn told(&self, key: &str) -> anyhow::Result<bool> {
        let heard = self.clients.ask(TEAMS[0], &create(key), None).await?;
        let id = heard.and_then(|heard| heard.json["id"].as_str().map(str::to_owned));
        let hooks: Vec<HookFact> = ledger::read(&self.hooks).unwrap_or_default();
        Ok(id.is_some_and(|id| hooks.iter().any(|hook| hook.image_cache == id)))
    }

    /// Prints how long each API needed.
    pub(crate) fn print(&self) {
        println!("\n{:<40} {:>7} {:>7} {:>7}", "from the takeover until it works, s", "p50", "p99", "longest");
        for (door, took) in &self.took {
            let mut took: Vec<f64> = took.iter().map(Duration::as_secs_f64).collect();
            took.sort_by(f64::total_cmp);
            let [half, most, all] = [50, 99, 100].map(|percent| crate::report::quantile(&took, percent));
            println!("{door:<40} {half:>7.2} {most:>7.2} {all:>7.2}");
        }
    }
}

fn create(name: &str) -> Wish {
    Wish {
        method: Method::POST,
        path: "/v1/image-caches".to_owned(),
        body: Some(json!({"name": name, "region": "cn-hangzhou", "images": ["nginx:1.27"]})),
        key: Some(name.to_owned()),
        action: "create",
    }
}
