//! Everything in a run: Postgres, the stand-in, three gateways, the receiver, and a proxy on each connection.
//!
//! What must stay true: fsync is on, as in production; all connections between two of them go through a proxy; a
//! gateway restarts on the same port, as in production; a standby that is promoted has every acknowledged commit.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use eci_cache_gateway::localpg::Options;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::{Mutex as Turn, RwLock};

use crate::clocked::Clocked;
use crate::gateway::{GatewayProcess, free_port, until_answers};
use crate::outages::Outages;
use crate::pair::ServerPair;
use crate::plan::{OddSetting, Who};
use crate::process::{Program, RunningProgram, libfaketime};
use crate::proxy::{FaultProxy, ProxyTarget};
use crate::settings::{self, ACCESS_KEY, ACCESS_SECRET};

/// The data directories of Postgres: of the first primary and its standby, and of those for the restored database.
pub(crate) const POSTGRES: [&str; 4] = ["postgres", "postgres-b", "postgres-c", "postgres-d"];
/// A gateway that has started has read the database's clock by then, if the database can be reached.
const FIRST_READING: Duration = Duration::from_secs(4);
/// The stand-in's speed: a build takes two seconds.
const SPEED: &str = "5";

/// Three gateways with their proxies, the stand-in, the receiver and a pair of Postgres servers.
#[derive(Debug)]
pub(crate) struct Testbed {
    /// The gateways A, B and C.
    pub(crate) gateways: [GatewayProcess; 3],
    /// In front of the receiver, for all gateways.
    pub(crate) hooks: FaultProxy,
    /// The stand-in's address.
    pub(crate) standin: String,
    /// Whether clocks can be changed.
    pub(crate) faketime: bool,
    pub(crate) folder: PathBuf,
    pub(crate) postgres: Turn<ServerPair>,
    pub(crate) clocked: Clocked,
    /// When there was no database.
    pub(crate) outages: Outages,
    /// Locked for reading by whoever starts a gateway. One that starts while the database's clock is wrong takes that
    /// for the time, and needs minutes to notice: this is tested in `tests/it` (`database::clock_leaps`), where it
    /// takes no time.
    starts: RwLock<()>,
    _standin: RunningProgram,
}

impl Testbed {
    /// Builds it in an empty directory; `receiver` is the destination of webhooks.
    pub(crate) async fn build(folder: &Path, receiver: SocketAddr) -> anyhow::Result<Self> {
        let faketime = libfaketime();
        let clocked = Clocked::prepare(&folder.join(POSTGRES[0]), faketime.as_deref()).await?;
        let options = |place: usize| clocked.options(&folder.join(POSTGRES[place]));
        let postgres = ServerPair::start(options(0), options(1)).await?;
        let socket = postgres.socket()?;
        prepare(&postgres.primary()?.database_url(), folder).await?;
        let (standin, address) = start_standin(folder).await?;
        let mut gateways = Vec::new();
        for who in [Who::A, Who::B, Who::C] {
            let database = FaultProxy::before(ProxyTarget::Postgres(socket.clone())).await;
            let cloud = FaultProxy::before(ProxyTarget::Tcp(address)).await;
            let gateway = GatewayProcess::start(who, folder, database, cloud, faketime.as_deref()).await?;
            gateways.push(gateway);
        }
        let gateways = gateways.try_into().map_err(|_| anyhow::anyhow!("three gateways"))?;
        Ok(Self {
            gateways,
            hooks: FaultProxy::before(ProxyTarget::Tcp(receiver)).await,
            standin: format!("http://{address}"),
            faketime: faketime.is_some(),
            folder: folder.to_owned(),
            postgres: Turn::new(postgres),
            clocked,
            outages: Outages::default(),
            starts: RwLock::new(()),
            _standin: standin,
        })
    }

    pub(crate) fn of(&self, who: Who) -> &GatewayProcess {
        &self.gateways[who as usize]
    }

    /// The API addresses of the serving gateways, reachable ones first.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        let mut doors = [self.of(Who::A), self.of(Who::B)];
        doors.sort_by_key(|gateway| gateway.away.load(Ordering::Relaxed));
        doors.iter().map(|gateway| gateway.door.address).collect()
    }

    /// An immediate shutdown, and a restart after `pause`.
    pub(crate) async fn crash_postgres(&self, pause: Duration) -> anyhow::Result<()> {
        let mut postgres = self.postgres.lock().await;
        let begun = Instant::now();
        postgres.crash().await?;
        tokio::time::sleep(pause).await;
        postgres.start_again().await?;
        self.outages.note(begun, Instant::now());
        Ok(())
    }

    /// No writes for `pause`.
    pub(crate) async fn read_only(&self, pause: Duration) -> anyhow::Result<()> {
        let postgres = self.postgres.lock().await;
        let begun = Instant::now();
        postgres.set("default_transaction_read_only = on").await?;
        tokio::time::sleep(pause).await;
        postgres.set("default_transaction_read_only = off").await?;
        self.outages.note(begun, Instant::now());
        Ok(())
    }

    /// Changes a server setting for `pause`.
    pub(crate) async fn set(&self, setting: OddSetting, pause: Duration) -> anyhow::Result<()> {
        let postgres = self.postgres.lock().await;
        postgres.set(&format!("{} = {}", setting.name, setting.odd)).await?;
        tokio::time::sleep(pause).await;
        postgres.set(&format!("{} = {}", setting.name, setting.usual)).await
    }

    /// Makes Postgres's clock wrong by this many seconds for `pause`; no gateway may have just started.
    pub(crate) async fn leap(&self, seconds: i64, pause: Duration) -> anyhow::Result<()> {
        let _postgres = self.postgres.lock().await;
        let _nobody_starts = self.starts.write().await;
        tokio::time::sleep(FIRST_READING).await;
        self.clocked.set(seconds)?;
        tokio::time::sleep(pause).await;
        self.clocked.set(0)
    }

    /// Whoever holds this may start a gateway, or cut off one that has just started.
    pub(crate) async fn start(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.starts.read().await
    }

    /// The options of the servers for the restored database.
    pub(crate) fn further_options(&self) -> [Options; 2] {
        [2, 3].map(|place| self.clocked.options(&self.folder.join(POSTGRES[place])))
    }

    /// Keeps a transaction open for `pause`, or until the server ends it.
    pub(crate) async fn hold_transaction(&self, pause: Duration) -> anyhow::Result<()> {
        let url = self.database_url().await?;
        // The server may be down; then there is no transaction.
        let Ok(mut somebody) = PgConnection::connect(&url).await else { return Ok(()) };
        if somebody.execute("BEGIN; SELECT pg_current_xact_id()").await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        drop(somebody.close().await);
        Ok(())
    }

    /// Crashes the primary; its address then leads to a standby, which is promoted after `pause`. Returns when it was.
    pub(crate) async fn fail_over(&self, pause: Duration) -> anyhow::Result<Instant> {
        let mut postgres = self.postgres.lock().await;
        postgres.attach().await?;
        let begun = Instant::now();
        postgres.crash().await?;
        let standby = postgres.standby_socket()?;
        for gateway in &self.gateways {
            gateway.database.lead_to(ProxyTarget::Postgres(standby.clone()));
        }
        tokio::time::sleep(pause).await;
        postgres.promote().await?;
        self.outages.note(begun, Instant::now());
        Ok(Instant::now())
    }

    /// The database as its owner, without a proxy.
    pub(crate) async fn database_url(&self) -> anyhow::Result<String> {
        Ok(self.postgres.lock().await.primary()?.database_url())
    }

    /// Saves the newest checkpoint of the audit, which must still be valid at the end.
    pub(crate) async fn keep_checkpoint(&self) -> anyhow::Result<()> {
        self.audit(&["audit", "checkpoint"], "checkpoint.note").await?.run().await
    }

    /// The findings of `audit verify`.
    pub(crate) async fn verify_audit(&self) -> anyhow::Result<Vec<String>> {
        let saved = self.folder.join("checkpoint.note").display().to_string();
        let verify = self.audit(&["audit", "verify", "--checkpoint", &saved], "verify.log").await?;
        let status = verify.start().ended().await;
        let told = std::fs::read_to_string(&verify.log)?;
        println!("{}", told.trim_end());
        Ok(if status.success() { Vec::new() } else { vec![format!("{status}: {told}")] })
    }

    async fn audit(&self, arguments: &[&str], log: &str) -> anyhow::Result<Program> {
        Ok(Program {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            environment: settings::audit(&self.database_url().await?),
            log: self.folder.join(log),
        })
    }

    /// Tells every gateway to stop; returns how long that took.
    pub(crate) async fn stop(&self) -> anyhow::Result<Duration> {
        let begun = std::time::Instant::now();
        for gateway in &self.gateways {
            gateway.tell_to_stop().await;
        }
        for gateway in &self.gateways {
            gateway.has_ended().await?;
        }
        Ok(begun.elapsed())
    }
}

/// Creates the runtime role, to which the migrations grant its privileges, and migrates.
async fn prepare(database_url: &str, folder: &Path) -> anyhow::Result<()> {
    make_role(database_url).await?;
    let environment = vec![("ECG_MIGRATE_DATABASE_URL".to_owned(), database_url.to_owned())];
    Program { arguments: vec!["migrate".into()], environment, log: folder.join("migrate.log") }.run().await
}

/// Creates the gateways' role.
pub(crate) async fn make_role(database_url: &str) -> anyhow::Result<()> {
    let mut owner = PgConnection::connect(database_url).await?;
    owner.execute("CREATE ROLE eci_runtime LOGIN").await?;
    Ok(owner.close().await?)
}

async fn start_standin(folder: &Path) -> anyhow::Result<(RunningProgram, SocketAddr)> {
    let address = free_port(Who::C)?;
    let journal = folder.join("standin.ndjson").display().to_string();
    let listen = address.to_string();
    let arguments: [&str; 11] = [
        "sim",
        "--listen",
        &listen,
        "--speed",
        SPEED,
        "--journal",
        &journal,
        "--access-key-id",
        ACCESS_KEY,
        "--access-key-secret",
        ACCESS_SECRET,
    ];
    let program = Program {
        arguments: arguments.map(str::to_owned).into(),
        environment: Vec::new(),
        log: folder.join("standin.log"),
    };
    let running = program.start();
    until_answers(&format!("http://{address}/healthz")).await?;
    let limits = settings::http()?.post(format!("http://{address}/_admin/settings"));
    let limits = limits.body(r#"{"quota":1000000,"creates_per_minute":1000000}"#).send().await?;
    anyhow::ensure!(limits.status().is_success(), "the stand-in takes its limits");
    Ok((running, address))
}
