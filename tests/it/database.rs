//! The database as operators have it: addresses, reported causes, schemas, poolers, and the keys that belong to it.
#![cfg(test)]

use std::process::{Command, Output};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::{Instant, sleep};

use crate::support::database::TestDatabase;
use crate::support::process::ServeProcess;

mod causes;
mod clock_leaps;
mod failover;
mod full_disk;
mod horizon;
mod keys;
mod later_migrations;
mod plans;
mod poolers;
mod restart;
mod retention;
mod schemas;
mod second_version;
mod settings;

/// For tests that need no cloud.
const NO_CLOUD: &str = "http://127.0.0.1:1";
/// Something real has to happen, on a machine that may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

/// A command's exit code and its whole output.
pub(crate) async fn ended(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// The lines with these words, once there is one.
async fn told(gateway: &ServeProcess, words: &str) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let lines: Vec<_> = gateway.said().into_iter().filter(|line| line.contains(words)).collect();
        if !lines.is_empty() {
            return lines;
        }
        assert!(Instant::now() < deadline, "{words} in {:#?}", gateway.said());
        sleep(Duration::from_millis(20)).await;
    }
}

/// The URL of a test's database on its server's socket.
pub(crate) async fn address(database: &TestDatabase, role: &str) -> String {
    let mut connection = PgConnection::connect_with(&database.options).await.unwrap();
    let sql = "SELECT current_setting('unix_socket_directories'), current_setting('port')";
    let (folder, port): (String, String) = sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap();
    format!("postgres://{role}@/{}?host={folder}&port={port}", database.name)
}

async fn run(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn count(database: &TestDatabase, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect_with(&database.options).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}
