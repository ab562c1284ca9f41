//! The plans that `auto_explain` wrote to the log of the tests' server.
#![cfg(test)]

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::gateway::TestGateway;

/// The log of our own servers.
const LOG: &str = "SELECT pg_read_file(current_setting('data_directory') || '/../postgres.log')";

/// What to do if there are no plans.
const REMEDY: &str = "The plans are looked at on a server that the tests start themselves: unset TEST_DATABASE_URL, and \
    install PostgreSQL with its contrib modules (Debian: postgresql; Fedora: postgresql-contrib; ECG_PG_BIN names \
    another folder of its programs). On somebody else's server the test is left out by `-- --skip database::plans`.";

/// An executed statement with its plan.
#[derive(Debug)]
pub(super) struct StatementPlan {
    /// Its text on one line.
    pub(super) statement: String,
    /// The root node of the plan.
    pub(super) root: Value,
}

/// Fails if this server cannot write plans or we cannot read them: a test without plans proves nothing.
pub(super) async fn assert_there(app: &TestGateway) {
    let log: Result<String, _> = sqlx::query_scalar(LOG).fetch_one(app.sql()).await;
    let log = log.map(drop).map_err(|error| format!("the server's log cannot be read ({error})"));
    let module = app.sql().execute("LOAD 'auto_explain'").await;
    let module = module.map(drop).map_err(|error| format!("auto_explain cannot be loaded ({error})"));
    if let Err(reason) = log.and(module) {
        panic!("{reason}. {REMEDY}");
    }
}

/// Makes all new connections write their plans.
pub(super) async fn turn_on(app: &TestGateway) {
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(app.sql()).await.unwrap();
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_format", "json"),
        // The actual number of rows.
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_timing", "off"),
    ] {
        let sql = format!("ALTER DATABASE {name} SET {setting} = '{value}'");
        app.sql().execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

/// Executes a statement on a connection that writes its plans.
pub(super) async fn explained(app: &TestGateway, sql: &'static str) {
    let mut connection = PgConnection::connect_with(&app.runtime_database()).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// Every plan in the log, once for each number of rows read.
pub(super) async fn plans(app: &TestGateway) -> Vec<StatementPlan> {
    let text: String = sqlx::query_scalar(LOG).fetch_one(app.sql()).await.unwrap();
    let (mut plans, mut seen) = (Vec::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !(line.contains("duration: ") && line.ends_with(" plan:")) {
            continue;
        }
        let mut body = String::new();
        // A message continues on lines that begin with a tab.
        while let Some(next) = lines.next_if(|line| line.starts_with('\t')) {
            body += next;
        }
        let plan = read(&body);
        if seen.insert((plan.statement.clone(), shape(&plan.root))) {
            plans.push(plan);
        }
    }
    plans
}

fn read(body: &str) -> StatementPlan {
    let mut whole: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let statement = whole["Query Text"].as_str().unwrap_or_default();
    let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    StatementPlan { statement, root: whole["Plan"].take() }
}

/// Distinguishes plans of the same statement.
fn shape(root: &Value) -> String {
    let (mut text, mut nodes) = (Vec::new(), vec![root]);
    while let Some(node) = nodes.pop() {
        text.extend(["Node Type", "Index Name", "Relation Name", "Actual Rows"].map(|name| node[name].to_string()));
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    text.join(" ")
}
