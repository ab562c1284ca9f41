//! The gateway as in production: the program itself (`serve`) in a process of its own, with all features.
//!
//! Tokens are verified, policies are applied, every request has its audit entry, limits are enforced. Only the limits
//! of requests and concurrency are raised so that nothing is refused (closed loops send as much as they can), and so is
//! the assumed rate limit of the cloud.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::settings;
use crate::site::Site;

/// The settings besides the required ones.
const SETTINGS: [(&str, &str); 7] = [
    ("ECG_CLOUD_CALLS_PER_SECOND", "10000"),
    ("ECG_LIMITS_TEAM_PER_SECOND", "1000000"),
    ("ECG_LIMITS_TEAM_BURST", "1000000"),
    ("ECG_LIMITS_TEAM_RUNNING", "100000"),
    ("ECG_LIMITS_RUNNING", "1000"),
    ("ECG_LIMITS_LISTS", "1000"),
    ("ECG_LOG", "warn"),
];
/// It has to start within this time.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A process that serves; ended when dropped.
pub(crate) struct Served {
    child: Child,
    /// The address of its API.
    pub(crate) address: SocketAddr,
    /// How long it took until it was ready.
    pub(crate) started: Duration,
}

/// Which parts of a gateway are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// Only the API, as with workers in other processes.
    Api,
    /// The API and the workers.
    All,
}

impl Served {
    /// Starts it on the site's database with this number of connections, and waits until it is ready.
    pub(crate) async fn start(site: &Site, connections: u32, parts: Parts) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
        command.arg("serve").env_clear().envs(SETTINGS);
        command.envs(settings::variables(&site.url, &format!("http://{}", site.cloud)));
        command.env("ECG_DATABASE_POOL_SIZE", connections.to_string()).env("ECG_LISTEN", address.to_string());
        if parts == Parts::Api {
            command.arg("--no-worker");
        }
        let began = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().context("the gateway does not start")?;
        let mut served = Self { child, address, started: Duration::ZERO };
        // Without workers it is never ready, but healthy.
        let page = if parts == Parts::All { "/readyz" } else { "/healthz" };
        answers(address, page, &mut served.child).await?;
        served.started = began.elapsed();
        Ok(served)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills a process that was started here.
fn end(child: &mut Child) {
    // It may have exited by itself.
    let _ended = child.kill();
    let _reaped = child.wait();
}

/// Sends SIGTERM to a process and waits until it has exited, and with it its children.
pub(crate) fn ask_to_end(child: &mut Child) {
    let asked = Command::new("/bin/sh").args(["-c", "kill -s TERM \"$0\"", &child.id().to_string()]).status();
    if !asked.is_ok_and(|status| status.success()) {
        return end(child);
    }
    let _reaped = child.wait();
}

/// A free address on loopback.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// Waits until `child` answers `page` at `address` with 200.
pub(crate) async fn answers(address: SocketAddr, page: &str, child: &mut Child) -> anyhow::Result<()> {
    let until = Instant::now() + MAX_WAIT;
    while !asked(address, page).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        if let Some(status) = child.try_wait()? {
            bail!("it ended before it answered: {status}");
        }
        ensure!(Instant::now() < until, "nobody answers at {address}{page}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn asked(address: SocketAddr, page: &str) -> anyhow::Result<String> {
    sent(address, &format!("GET {page} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")).await
}

/// Sends a request after whose response the connection is closed, and returns the response.
pub(crate) async fn sent(address: SocketAddr, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
