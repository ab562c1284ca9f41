//! The testbed: a gateway on loopback with a durable database, 10,000 image caches, and the stand-in.
//!
//! Built as by `serve` with its defaults: 10 connections to the database, every request's token verified, and its audit
//! entry durable before the response. No workers run, and nothing is logged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use eci_cache_gateway::app::{self, Gateway};
use eci_cache_gateway::assembly::{self, Overrides};
use eci_cache_gateway::domain::clock::{Clock, Instant, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::limits::queue::Capacity;
use eci_cache_gateway::domain::limits::{self, TeamLimits};
use eci_cache_gateway::domain::poll::budget;
use eci_cache_gateway::http;
use eci_cache_gateway::http::links::Links;
use eci_cache_gateway::http::server::ConnectionLimits;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::sim::StandIn;
use eci_cache_gateway::store::{PoolSizes, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::DropGuard;

use crate::{database, door, parts, stand_in, tokens};

/// The database, which is created again for each run.
pub(crate) const DATABASE: &str = "ecg_bench";
/// The team that owns all image caches.
pub(crate) const TEAM: &str = "bench";
/// The number of image caches.
pub(crate) const CACHES: u64 = 10_000;
/// The first number in the ids of the seeded caches, with the 12 digits in which an id ends.
pub(crate) const FIRST: u64 = 100_000_000_000;
/// The prefix of the ids of the seeded caches.
pub(crate) const ID_STEM: &str = "01990000-0000-7000-8000-";

/// Everything that runs during a measurement.
pub(crate) struct Testbed {
    /// The address of the API.
    pub(crate) address: SocketAddr,
    /// A token with all necessary scopes.
    pub(crate) token: String,
    gateway: Gateway,
    standin: Arc<StandIn>,
    database: PgConnectOptions,
    _stop: DropGuard,
}

impl Testbed {
    /// Creates the database and starts everything else.
    pub(crate) async fn build(server: &Server, asked: limits::Limits) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy = Arc::new(Entropy::from_seed(1));
        let standin = Arc::new(standin(&clock, &entropy).await?);
        database(server, DATABASE, CACHES, &format!("'{TEAM}'")).await.context("the database")?;
        Self::open(
            database::connect_to(server, DATABASE),
            standin,
            clock,
            entropy,
            (asked, http::HttpSettings::default()),
        )
        .await
    }

    /// A gateway on an existing database.
    pub(crate) async fn on(database: PgConnectOptions, settings: http::HttpSettings) -> anyhow::Result<Self> {
        let (clock, entropy): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Arc::new(Entropy::from_seed(3)));
        let standin = Arc::new(standin(&clock, &entropy).await?);
        Self::open(database, standin, clock, entropy, (boundless(), settings)).await
    }

    /// Another gateway on the same database and stand-in.
    pub(crate) async fn neighbour(&self) -> anyhow::Result<Self> {
        let entropy = Arc::new(Entropy::from_seed(2));
        let clock = Arc::new(SystemClock);
        let asked = (boundless(), http::HttpSettings::default());
        Self::open(self.database.clone(), Arc::clone(&self.standin), clock, entropy, asked).await
    }

    async fn open(
        database: PgConnectOptions,
        standin: Arc<StandIn>,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
        (asked, settings): (limits::Limits, http::HttpSettings),
    ) -> anyhow::Result<Self> {
        let token = token(clock.now(), TEAM)?;
        let given = Overrides { settings: Some(boundless_settings(asked)), ..Overrides::default() };
        let ground = parts::ground(&database, sizes(), clock, entropy);
        let gateway = Gateway::new(assembly::parts(&parts::config(&standin.url()), ground, given, &[])?);
        let limits =
            ConnectionLimits { connections: 100_000, connections_per_address: 100_000, ..ConnectionLimits::default() };
        let (address, stop) = door::open(gateway.clone(), settings, Links::default(), limits).await?;
        Ok(Self { address, token, gateway, standin, database, _stop: stop })
    }

    /// The number of clients that wait at this gateway.
    pub(crate) fn waiting(&self) -> usize {
        self.gateway.events().waiting()
    }

    /// Its database, for direct writes.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.database, sizes(), parts::stamp())
    }

    /// Seals everything that can be sealed.
    pub(crate) async fn seal(&self) -> anyhow::Result<()> {
        while self.gateway.audit().seal().await? {}
        Ok(())
    }

    /// Waits until everything that was started has ended.
    pub(crate) async fn end(self) {
        self.gateway.base().drain().await;
        self.gateway.close().await;
    }
}

/// A new database with every migration and this number of seeded caches; `team` is an SQL expression for the team of
/// cache `n`.
pub(crate) async fn database(server: &Server, name: &str, caches: u64, team: &str) -> anyhow::Result<()> {
    let options = database::make(server, name).await?;
    let mut owner = PgConnection::connect_with(&options).await?;
    owner.execute(AssertSqlSafe(seed(caches, team))).await?;
    owner.execute("VACUUM ANALYZE image_caches").await?;
    Ok(())
}

/// The default number of connections of `serve`.
fn sizes() -> PoolSizes {
    PoolSizes { requests: 6, workers: 4, acquire: Duration::from_secs(5) }
}

/// Ready caches with four images, numbered from [`FIRST`].
fn seed(caches: u64, team: &str) -> String {
    format!(
        "INSERT INTO image_caches (id, team, account, region, name, images, spec, status, provider_status, generation,
             version, sequence, operation, eci_cache_id, container_group_id, snapshot_id, progress_percent, evidence,
             misses, created_at, updated_at, ready_at)
         SELECT ('{ID_STEM}' || n)::uuid, {team}, 'default', 'cn-beijing', 'web-' || n, images,
             jsonb_build_object('name', 'web-' || n, 'region', 'cn-beijing', 'images', images, 'size_gib', 40,
                 'tags', jsonb_build_object('service', 'web', 'commit', md5(n::text))),
             'ready', 'Ready', 1, 4, 3, ('{ID_STEM}' || n)::uuid, 'imc-2ze' || n, 'eci-2ze' || n, 's-2ze' || n, 100,
             jsonb_build_object('build_seen', true, 'failed_before', false), 0, now(), now(), now()
         FROM generate_series({FIRST}, {last}) AS n,
             LATERAL (SELECT array_agg('registry.example.com/team/web-' || i || ':' || md5(n::text)) AS images
                      FROM generate_series(1, 4) AS i) AS four",
        last = FIRST + caches - 1
    )
}

/// A stand-in without limits and delays.
pub(crate) async fn standin(clock: &Arc<dyn Clock>, entropy: &Arc<Entropy>) -> anyhow::Result<StandIn> {
    let standin = stand_in::start(1_000_000.0, Vec::new(), Arc::clone(clock), Arc::clone(entropy)).await?;
    let address = standin.address();
    without_limits(address).await?;
    Ok(standin)
}

/// Otherwise the cloud's limit of 200 creates a minute would be measured.
async fn without_limits(standin: SocketAddr) -> anyhow::Result<()> {
    admin(standin, "POST", "settings", r#"{"quota":1000000,"creates_per_minute":1000000000}"#).await
}

/// Calls the stand-in's admin API.
pub(crate) async fn admin(standin: SocketAddr, method: &str, door: &str, body: &str) -> anyhow::Result<()> {
    let head = format!("{method} /_admin/{door} HTTP/1.1\r\nhost: {standin}\r\ncontent-type: application/json\r\n");
    let request = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(standin).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "the stand-in refused {door}: {answer}");
    Ok(())
}

/// Limits at which nothing is refused.
pub(crate) fn boundless() -> limits::Limits {
    let rate = Rate { per_second: 1_000_000, burst: 1_000_000 };
    let usual = limits::Limits::default();
    let team = TeamLimits { rate, running: 1_000_000, waiting: 1_000_000 };
    let long = Duration::from_mins(1);
    limits::Limits {
        team,
        room: Capacity { running: 1_000_000, lists: 1_000_000, queue: 1, max_wait: long, target: long, lately: long },
        ..usual
    }
}

/// The cloud has no delay and no limits here. How much a team may have is not measured.
fn boundless_settings(asked: limits::Limits) -> app::GatewaySettings {
    app::GatewaySettings {
        calls: budget::BudgetLimits { calls_per_second: 1e9, ..budget::BudgetLimits::default() },
        streams_per_team: usize::MAX,
        limits: asked,
        ..app::GatewaySettings::default()
    }
}

/// A token of that team.
pub(crate) fn token(now: Instant, team: &str) -> anyhow::Result<String> {
    token_with(now, team, &[Scope::Read, Scope::Write])
}

/// A token of that team with these scopes.
pub(crate) fn token_with(now: Instant, team: &str, scopes: &[Scope]) -> anyhow::Result<String> {
    tokens::token("bench", &[team], scopes, now, "bench")
}
