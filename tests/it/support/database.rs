//! A database for each test, cloned from a migrated template.
//!
//! There is one private cluster per process, started on first use and stopped at the end of the process. Its data are
//! kept in `target/tmp/postgres-<n>`, where n is the first number that no other process uses, so `cargo test`, nextest
//! (a process per test) and a second terminal do not interfere. `TEST_DATABASE_URL` names a server to use instead, with
//! a user who may create databases and roles; `DATABASE_URL` is never read, because it may be a production database.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use std::{env, fs, thread};

use eci_cache_gateway::localpg::{Durability, Server, StartError};
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

use super::server::{options_for, tmp};

/// How many processes may run tests at the same time.
const SLOTS: u32 = 64;
/// The prefix of test databases; nothing else is ever dropped.
const TEST: &str = "ecg_test_";
/// The prefix of templates; their names end with the hash of the migrations.
const TEMPLATE: &str = "ecg_template_";
/// The runtime role, to which the migrations grant its privileges. Roles are shared by all databases of a server.
const RUNTIME: &str = "eci_runtime";
/// The advisory lock for creating the template, for all processes that use one server. An arbitrary number.
const TEMPLATE_LOCK: i64 = 0x0065_6367_7470;

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    // A thread of its own: the tests' threads already have a runtime, and end.
    thread::spawn(Cluster::start).join().expect("the tests need a PostgreSQL: the reason stands above")
});

/// A database for one test, dropped with this value.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// How to connect to it.
    pub(crate) options: PgConnectOptions,
    pub(crate) name: String,
}

impl TestDatabase {
    /// A migrated, empty database.
    pub(crate) async fn create() -> Self {
        let cluster = &*CLUSTER;
        let name = format!("{TEST}{:016x}", RandomState::new().build_hasher().finish());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {} {}", cluster.template, cluster.strategy);
        let mut admin = cluster.connect().await;
        admin.execute(AssertSqlSafe(sql)).await.expect("a database can be cloned");
        admin.close().await.expect("the connection closes");
        Self { options: cluster.admin.clone().database(&name), name }
    }

    /// An existing database on a server of the test's own, otherwise a new one.
    pub(crate) async fn of(there: Option<PgConnectOptions>) -> Self {
        match there {
            // On the shared server no database has that name, so nothing is dropped.
            Some(options) => Self { options, name: format!("{TEST}elsewhere") },
            None => Self::create().await,
        }
    }

    /// How to connect with the runtime role, as a real gateway does.
    pub(crate) fn as_runtime(&self) -> PgConnectOptions {
        self.options.clone().username(RUNTIME)
    }

    /// A pool of at most `max` connections (5 are enough for one test).
    pub(crate) async fn pool(&self, max: u32) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(max).acquire_timeout(Duration::from_secs(10));
        pool.connect_with(self.options.clone()).await.expect("the test's database answers")
    }
}

impl TestDatabase {
    /// A pool, after the default policy was opened as in `dev`: only the tests of policies need them to refuse
    /// anything.
    pub(crate) async fn with_open_policy(&self, max: u32) -> PgPool {
        let pool = self.pool(max).await;
        sqlx::query("INSERT INTO default_policy (policy, version, updated_at) VALUES ($1, 1, now())")
            .bind(sqlx::types::Json(eci_cache_gateway::domain::policy::Policy::open()))
            .execute(&pool)
            .await
            .expect("a policy can be written");
        pool
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping =
            thread::spawn(|| within(async { CLUSTER.connect().await.execute(AssertSqlSafe(sql)).await.map(drop) }));
        // No panic here: the test may be unwinding already.
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

/// Runs a future on a new runtime, for tests and threads without one.
pub(crate) fn within<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}

/// This process's cluster, or the server in `TEST_DATABASE_URL`.
struct Cluster {
    /// Statics are not dropped at the end of the process; its guard notices the end.
    server: Option<Server>,
    admin: PgConnectOptions,
    template: String,
    strategy: &'static str,
}

impl Cluster {
    fn start() -> Self {
        let given = env::var_os("TEST_DATABASE_URL").filter(|url| !url.is_empty());
        let (server, admin) = match given {
            Some(url) => (None, url.to_string_lossy().parse().expect("TEST_DATABASE_URL is a postgres:// address")),
            None => start_private(),
        };
        let mut cluster = Self { server, admin, template: String::new(), strategy: "" };
        within(cluster.prepare());
        cluster
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.admin).await.expect("the test server answers")
    }

    /// Checks the server's version, drops what earlier runs left, and creates the template.
    async fn prepare(&mut self) {
        let mut admin = self.connect().await;
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
            .fetch_one(&mut admin)
            .await
            .expect("a server has a version");
        // Twice as fast as the default for a small template. Version 14 always does this, and has no syntax for it.
        self.strategy = if version >= 150_000 { "STRATEGY FILE_COPY" } else { "" };
        self.template = format!("{TEMPLATE}{}", hash_of_migrations());
        if self.server.is_some() {
            drop_left_overs(&mut admin, &self.template).await;
        }
        self.ensure_template(&mut admin).await;
        admin.close().await.expect("the connection closes");
    }

    /// Created under a lock and a temporary name, so that nobody clones a partly migrated template.
    async fn ensure_template(&self, admin: &mut PgConnection) {
        let (template, fresh) = (&self.template, format!("{}_new", self.template));
        sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.expect("a lock");
        let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(template)
            .fetch_optional(&mut *admin)
            .await
            .expect("the catalogue can be read");
        if found.is_none() {
            ensure_runtime_role(admin).await;
            run(admin, format!("DROP DATABASE IF EXISTS {fresh} WITH (FORCE)")).await;
            run(admin, format!("CREATE DATABASE {fresh} TEMPLATE template0")).await;
            migrate(&self.admin.clone().database(&fresh)).await;
            run(admin, format!("ALTER DATABASE {fresh} RENAME TO {template}")).await;
        }
        sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.expect("an unlock");
    }
}

/// A private server in the first directory that nobody else uses.
fn start_private() -> (Option<Server>, PgConnectOptions) {
    for slot in 0..SLOTS {
        let options = options_for(&tmp(&format!("postgres-{slot}")), Durability::Throwaway);
        match Server::start(&options, |line| eprintln!("{line}")) {
            Ok(server) => {
                let admin = PgConnectOptions::new_without_pgpass().socket(server.socket_dir()).port(5432);
                let admin = admin.username(server.user()).database("postgres").ssl_mode(PgSslMode::Disable);
                return (Some(server), admin);
            }
            Err(StartError::Held(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{SLOTS} test processes run already");
}

/// Only on a private server: elsewhere another process may be using them.
async fn drop_left_overs(admin: &mut PgConnection, template: &str) {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT datname::text FROM pg_database WHERE (starts_with(datname, $1) OR starts_with(datname, $2)) \
         AND datname <> $3",
    )
    .bind(TEST)
    .bind(TEMPLATE)
    .bind(template)
    .fetch_all(&mut *admin)
    .await
    .expect("the catalogue can be read");
    for name in names {
        run(admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

/// Before the migrations, which grant privileges only to existing roles.
async fn ensure_runtime_role(admin: &mut PgConnection) {
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(RUNTIME)
        .fetch_optional(&mut *admin)
        .await
        .expect("the catalogue can be read");
    let verb = if found.is_none() { "CREATE" } else { "ALTER" };
    // It logs in as itself: a session that switched to another role could switch back.
    run(admin, format!("{verb} ROLE {RUNTIME} LOGIN")).await;
}

async fn migrate(options: &PgConnectOptions) {
    let mut connection = PgConnection::connect_with(options).await.expect("the new template answers");
    if migrations().is_dir() {
        let migrator = Migrator::new(migrations()).await.expect("the migrations can be read");
        migrator.run(&mut connection).await.expect("the migrations run");
    }
    connection.close().await.expect("the connection closes");
}

async fn run(admin: &mut PgConnection, sql: String) {
    let said = sql.clone();
    admin.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{said}: {error}"));
}

fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
}

/// A hash of the migrations' names and contents, which identifies the template.
fn hash_of_migrations() -> String {
    let entries = fs::read_dir(migrations()).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.sort();
    // Templates from before the role existed, or could log in, must not be used.
    let mut hash = Sha256::new_with_prefix(format!("{RUNTIME} logs in"));
    for file in files.iter().filter(|file| file.is_file()) {
        let text = fs::read(file).expect("a migration can be read");
        hash.update(file.file_name().expect("a file has a name").as_encoded_bytes());
        hash.update(text.len().to_le_bytes());
        hash.update(&text);
    }
    let start = hash.finalize().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{start:016x}")
}
