//! One gateway process with its proxies.
//!
//! What must stay true: it restarts on the same port, as in production; a file controls its wall clock if there is
//! libfaketime.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Mutex as Turn;

use crate::plan::Who;
use crate::process::{Program, RunningProgram};
use crate::proxy::{FaultProxy, ProxyTarget};
use crate::settings;

/// A gateway process and how to reach it.
#[derive(Debug)]
pub(crate) struct GatewayProcess {
    program: Program,
    running: Turn<Option<RunningProgram>>,
    /// The address of its API; the worker has none.
    listens: Option<SocketAddr>,
    clock: PathBuf,
    /// Whether a fault makes it unreachable for its callers.
    pub(crate) away: AtomicBool,
    /// In front of its API.
    pub(crate) door: FaultProxy,
    /// In front of the cloud, only for this gateway.
    pub(crate) cloud: FaultProxy,
    /// In front of Postgres, only for this gateway.
    pub(crate) database: FaultProxy,
}

impl GatewayProcess {
    /// Starts it between these proxies.
    pub(crate) async fn start(
        who: Who,
        folder: &Path,
        database: FaultProxy,
        cloud: FaultProxy,
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
            door: FaultProxy::before(ProxyTarget::Tcp(port)).await,
            cloud,
            database,
        };
        gateway.is_up().await?;
        Ok(gateway)
    }

    /// kill -9, and a restart after `pause`; returns once it answers.
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

    /// SIGTERM; [`Self::has_ended`] waits for the end.
    pub(crate) async fn tell_to_stop(&self) {
        if let Some(running) = &*self.running.lock().await {
            running.signal("TERM").await;
        }
    }

    /// Waits until it has exited successfully.
    pub(crate) async fn has_ended(&self) -> anyhow::Result<()> {
        if let Some(mut running) = self.running.lock().await.take() {
            let status = running.ended().await;
            anyhow::ensure!(status.success(), "a gateway that was told to stop ended with {status}");
        }
        Ok(())
    }

    /// Restarts it after it has ended; returns once it answers.
    pub(crate) async fn start_again(&self) -> anyhow::Result<()> {
        *self.running.lock().await = Some(self.program.start());
        self.is_up().await
    }

    /// Sets how many seconds the process's wall clock differs from the machine's.
    pub(crate) fn set_clock(&self, seconds: i64) -> anyhow::Result<()> {
        settings::set_clock(&self.clock, seconds)
    }

    async fn is_up(&self) -> anyhow::Result<()> {
        match self.listens {
            Some(address) => until_answers(&format!("http://{address}/healthz")).await,
            None => Ok(()),
        }
    }
}

/// Waits until there is a response from this URL.
pub(crate) async fn until_answers(url: &str) -> anyhow::Result<()> {
    let http = settings::http()?;
    let answers = async {
        while http.get(url).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answers).await.with_context(|| format!("{url} does not answer"))
}

/// Below the ephemeral ports, so that nobody takes it while the gateway is down.
pub(crate) fn free_port(who: Who) -> anyhow::Result<SocketAddr> {
    let first = 20_000 + 1_000 * who as u16;
    let mut ports = (first..first + 1_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    ports.find(|address| TcpListener::bind(address).is_ok()).context("a free port")
}
