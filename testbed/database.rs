//! The database of a benchmark: created again under its name, with every migration.

use std::time::Duration;

use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The role to which the migrations grant the gateway's privileges.
const RUNTIME_ROLE: &str = "DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'eci_runtime') THEN CREATE ROLE eci_runtime LOGIN; END IF;
END $$";

/// How to connect to `database` as its owner.
pub(crate) fn connect_to(server: &Server, database: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().socket(server.socket_dir()).port(5432);
    options.username(server.user()).database(database).ssl_mode(PgSslMode::Disable)
}

/// Creates the database, replacing one with the same name, and returns how to connect to it.
pub(crate) async fn make(server: &Server, name: &str) -> anyhow::Result<PgConnectOptions> {
    let mut admin = PgConnection::connect_with(&connect_to(server, "postgres")).await?;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
    admin.execute(RUNTIME_ROLE).await?;
    let options = connect_to(server, name);
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_secs(5) };
    let store = Store::open(&options, sizes, Stamp::none());
    store.migrate().await?;
    store.close().await;
    Ok(options)
}
