//! Everything that a run is made of: Postgres, the stand-in, three gateways, the receiver, and a proxy on each way.
//!
//! What must stay true: fsync is on, as in production; every way between two of them leads through a proxy; a gateway
//! comes back on the same port, so that a restart looks like one; a standby that takes over has every commit that was
//! acknowledged.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eci_cache_gateway::localpg::Durability;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::Mutex as Turn;

use crate::pair::Pair;
use crate::plan::{Setting, Who};
use crate::process::{Program, Running, libfaketime};
use crate::proxy::{Proxy, Target};
use crate::server::options_for;
use crate::settings::{self, ACCESS_KEY, ACCESS_SECRET};

/// The folders of Postgres' data: of the first primary, and of the other server.
pub(crate) const POSTGRES: [&str; 2] = ["postgres", "postgres-b"];
/// How fast the stand-in builds: a cache takes two seconds.
const SPEED: &str = "5";

/// One gateway process and the proxies around it.
#[derive(Debug)]
pub(crate) struct Gateway {
    program: Program,
    running: Turn<Option<Running>>,
    /// Where its API listens; the worker has none.
    listens: Option<SocketAddr>,
    clock: PathBuf,
    /// Whether a fault holds it away from its callers.
    pub(crate) away: AtomicBool,
    /// Before its API.
    pub(crate) door: Proxy,
    /// Before the cloud, for this gateway alone.
    pub(crate) cloud: Proxy,
    /// Before Postgres, for this gateway alone.
    pub(crate) database: Proxy,
}

/// The house.
#[derive(Debug)]
pub(crate) struct House {
    /// The gateways: A, B, C.
    pub(crate) gateways: [Gateway; 3],
    /// Before the receiver, for all.
    pub(crate) hooks: Proxy,
    /// The stand-in's address.
    pub(crate) standin: String,
    /// Whether the clocks can be moved.
    pub(crate) faketime: bool,
    folder: PathBuf,
    postgres: Turn<Pair>,
    _standin: Running,
}

impl House {
    /// Builds it in an empty folder; `receiver` is where webhooks go in the end.
    pub(crate) async fn build(folder: &Path, receiver: SocketAddr) -> anyhow::Result<Self> {
        let options = |name: &str| options_for(&folder.join(name), Durability::Durable);
        let postgres = Pair::start(options(POSTGRES[0]), options(POSTGRES[1])).await?;
        let socket = postgres.socket()?;
        prepare(&postgres.primary()?.database_url(), folder).await?;
        let (standin, address) = start_standin(folder).await?;
        let faketime = libfaketime();
        let mut gateways = Vec::new();
        for who in [Who::A, Who::B, Who::C] {
            let database = Proxy::before(Target::Postgres(socket.clone())).await;
            let cloud = Proxy::before(Target::Tcp(address)).await;
            let gateway = Gateway::start(who, folder, database, cloud, faketime.as_deref()).await?;
            gateways.push(gateway);
        }
        let gateways = gateways.try_into().map_err(|_| anyhow::anyhow!("three gateways"))?;
        Ok(Self {
            gateways,
            hooks: Proxy::before(Target::Tcp(receiver)).await,
            standin: format!("http://{address}"),
            faketime: faketime.is_some(),
            folder: folder.to_owned(),
            postgres: Turn::new(postgres),
            _standin: standin,
        })
    }

    /// A gateway.
    pub(crate) fn of(&self, who: Who) -> &Gateway {
        &self.gateways[who as usize]
    }

    /// The doors of the gateways that serve, those that no fault holds away first.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        let mut doors = [self.of(Who::A), self.of(Who::B)];
        doors.sort_by_key(|gateway| gateway.away.load(Ordering::Relaxed));
        doors.iter().map(|gateway| gateway.door.address).collect()
    }

    /// An immediate stop, and a start after `pause`.
    pub(crate) async fn crash_postgres(&self, pause: Duration) -> anyhow::Result<()> {
        let mut postgres = self.postgres.lock().await;
        postgres.crash().await?;
        tokio::time::sleep(pause).await;
        postgres.start_again().await
    }

    /// No writes for `pause`.
    pub(crate) async fn read_only(&self, pause: Duration) -> anyhow::Result<()> {
        let postgres = self.postgres.lock().await;
        postgres.set("default_transaction_read_only = on").await?;
        tokio::time::sleep(pause).await;
        postgres.set("default_transaction_read_only = off").await
    }

    /// A setting of the server's is another one for `pause`.
    pub(crate) async fn set(&self, setting: Setting, pause: Duration) -> anyhow::Result<()> {
        let postgres = self.postgres.lock().await;
        postgres.set(&format!("{} = {}", setting.name, setting.odd)).await?;
        tokio::time::sleep(pause).await;
        postgres.set(&format!("{} = {}", setting.name, setting.usual)).await
    }

    /// Somebody has a transaction open for `pause`, or until the server ends it.
    pub(crate) async fn hold_transaction(&self, pause: Duration) -> anyhow::Result<()> {
        let url = self.database_url().await?;
        // The server may be away just now: then nobody has one.
        let Ok(mut somebody) = PgConnection::connect(&url).await else { return Ok(()) };
        if somebody.execute("BEGIN; SELECT pg_current_xact_id()").await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        drop(somebody.close().await);
        Ok(())
    }

    /// A crash of the primary, after which its address leads to a standby, which takes over after `pause`; when it had.
    pub(crate) async fn fail_over(&self, pause: Duration) -> anyhow::Result<Instant> {
        let mut postgres = self.postgres.lock().await;
        postgres.attach().await?;
        postgres.crash().await?;
        let standby = postgres.standby_socket()?;
        for gateway in &self.gateways {
            gateway.database.lead_to(Target::Postgres(standby.clone()));
        }
        tokio::time::sleep(pause).await;
        postgres.promote().await?;
        Ok(Instant::now())
    }

    /// The database as its owner, past every proxy.
    pub(crate) async fn database_url(&self) -> anyhow::Result<String> {
        Ok(self.postgres.lock().await.primary()?.database_url())
    }

    /// Saves the newest checkpoint of the audit: what it covers must be there at the end.
    pub(crate) async fn keep_checkpoint(&self) -> anyhow::Result<()> {
        self.audit(&["audit", "checkpoint"], "checkpoint.note").await?.run().await
    }

    /// What `audit verify` finds that is not as it was sealed.
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

    /// Tells every gateway to stop, and how long that took.
    pub(crate) async fn stop(&self) -> anyhow::Result<Duration> {
        let begun = std::time::Instant::now();
        for gateway in &self.gateways {
            if let Some(running) = &*gateway.running.lock().await {
                running.signal("TERM").await;
            }
        }
        for gateway in &self.gateways {
            if let Some(mut running) = gateway.running.lock().await.take() {
                let status = running.ended().await;
                anyhow::ensure!(status.success(), "a gateway that was told to stop ended with {status}");
            }
        }
        Ok(begun.elapsed())
    }
}

impl Gateway {
    async fn start(
        who: Who,
        folder: &Path,
        database: Proxy,
        cloud: Proxy,
        faketime: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let port = free_port(who)?;
        let clock = folder.join(format!("clock-{who:?}"));
        std::fs::write(&clock, "+0")?;
        let mut environment = settings::gateway(port, database.address, cloud.address);
        if let Some(library) = faketime {
            environment.extend(settings::faked_clock(library, &clock));
        }
        let arguments: &[&str] = match who {
            Who::A => &["serve"],
            Who::B => &["serve", "--no-worker"],
            Who::C => &["worker"],
        };
        let program = Program {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            environment,
            log: folder.join(format!("gateway-{who:?}.log")),
        };
        let gateway = Self {
            running: Turn::new(Some(program.start())),
            program,
            listens: (who != Who::C).then_some(port),
            clock,
            away: AtomicBool::new(false),
            door: Proxy::before(Target::Tcp(port)).await,
            cloud,
            database,
        };
        gateway.is_up().await?;
        Ok(gateway)
    }

    /// kill -9, and a start after `pause`; returns once it answers.
    pub(crate) async fn kill(&self, pause: Duration) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        if let Some(running) = running.take() {
            running.kill().await;
        }
        tokio::time::sleep(pause).await;
        *running = Some(self.program.start());
        self.is_up().await
    }

    /// SIGSTOP, and SIGCONT after `pause`.
    pub(crate) async fn freeze(&self, pause: Duration) {
        if let Some(running) = &*self.running.lock().await {
            running.signal("STOP").await;
            tokio::time::sleep(pause).await;
            running.signal("CONT").await;
        }
    }

    /// Puts the wall clock of the process so many seconds off the machine's.
    pub(crate) fn set_clock(&self, seconds: i64) -> anyhow::Result<()> {
        // Written beside and renamed: half a number would be another time.
        let fresh = self.clock.with_extension("new");
        std::fs::write(&fresh, format!("{seconds:+}"))?;
        Ok(std::fs::rename(&fresh, &self.clock)?)
    }

    async fn is_up(&self) -> anyhow::Result<()> {
        match self.listens {
            Some(address) => until_answers(&format!("http://{address}/healthz")).await,
            None => Ok(()),
        }
    }
}

async fn until_answers(url: &str) -> anyhow::Result<()> {
    let http = settings::http()?;
    let answers = async {
        while http.get(url).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.with_context(|| format!("{url} does not answer"))
}

/// The runtime role, which the migrations grant what it needs; then the migrations.
async fn prepare(database_url: &str, folder: &Path) -> anyhow::Result<()> {
    let pool = crate::facts::connect(database_url).await?;
    sqlx::query("CREATE ROLE eci_runtime LOGIN").execute(&pool).await?;
    pool.close().await;
    let environment = vec![("ECG_MIGRATE_DATABASE_URL".to_owned(), database_url.to_owned())];
    Program { arguments: vec!["migrate".into()], environment, log: folder.join("migrate.log") }.run().await
}

async fn start_standin(folder: &Path) -> anyhow::Result<(Running, SocketAddr)> {
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

/// Below the ports that the system hands out by itself: nobody takes it while the gateway is down.
fn free_port(who: Who) -> anyhow::Result<SocketAddr> {
    let first = 20_000 + 1_000 * who as u16;
    let mut ports = (first..first + 1_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    ports.find(|address| TcpListener::bind(address).is_ok()).context("a free port")
}
