//! The gateway as it is run: the program itself (`serve`) as a process of its own, with everything on.
//!
//! Tokens are verified, the policy judges, every request has its audit entry, the limits count. Only how much may be
//! asked for and worked on at once is raised to where nobody is turned away (closed loops ask for all that there is),
//! and what the cloud is thought to bear.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::settings;
use crate::site::Site;

/// What is set, beside what must be.
const SETTINGS: [(&str, &str); 7] = [
    ("ECG_CLOUD_CALLS_PER_SECOND", "10000"),
    ("ECG_LIMITS_TEAM_PER_SECOND", "1000000"),
    ("ECG_LIMITS_TEAM_BURST", "1000000"),
    ("ECG_LIMITS_TEAM_RUNNING", "100000"),
    ("ECG_LIMITS_RUNNING", "1000"),
    ("ECG_LIMITS_LISTS", "1000"),
    ("ECG_LOG", "warn"),
];
/// It starts within that, or something is wrong.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A process that serves; ended with this.
pub(crate) struct Served {
    child: Child,
    /// Where its API listens.
    pub(crate) address: SocketAddr,
    /// How long it took until it was in order.
    pub(crate) started: Duration,
}

/// What of a gateway is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// The API alone, as beside workers that run elsewhere.
    Api,
    /// With the workers.
    All,
}

impl Served {
    /// Starts it on the site's database with so many connections, and waits until it is in order.
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
        // Without workers it is never ready, but it lives.
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

/// Ends a process that was started here.
fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ended = child.kill();
    let _reaped = child.wait();
}

/// Asks a process to end, and waits until it has. What it started ends with it then.
pub(crate) fn ask_to_end(child: &mut Child) {
    let asked = Command::new("/bin/sh").args(["-c", "kill -s TERM \"$0\"", &child.id().to_string()]).status();
    if !asked.is_ok_and(|status| status.success()) {
        return end(child);
    }
    let _reaped = child.wait();
}

/// An address on loopback that nobody listens at.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// Returns once `child` answers `page` at `address` with 200.
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

/// What a request, after whose answer the connection is closed, is answered.
pub(crate) async fn sent(address: SocketAddr, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
