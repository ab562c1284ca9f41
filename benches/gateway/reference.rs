//! A reference: pgbench with the same prepared SQL, on the same database through its Unix socket.
//!
//! It has no HTTP, no tokens, no audit entries and no JSON: this is the minimum that any server has to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use eci_cache_gateway::localpg::Server;
use sqlx::{Connection as _, PgConnection};

use crate::database::connect_to;
use crate::report::Measure;
use crate::site::{DATABASE, Size};
use crate::testbed::{FIRST, ID_STEM};

/// A usable pgbench.
pub(crate) struct Pgbench {
    program: PathBuf,
    folder: PathBuf,
    server: Vec<String>,
    size: Size,
}

/// Caches that have not ended.
const LIVE: &str = "status NOT IN ('deleted', 'expired', 'evicted', 'lost')";

/// What a read of a row needs: all columns except those that only the gateway uses.
const COLUMNS: &str = "id, team, account, region, name, images, spec, status, provider_status, generation, version,
    sequence, operation, eci_cache_id, container_group_id, snapshot_id, flash_snapshot_id, progress_percent, failure,
    evidence, misses, created_at, updated_at, ready_at, expires_at, last_matched_at, provider, drift, expiry_told, gone_at";

/// The SQL of `Store::image_cache` for one image cache.
pub(crate) fn read() -> String {
    // A pgbench variable can be neither text nor uuid, so both are built here.
    format!(
        "\\set n random(0, :caches - 1)\n\\set t :n % :teams\n\\set id {FIRST} + :n\n\
         SELECT {COLUMNS} FROM image_caches WHERE team = 'team-' || :t::text AND id = ('{ID_STEM}' || :id::text)::uuid;\n"
    )
}

/// The SQL of `Store::image_caches` for the first page of 50 without a filter.
pub(crate) fn list() -> String {
    format!(
        "\\set t random(0, :teams - 1)\n\
         SELECT {COLUMNS} FROM image_caches WHERE team = 'team-' || :t::text AND {LIVE}
         ORDER BY id DESC LIMIT 51;\n"
    )
}

/// One audit entry in a transaction of its own, durable before the commit returns.
pub(crate) fn audit() -> String {
    "\\set t random(0, :teams - 1)\n\
     INSERT INTO bench_audit (id, at, team, subject, credential, door, request_id, address, action, resource, outcome,
         http_status, duration_ms, parameters, stamp)
     VALUES (gen_random_uuid(), now(), 'team-' || :t::text, 'bench', 'bench', 'rest', gen_random_uuid()::text,
         '127.0.0.1', 'get_image_cache', 'ic_01jdc000000000000000000000', 'succeeded', 200, 1, '{}',
         decode(repeat('00', 32), 'hex'));\n"
        .to_owned()
}

/// The SQL of `Store::matchable_caches`.
pub(crate) fn matches() -> String {
    let part = |of: &str| {
        format!(
            "(SELECT id, eci_cache_id, account, name, region, status, (spec ->> 'size_gib')::integer AS size_gib, images,
                 created_at
             FROM image_caches WHERE team = 'team-' || :t::text AND region {of} 'cn-beijing'
                 AND {LIVE} AND status <> 'deleting'
             ORDER BY id DESC LIMIT 1000)"
        )
    };
    format!("\\set t random(0, :teams - 1)\n{} UNION ALL {} LIMIT 1000;\n", part("="), part("<>"))
}

impl Pgbench {
    /// The pgbench beside the server's own programs, if there is one. Its files are created below `folder`.
    pub(crate) async fn find(server: &Server, folder: &Path, size: Size) -> anyhow::Result<Option<Self>> {
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
        Ok(Some(Self { program, folder: folder.to_owned(), server, size }))
    }

    /// Runs `sql` as often as possible. Blocking.
    pub(crate) fn run(&self, sql: &str, clients: u64, duration: Duration) -> anyhow::Result<Measure> {
        let script = self.folder.join("script.sql");
        fs::write(&script, sql)?;
        let (clients, seconds) = (clients.to_string(), duration.as_secs().max(1).to_string());
        let mut command = Command::new(&self.program);
        // Without the variables that redirect libpq.
        command.env_clear().current_dir(&self.folder);
        command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds]);
        let (caches, teams) = (format!("caches={}", self.size.caches), format!("teams={}", self.size.teams));
        command.args(["-D", &caches, "-D", &teams]);
        command.args(["--log", "--log-prefix=sample", "--sampling-rate=0.2", "-f", "script.sql"]);
        let output = command.args(&self.server).output().context("pgbench does not start")?;
        let told = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {told}{}", String::from_utf8_lossy(&output.stderr));
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let rate: f64 = rate.context("pgbench told no tps")?;
        Ok(Measure { rate, answers: rate * duration.as_secs_f64(), ..Measure::of(self.samples()?, duration) })
    }

    /// The times in the logs, in microseconds; deletes the logs.
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
