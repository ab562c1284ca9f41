//! The plans that `auto_explain` wrote into the log of the tests' server.
#![cfg(test)]

use std::collections::HashSet;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::gateway::TestGateway;

/// Where our own servers write.
const LOG: &str = "SELECT pg_read_file(current_setting('data_directory') || '/../postgres.log')";

/// How a statement was carried out.
#[derive(Debug)]
pub(super) struct Plan {
    /// Its text, in one line.
    pub(super) statement: String,
    /// The plan's first node.
    pub(super) root: Value,
}

/// Lets every new connection write its plans. `false`: this server cannot.
pub(super) async fn turn_on(app: &TestGateway) -> bool {
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(app.sql()).await.unwrap();
    let there: Result<String, _> = sqlx::query_scalar(LOG).fetch_one(app.sql()).await;
    if there.is_err() || app.sql().execute("LOAD 'auto_explain'").await.is_err() {
        return false;
    }
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_format", "json"),
    ] {
        let sql = format!("ALTER DATABASE {name} SET {setting} = '{value}'");
        app.sql().execute(AssertSqlSafe(sql)).await.unwrap();
    }
    true
}

/// Runs a statement on a connection that writes its plans.
pub(super) async fn explained(app: &TestGateway, sql: &'static str) {
    let mut connection = PgConnection::connect_with(&app.runtime_database()).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// Every plan in the log, each once.
pub(super) async fn plans(app: &TestGateway) -> Vec<Plan> {
    let text: String = sqlx::query_scalar(LOG).fetch_one(app.sql()).await.unwrap();
    let (mut plans, mut seen) = (Vec::new(), HashSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !(line.contains("duration: ") && line.ends_with(" plan:")) {
            continue;
        }
        let mut body = String::new();
        // A message goes on in lines that begin with a tab.
        while let Some(next) = lines.next_if(|line| line.starts_with('\t')) {
            body += next;
        }
        if seen.insert(body.clone()) {
            plans.push(read(&body));
        }
    }
    plans
}

fn read(body: &str) -> Plan {
    let mut whole: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let statement = whole["Query Text"].as_str().unwrap_or_default();
    let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    Plan { statement, root: whole["Plan"].take() }
}
