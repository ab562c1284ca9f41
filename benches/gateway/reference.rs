//! The reference: pgbench with the same SQL, prepared, on the same database through its Unix socket.
//!
//! It has no HTTP, no token, no audit entry and no JSON: what it does is the least that any server must do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use eci_cache_gateway::localpg::Server;
use sqlx::{Connection as _, PgConnection};

use crate::house::{CACHES, DATABASE, FIRST, ID_STEM, TEAM, connect_to};
use crate::report::Measure;

/// A pgbench that works.
pub(crate) struct Pgbench {
    program: PathBuf,
    folder: PathBuf,
    server: Vec<String>,
}

/// The SQL of `Store::image_cache`.
pub(crate) fn read_one() -> String {
    let last = FIRST + CACHES - 1;
    // A variable of pgbench holds no uuid, so the id is put together here.
    format!(
        "\\set n random({FIRST}, {last})\n\
         SELECT * FROM image_caches WHERE team = :team AND id = ('{ID_STEM}' || :n::text)::uuid;\n"
    )
}

/// The SQL of `Store::image_caches`, for the first page of 50 without a filter.
pub(crate) fn list() -> String {
    "SELECT * FROM image_caches
     WHERE team = :team AND (NULL::uuid IS NULL OR id < NULL) AND status = ANY (:statuses::text[])
       AND (NULL::text IS NULL OR region = NULL) AND (NULL::text IS NULL OR name = NULL)
       AND (NULL::text IS NULL OR images @> ARRAY[NULL]) AND (NULL::text IS NULL OR eci_cache_id = NULL)
       AND (NULL::text IS NULL OR (spec -> 'tags') ? NULL)
       AND (NULL::text IS NULL OR spec -> 'tags' ->> NULL = NULL)
       AND (NULL::timestamptz IS NULL OR created_at >= NULL) AND (NULL::timestamptz IS NULL OR created_at < NULL)
     ORDER BY id DESC LIMIT 51;\n"
        .to_owned()
}

/// What `statuses` is in [`list`]: all but the final ones.
const STATUSES: &str = "{pending,preparing,creating,ready,failed,updating,update_failed,deleting,unknown}";

impl Pgbench {
    /// The one beside the server's own programs, if there is one. Its files go below `folder`.
    pub(crate) async fn find(server: &Server, folder: &Path) -> anyhow::Result<Option<Self>> {
        let mut connection = PgConnection::connect_with(&connect_to(server, "postgres")).await?;
        let programs: String = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
            .fetch_one(&mut connection)
            .await?;
        let program = Path::new(&programs).join("pgbench");
        if !program.is_file() {
            return Ok(None);
        }
        drop(fs::remove_dir_all(folder));
        fs::create_dir_all(folder)?;
        let socket = server.socket_dir().display().to_string();
        let server = ["-h", &socket, "-p", "5432", "-U", server.user(), DATABASE].map(str::to_owned).into();
        Ok(Some(Self { program, folder: folder.to_owned(), server }))
    }

    /// Runs `sql` as often as it can. Blocking.
    pub(crate) fn run(&self, sql: &str, clients: u64, duration: Duration) -> anyhow::Result<Measure> {
        let script = self.folder.join("script.sql");
        fs::write(&script, sql)?;
        let (clients, seconds) = (clients.to_string(), duration.as_secs().max(1).to_string());
        let mut command = Command::new(&self.program);
        // None of the variables by which somebody points libpq elsewhere.
        command.env_clear().current_dir(&self.folder);
        command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds]);
        command.args(["-D", &format!("team={TEAM}"), "-D", &format!("statuses={STATUSES}")]);
        command.args(["--log", "--log-prefix=sample", "--sampling-rate=0.2", "-f", "script.sql"]);
        let output = command.args(&self.server).output().context("pgbench does not start")?;
        let told = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {told}{}", String::from_utf8_lossy(&output.stderr));
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        Ok(Measure { rate: rate.context("pgbench told no tps")?, ..Measure::of(self.samples()?, duration) })
    }

    /// The times in the logs, in microseconds; the logs are gone afterwards.
    fn samples(&self) -> anyhow::Result<Vec<u64>> {
        let mut times = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sample.")) {
                let text = fs::read_to_string(&path)?;
                times.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
                fs::remove_file(path)?;
            }
        }
        Ok(times)
    }
}
