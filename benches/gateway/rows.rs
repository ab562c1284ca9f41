//! The rows with a reference: the requests to the gateway, and the references for the same work.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use eci_cache_gateway::localpg::Server;

use crate::contest::{Contestant, Pace, hold};
use crate::load::{self, Work};
use crate::nginx::Nginx;
use crate::plan::Which;
use crate::reference::{self, Pgbench};
use crate::report::Row;
use crate::requests::{self, Key};
use crate::served::{Parts, Served};
use crate::site::{Site, Size};
use crate::twin::Twin;
use crate::unaudited::Half;

/// The gateway's default number of database connections.
const POOL: u32 = 10;
/// The maximum number of load connections.
const MANY: u64 = 128;
/// Few enough that no CPU is saturated while the cloud is slow, so that the added latency is visible.
const FEW: u64 = 16;

/// The maximum number of image caches that are read before measuring.
const READ_ONCE: u64 = 1_000_000;

/// What the rows compare: this gateway and its peers.
struct Field<'a> {
    site: &'a Site,
    pace: Pace,
    ours: Served,
    pgbench: Option<Arc<Pgbench>>,
    twin: Option<Twin>,
    rows: Vec<Row>,
}

/// Measures the requested rows at this size. Unavailable participants are added to `absent`.
pub(crate) async fn measure(
    server: &Server,
    folder: &Path,
    there: Size,
    which: &Which,
    pace: Pace,
    absent: &mut Vec<String>,
) -> anyhow::Result<Vec<Row>> {
    eprintln!("{} image caches of {} teams are put there", there.caches, there.teams);
    let site = Site::build(server, there).await?;
    let ours = Served::start(&site, POOL, Parts::Api).await?;
    let pgbench = Pgbench::find(server, &folder.join("bench-pgbench"), there).await?.map(Arc::new);
    if pgbench.is_none() {
        absent.push("pgbench: there is none beside the server's programs".to_owned());
    }
    let twin = Twin::start(&site, &folder.join("bench-peers")).await;
    let twin = present(twin, "FastAPI + asyncpg", absent);
    if let Some(twin) = &twin {
        let (ours, theirs) = (requests::first(&site, ours.address).await?, requests::first(&site, twin.address).await?);
        ensure!(ours == theirs, "the twin answers otherwise: {theirs} instead of {ours}");
    }
    settle(&site, &ours).await?;
    let mut field = Field { site: &site, pace, ours, pgbench, twin, rows: Vec::new() };
    field.reads(which).await?;
    if which.has("two") {
        field.two_gateways().await?;
    }
    // Last, because they make the table grow.
    field.creates(which, absent).await?;
    Ok(field.rows)
}

/// Reads every image cache once, or as many as there is time for, so that the gateway has rendered and stored their
/// representations. Then vacuums the database, for all participants.
async fn settle(site: &Site, ours: &Served) -> anyhow::Result<()> {
    eprintln!("every image cache is read once");
    load::once(&requests::read(site, vec![ours.address]), MANY, site.size.caches.min(READ_ONCE)).await?;
    site.put_in_order().await
}

/// Leaves out a participant that could not be started, and adds it to `absent`.
fn present<T>(started: anyhow::Result<T>, name: &str, absent: &mut Vec<String>) -> Option<T> {
    started.map_err(|error| absent.push(format!("{name}: {error:#}"))).ok()
}

impl Field<'_> {
    async fn reads(&mut self, which: &Which) -> anyhow::Result<()> {
        for connections in [32, MANY].into_iter().filter(|_| which.has("read")) {
            let work = |address| requests::read(self.site, vec![address]);
            let mut all = vec![self.gateway(work(self.ours.address))];
            all.extend(self.pgbench("pgbench, same SQL", reference::read()));
            all.extend(self.twin.as_ref().map(|twin| of(twin, work(twin.address))));
            self.hold("read one", connections, &all).await?;
        }
        if which.has("list") {
            let work = |address| requests::list(self.site, vec![address]);
            let mut all = vec![self.gateway(work(self.ours.address))];
            all.extend(self.pgbench("pgbench, same SQL", reference::list()));
            all.extend(self.twin.as_ref().map(|twin| of(twin, work(twin.address))));
            self.hold("list of 50", 32, &all).await?;
        }
        for connections in [1, 32, MANY].into_iter().filter(|_| which.has("audit")) {
            let mut all = vec![self.gateway(requests::read(self.site, vec![self.ours.address]))];
            all.extend(self.pgbench("pgbench, durable row", reference::audit()));
            self.hold("read with its audit entry", connections, &all).await?;
        }
        if which.has("unaudited") {
            self.unaudited().await?;
        }
        if which.has("match") {
            let mut all = vec![self.gateway(requests::matches(self.site, vec![self.ours.address]))];
            all.extend(self.pgbench("pgbench, same SQL", reference::matches()));
            self.hold("match", 32, &all).await?;
        }
        Ok(())
    }

    /// The cost of the audit: the same server with and without it.
    async fn unaudited(&mut self) -> anyhow::Result<()> {
        let (with, without) = (Half::start(self.site, true).await?, Half::start(self.site, false).await?);
        for connections in [32, MANY] {
            let work = |half: &Half| requests::read(self.site, vec![half.address]);
            let all = [
                Contestant::answering("with its audit", work(&with), vec![with.pid()]),
                Contestant::answering("the same without", work(&without), vec![without.pid()]),
            ];
            self.hold("audit against none", connections, &all).await?;
        }
        Ok(())
    }

    /// Two gateways on one database, compared with one, and with one that has as many connections as both.
    async fn two_gateways(&mut self) -> anyhow::Result<()> {
        let second = Served::start(self.site, POOL, Parts::Api).await?;
        let wide = Served::start(self.site, 2 * POOL, Parts::Api).await?;
        let work = |addresses| requests::read(self.site, addresses);
        let both = work(vec![self.ours.address, second.address]);
        let all = [
            Contestant::answering("two gateways", both, vec![self.ours.pid(), second.pid()]),
            self.gateway(work(vec![self.ours.address])),
            Contestant::answering("gateway, 20 to Postgres", work(vec![wide.address]), vec![wide.pid()]),
        ];
        self.hold("read one, two gateways", MANY, &all).await
    }

    async fn creates(&mut self, which: &Which, absent: &mut Vec<String>) -> anyhow::Result<()> {
        if !which.has("create") && !which.has("rpc") {
            return Ok(());
        }
        let nginx = present(Nginx::start(self.site.cloud).await, "nginx", absent);
        let forwarded = || {
            let nginx = nginx.as_ref()?;
            let work = requests::signed_create(Key::of_the_cloud(), vec![nginx.address]);
            Some(Contestant::answering("nginx, same cloud", work, vec![nginx.pid()]))
        };
        for (milliseconds, connections) in
            [(0, MANY), (50, FEW), (50, MANY)].into_iter().filter(|_| which.has("create"))
        {
            self.site.cloud_takes(milliseconds).await?;
            let work = |address| requests::create(self.site, vec![address]);
            let mut all = vec![self.gateway(work(self.ours.address))];
            all.extend(forwarded());
            all.extend(self.twin.as_ref().map(|twin| of(twin, work(twin.address))));
            self.hold(&format!("create, cloud at {milliseconds} ms"), connections, &all).await?;
        }
        self.site.cloud_takes(0).await?;
        if which.has("rpc") {
            let key = Key::issued(self.site, self.ours.address).await.context("an access key")?;
            let mut all = vec![self.gateway(requests::signed_create(key, vec![self.ours.address]))];
            all.extend(forwarded());
            self.hold("create by RPC, at 0 ms", MANY, &all).await?;
        }
        Ok(())
    }

    fn gateway(&self, work: Arc<Work>) -> Contestant {
        Contestant::answering("gateway", work, vec![self.ours.pid()])
    }

    fn pgbench(&self, name: &'static str, script: String) -> Option<Contestant> {
        Contestant::sql(name, self.pgbench.as_ref(), script)
    }

    async fn hold(&mut self, name: &str, connections: u64, all: &[Contestant]) -> anyhow::Result<()> {
        let row = hold(name, connections, all, self.pace, self.site.postmaster).await;
        self.rows.push(row.with_context(|| name.to_owned())?);
        Ok(())
    }
}

fn of(twin: &Twin, work: Arc<Work>) -> Contestant {
    Contestant::answering("FastAPI + asyncpg", work, vec![twin.pid()])
}
