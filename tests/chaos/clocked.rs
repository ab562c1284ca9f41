//! Postgres with a clock that a file controls: its programs are wrapped.
//!
//! What must stay true: only the server's wall clock differs; its monotonic clock and the times of its files are the
//! machine's. The wrappers are in a directory that any server account can access, and are deleted at the end.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use eci_cache_gateway::localpg::{Durability, Options, Server};
use sqlx::{Connection as _, PgConnection};

use crate::server::options_for;
use crate::settings;

/// How to start servers.
#[derive(Debug)]
pub(crate) struct Clocked {
    /// The directory of the original programs.
    pub(crate) programs: PathBuf,
    /// The directory of the wrappers and the clock's file; `None` without libfaketime.
    wrapped: Option<PathBuf>,
}

impl Clocked {
    /// Finds Postgres, by starting it once in `folder`, and wraps it.
    pub(crate) async fn prepare(folder: &Path, library: Option<&Path>) -> anyhow::Result<Self> {
        let options = options_for(folder, Durability::Durable);
        let start = move || Server::start(&options, |line| eprintln!("{line}"));
        let server = tokio::task::spawn_blocking(start).await??;
        let mut connection = PgConnection::connect(&server.database_url()).await?;
        let sql = "SELECT setting FROM pg_config() WHERE name = 'BINDIR'";
        let programs: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        drop(connection.close().await);
        tokio::task::spawn_blocking(|| server.stop()).await??;
        let programs = PathBuf::from(programs);
        let wrapped = library.map(|library| wrap(&programs, library)).transpose()?;
        Ok(Self { programs, wrapped })
    }

    /// The options of a server in `folder`.
    pub(crate) fn options(&self, folder: &Path) -> Options {
        let usual = options_for(folder, Durability::Durable);
        let pg_bin = self.wrapped.clone().or_else(|| usual.pg_bin.clone());
        Options { pg_bin, ..usual }
    }

    /// Sets how many seconds the clocks of all servers differ from the machine's.
    pub(crate) fn set(&self, seconds: i64) -> anyhow::Result<()> {
        self.wrapped.as_ref().map_or(Ok(()), |folder| settings::set_clock(&folder.join(CLOCK), seconds))
    }
}

impl Drop for Clocked {
    fn drop(&mut self) {
        // Nobody needs it; if it remains, the next run recreates it.
        drop(self.wrapped.as_ref().map(std::fs::remove_dir_all));
    }
}

/// The name of the clock's file.
const CLOCK: &str = "clock";

fn wrap(programs: &Path, library: &Path) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join("eci-cache-gateway-chaos-postgres");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder)?;
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    let clock = folder.join(CLOCK);
    settings::set_clock(&clock, 0)?;
    let faked: Vec<_> =
        settings::faked_clock(library, &clock).into_iter().map(|(name, value)| format!("{name}='{value}'")).collect();
    for (name, environment) in [("postgres", faked.join(" ")), ("initdb", String::new())] {
        let (wrapper, program) = (folder.join(name), programs.join(name));
        std::fs::write(&wrapper, format!("#!/bin/sh\nexec env {environment} '{}' \"$@\"\n", program.display()))?;
        std::fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;
    }
    Ok(folder)
}
