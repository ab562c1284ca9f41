//! The reference that a team would write in an afternoon: `FastAPI` and asyncpg on the same database (`benches/peers`).
//!
//! Two uvicorn workers (this machine's cores) with uvloop and httptools, 5 connections each, installed from `PyPI` into
//! a folder below `target/tmp`. It must answer a read as the gateway does, byte for byte but for the order.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::served::{answers, ask_to_end, free_address};
use crate::settings::{AUDIENCE, ISSUER, KEY, KEY_SECRET, TOKEN_SECRET};
use crate::site::{DATABASE, Site};

/// A running twin.
pub(crate) struct Twin {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took until it answered.
    pub(crate) started: Duration,
}

impl Twin {
    /// Installs what it needs, if that is not there yet, and starts it. `Err` says why there is none.
    pub(crate) async fn start(site: &Site, folder: &Path) -> anyhow::Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let programs = install(&sources, folder).context("FastAPI cannot be installed")?;
        let address = free_address()?;
        let mut command = Command::new(programs.join("uvicorn"));
        command.args(["twin:app", "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]);
        command.args(["--log-level", "warning", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.arg("--app-dir").arg(&sources).env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("TWIN_SOCKET", &site.socket).env("TWIN_DATABASE", DATABASE).env("TWIN_SECRET", TOKEN_SECRET);
        command.env("TWIN_ISSUER", ISSUER).env("TWIN_AUDIENCE", AUDIENCE).env("TWIN_KEY", KEY);
        command.env("TWIN_KEY_SECRET", KEY_SECRET).env("TWIN_CLOUD", format!("http://{}/", site.cloud));
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).spawn().context("uvicorn does not start")?;
        let mut twin = Self { child, address, started: Duration::ZERO };
        answers(address, "/healthz", &mut twin.child).await?;
        twin.started = began.elapsed();
        Ok(twin)
    }

    /// Its first process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // Asked, it takes its workers with it; killed, it would leave them.
        ask_to_end(&mut self.child);
    }
}

/// The folder of the programs, once they are as `requirements.txt` says.
fn install(sources: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let (programs, stamp) = (folder.join("venv/bin"), folder.join("installed"));
    let wanted = fs::read_to_string(sources.join("requirements.txt"))?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    eprintln!("installing FastAPI into {}", folder.display());
    fs::create_dir_all(folder)?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
    let mut pip = Command::new(programs.join("pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(sources.join("requirements.txt")))?;
    fs::write(stamp, wanted)?;
    Ok(programs)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{}: {status}", command.get_program().display());
    Ok(())
}
