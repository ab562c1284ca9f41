//! Whether the database can be used, and if not, why. Checked outside the pools, which only know that they have no
//! connection.
//!
//! The command line calls it before anything is served or written, and while requests fail. It does not wait for the
//! database.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::{PgConnection, Row as _};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::session::EXPECTED;
use crate::domain::database::fault::{DatabaseFault, DatabaseTarget, PoolMode};
use crate::store::Store;

/// The longest wait for a connection and the queries on it.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest wait for resolving a host name.
const RESOLVE: Duration = Duration::from_secs(4);
/// The oldest supported server, as `server_version_num`.
const OLDEST: i32 = 140_000;
/// How often to compare two sessions: other clients of a pooler might take connections in between.
const ROUNDS: u32 = 2;

/// A database setting that is weaker than what the gateway relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakSetting {
    /// Its name, as for `SHOW`.
    pub setting: &'static str,
    /// Its value for sessions that do not set it.
    pub value: String,
    /// The value that is needed.
    pub needed: &'static str,
    /// Whether the gateway's sessions set it themselves. If not, only the server's operator can.
    pub mended: bool,
}

impl Store {
    /// Which database this is.
    pub fn target(&self) -> DatabaseTarget {
        self.sessions.target()
    }

    /// Connects once, and returns why that does not work. Ends within 5 s.
    pub async fn reach(&self) -> Result<(), DatabaseFault> {
        let looked = timeout(LIMIT, async { self.look().await.map(drop) });
        looked.await.unwrap_or(Err(DatabaseFault::Silent))
    }

    /// The same, and detects a pooler that does not preserve sessions. Ends within 10 s.
    pub async fn reach_sessions(&self) -> Result<(), DatabaseFault> {
        let mut one = timeout(LIMIT, self.look()).await.unwrap_or(Err(DatabaseFault::Silent))?;
        let compared = timeout(LIMIT, async {
            let mut two = self.sessions.connect().await.map_err(|error| fault_of(&error))?;
            for _ in 0..ROUNDS {
                compare(&mut one, &mut two).await?;
            }
            Ok(())
        });
        // The first session was served at once, so what is missing is a second connection.
        compared.await.unwrap_or(Err(DatabaseFault::TooMany))
    }

    /// The settings of the server, the database or the role that are weaker than what the gateway relies on, for
    /// sessions that do not set them.
    pub async fn weaknesses(&self) -> Result<Vec<WeakSetting>, crate::store::StoreError> {
        let mut one = self.sessions.connect().await?;
        let names: Vec<&str> = EXPECTED.iter().map(|(name, ..)| *name).collect();
        // The value to reset to is the value that the session started with.
        let found: Vec<(String, String)> =
            sqlx::query_as("SELECT name, reset_val FROM pg_catalog.pg_settings WHERE name = ANY ($1)")
                .bind(names)
                .fetch_all(&mut one)
                .await?;
        let weak = |(setting, good, mended): &(&'static str, &'static [&'static str], bool)| {
            let (_, value) = found.iter().find(|(name, value)| name == setting && !good.contains(&value.as_str()))?;
            Some(WeakSetting { setting, value: value.clone(), needed: good[0], mended: *mended })
        };
        Ok(EXPECTED.iter().filter_map(weak).collect())
    }

    /// Whether the role may apply this binary's migrations.
    pub(in crate::store) async fn may_create(&self) -> Result<(), DatabaseFault> {
        let mut one = timeout(LIMIT, self.look()).await.unwrap_or(Err(DatabaseFault::Silent))?;
        let sql = "SELECT pg_catalog.has_schema_privilege('public', 'CREATE')";
        let row = sqlx::raw_sql(sql).fetch_one(&mut one).await.map_err(|error| fault_of(&error))?;
        if row.try_get(0).unwrap_or(false) { Ok(()) } else { Err(DatabaseFault::MayNotCreate) }
    }

    /// Checks that the host name resolves. An unavailable name server takes longer than we wait in total.
    async fn resolve(&self) -> Result<(), DatabaseFault> {
        let DatabaseTarget { host, port, .. } = self.target();
        if host.starts_with('/') {
            return Ok(());
        }
        let found = timeout(RESOLVE, lookup_host((host, port))).await;
        found.ok().and_then(Result::ok).map(drop).ok_or(DatabaseFault::NoSuchHost)
    }

    /// A connection to a server that is new enough.
    async fn look(&self) -> Result<PgConnection, DatabaseFault> {
        self.resolve().await?;
        let mut connection = self.sessions.connect().await.map_err(|error| fault_of(&error))?;
        let sql = "SELECT pg_catalog.current_setting('server_version_num')::int, pg_catalog.current_setting('server_version'),
                          pg_catalog.current_schema()::text,
                          pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('transaction_read_only')::bool";
        let row = sqlx::raw_sql(sql).fetch_one(&mut connection).await.map_err(|error| fault_of(&error))?;
        let unread = |error: sqlx::Error| DatabaseFault::Other(error.to_string());
        let schema: Option<String> = row.try_get(2).map_err(unread)?;
        if row.try_get::<i32, _>(0).map_err(unread)? < OLDEST {
            return Err(DatabaseFault::TooOld(row.try_get(1).map_err(unread)?));
        }
        if schema.as_deref() != Some("public") {
            return Err(DatabaseFault::Schema(schema));
        }
        if row.try_get(3).map_err(unread)? { Err(DatabaseFault::ReadOnly) } else { Ok(connection) }
    }
}

/// Two sessions of one server cannot see each other's settings. If a pooler gives each transaction another connection,
/// either the second session sees what the first has set, or the first does not find it again.
async fn compare(one: &mut PgConnection, two: &mut PgConnection) -> Result<(), DatabaseFault> {
    let told = |error: sqlx::Error| fault_of(&error);
    let sql = "SELECT pg_catalog.set_config('ecg.session', pg_catalog.gen_random_uuid()::text, false)";
    let row = sqlx::raw_sql(sql).fetch_one(&mut *one).await.map_err(told)?;
    let mark: String = row.try_get(0).map_err(told)?;
    run(two, "BEGIN").await.map_err(told)?;
    let (met, kept) = (marked(two, &mark).await.map_err(told)?, marked(one, &mark).await.map_err(told)?);
    run(two, "ROLLBACK").await.map_err(told)?;
    if met || !kept { Err(DatabaseFault::Pooler(PoolMode::Transaction)) } else { Ok(()) }
}

async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

async fn marked(connection: &mut PgConnection, mark: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT pg_catalog.current_setting('ecg.session', true)";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
    Ok(row.try_get::<Option<String>, _>(0)?.as_deref() == Some(mark))
}

/// What an error while connecting means.
fn fault_of(error: &sqlx::Error) -> DatabaseFault {
    match error {
        sqlx::Error::Io(error) => of_system(error),
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => DatabaseFault::NoTls,
        sqlx::Error::Tls(error) => DatabaseFault::Tls(chain(&**error)),
        sqlx::Error::Database(error) => of_server(error.code().as_deref().unwrap_or_default(), error.message()),
        sqlx::Error::Protocol(_) => DatabaseFault::NotPostgres,
        other => DatabaseFault::Other(other.to_string()),
    }
}

fn of_system(error: &std::io::Error) -> DatabaseFault {
    match error.kind() {
        ErrorKind::ConnectionRefused => DatabaseFault::Refused,
        ErrorKind::NotFound => DatabaseFault::NoSocket,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => DatabaseFault::Unreachable,
        ErrorKind::TimedOut => DatabaseFault::Silent,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => DatabaseFault::Other(
            "the server closed the connection: is it PostgreSQL, and does it accept connections from here?".to_owned(),
        ),
        _ if error.to_string().contains("failed to lookup address") => DatabaseFault::NoSuchHost,
        // Errors from rustls arrive as errors of the connection.
        ErrorKind::InvalidData => DatabaseFault::Tls(chain(error)),
        _ => DatabaseFault::Other(chain(error)),
    }
}

/// By the error code; poolers use one code for many things, so for those by the message.
fn of_server(code: &str, said: &str) -> DatabaseFault {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match code {
        "28P01" => DatabaseFault::Password,
        "28000" => DatabaseFault::RoleRefused(said.to_owned()),
        "3D000" => DatabaseFault::NoDatabase,
        "42501" => DatabaseFault::NoRight(said.to_owned()),
        "53300" => DatabaseFault::TooMany,
        "57P01" | "57P02" | "57P03" => DatabaseFault::Starting,
        "25006" => DatabaseFault::ReadOnly,
        "22023" | "42704" | "42602" | "55P02" => DatabaseFault::Setting(said.to_owned()),
        _ if has(&["unsupported startup parameter"]) => DatabaseFault::Startup(said.to_owned()),
        _ if has(&["statement pooling"]) => DatabaseFault::Pooler(PoolMode::Statement),
        _ if has(&["no such database"]) => DatabaseFault::NoDatabase,
        _ if has(&["no such user", "password authentication failed", "auth failed", "authentication failed"]) => {
            DatabaseFault::Password
        }
        _ if has(&["no more connections", "query_wait_timeout", "too many clients"]) => DatabaseFault::TooMany,
        _ if has(&["shutting down", "the database system is"]) => DatabaseFault::Starting,
        _ => DatabaseFault::Other(said.to_owned()),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
