//! Two PostgreSQL servers, one of which is a standby of the other, for tests of failovers.
//!
//! Used by `tests/it` and `tests/chaos`. Needs `pg_basebackup`, which every PostgreSQL package contains besides
//! `initdb`.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use eci_cache_gateway::localpg::{Options, Server};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// The timeout of every wait.
const SOON: Duration = Duration::from_mins(1);

/// A primary server, and possibly its standby.
#[derive(Debug)]
pub(crate) struct ServerPair {
    primary: Option<Server>,
    standby: Option<Server>,
    /// Of the primary and of the standby.
    options: (Options, Options),
}

impl ServerPair {
    /// Starts a primary; `of_standby` is used for its standby.
    pub(crate) async fn start(of_primary: Options, of_standby: Options) -> anyhow::Result<Self> {
        let primary = start(of_primary.clone()).await?;
        Ok(Self { primary: Some(primary), standby: None, options: (of_primary, of_standby) })
    }

    /// The current primary server.
    pub(crate) fn primary(&self) -> anyhow::Result<&Server> {
        self.primary.as_ref().context("the primary runs")
    }

    /// The socket of the primary.
    pub(crate) fn socket(&self) -> anyhow::Result<PathBuf> {
        Ok(socket(self.primary()?))
    }

    /// The socket of the standby.
    pub(crate) fn standby_socket(&self) -> anyhow::Result<PathBuf> {
        Ok(socket(self.standby.as_ref().context("the standby runs")?))
    }

    /// Creates a standby. From now on the primary acknowledges no commit before the standby has it.
    pub(crate) async fn attach(&mut self) -> anyhow::Result<()> {
        // Started once as an independent server, to find its data directory.
        let fresh = start(self.options.1.clone()).await?;
        let data: String = ask(&fresh.database_url(), "SHOW data_directory").await?;
        tokio::task::spawn_blocking(|| fresh.stop()).await??;
        let url = self.primary()?.database_url();
        let programs: String = ask(&url, "SELECT setting FROM pg_config() WHERE name = 'BINDIR'").await?;
        let (from, user) = (self.primary()?.socket_dir().to_owned(), self.primary()?.user());
        tokio::task::spawn_blocking(move || copy(Path::new(&programs), &from, user, Path::new(&data))).await??;
        self.standby = Some(start(self.options.1.clone()).await?);
        set(&url, "synchronous_standby_names = '*'").await?;
        let attached = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let begun = Instant::now();
        while ask::<i64>(&url, attached).await? == 0 {
            anyhow::ensure!(begun.elapsed() < SOON, "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Crashes the primary.
    pub(crate) async fn crash(&mut self) -> anyhow::Result<()> {
        let primary = self.primary.take().context("the primary runs")?;
        Ok(tokio::task::spawn_blocking(|| primary.crash()).await??)
    }

    /// Restarts the primary with its data.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.primary = Some(start(self.options.0.clone()).await?);
        Ok(())
    }

    /// Promotes the standby after the primary has crashed.
    pub(crate) async fn promote(&mut self) -> anyhow::Result<()> {
        let standby = self.standby.take().context("the standby runs")?;
        let promoted: bool = ask(&standby.database_url(), "SELECT pg_promote(true, 60)").await?;
        anyhow::ensure!(promoted, "the standby takes over");
        self.primary = Some(standby);
        std::mem::swap(&mut self.options.0, &mut self.options.1);
        Ok(())
    }

    /// Changes a setting of the primary for all sessions: `name = value`.
    pub(crate) async fn set(&self, setting: &str) -> anyhow::Result<()> {
        set(&self.primary()?.database_url(), setting).await
    }
}

async fn start(options: Options) -> anyhow::Result<Server> {
    Ok(tokio::task::spawn_blocking(move || Server::start(&options, |line| eprintln!("{line}"))).await??)
}

fn socket(server: &Server) -> PathBuf {
    server.socket_dir().join(".s.PGSQL.5432")
}

/// The single value that a query returns.
async fn ask<T>(url: &str, sql: &'static str) -> anyhow::Result<T>
where
    T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
{
    let mut connection = PgConnection::connect(url).await?;
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

async fn set(url: &str, setting: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(sqlx::AssertSqlSafe(format!("ALTER SYSTEM SET {setting}"))).await?;
    connection.execute("SELECT pg_reload_conf()").await?;
    Ok(())
}

/// Replaces the content of `data` with a copy of the primary's data that follows the primary.
fn copy(programs: &Path, from: &Path, user: &str, data: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    let program = programs.join("pg_basebackup");
    let mut command = Command::new(&program);
    command.env_clear().env("LC_ALL", "C").current_dir("/").arg("-h").arg(from).arg("-D").arg(data);
    command.args(["-U", user, "-w", "-X", "stream", "-c", "fast", "-R", "--no-sync"]);
    let (owner, own) = (std::fs::metadata(data)?, eci_cache_gateway::localpg::current_uid()?);
    if owner.uid() != own {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let output = command.output().with_context(|| format!("running {}", program.display()))?;
    anyhow::ensure!(output.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
