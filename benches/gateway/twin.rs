//! The reference that a team could write in an afternoon: `FastAPI` and asyncpg on the same database (`benches/peers`).
//!
//! Two uvicorn workers (this machine's cores) with uvloop and httptools, 5 connections each, installed from `PyPI` into
//! a directory below `target/tmp`. Its response to a read must equal the gateway's except for the order of members.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::served::{answers, ask_to_end, free_address};
use crate::settings::{AUDIENCE, ISSUER, KEY, KEY_SECRET, TOKEN_SECRET};
use crate::site::{DATABASE, Site};

/// A running reference.
pub(crate) struct Twin {
    child: Child,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    /// How long it took until it answered.
    pub(crate) started: Duration,
}

impl Twin {
    /// Installs its dependencies if necessary, and starts it. `Err` says why it is unavailable.
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

    /// The pid of its first process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // On SIGTERM it stops its workers too; SIGKILL would leave them running.
        ask_to_end(&mut self.child);
    }
}

/// The directory of its programs, once the requirements in `requirements.txt` are installed.
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
