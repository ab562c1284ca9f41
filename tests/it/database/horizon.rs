//! A transaction that somebody left open anywhere on the server: what it holds up is reported.
#![cfg(test)]

use eci_cache_gateway::localpg::Server;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::gateway::{Setup, TestGateway};
use crate::support::process;

/// What readiness reports as degraded, once there is a heartbeat of the workers.
async fn degraded(app: &TestGateway) -> Vec<String> {
    app.gateway.upkeep().beat("a test").await.unwrap();
    let ready = app.get("/readyz").await.expect(200);
    let told = ready.get("degraded").unwrap_or(&Value::Null).as_array().cloned().unwrap_or_default();
    told.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_open_transaction_is_named_until_it_ends() {
    let app = TestGateway::start().await;
    assert_eq!(degraded(&app).await, Vec::<String>::new());
    // In another database of the server, by another role, with a transaction id.
    let elsewhere: PgConnectOptions = app.database_url().await.parse().unwrap();
    let mut other = PgConnection::connect_with(&elsewhere.database("postgres")).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    let mut open = other.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()::text").execute(&mut *open).await.unwrap();
    let named = format!("process {pid} ");
    // Other tests have transactions on this server too; theirs end soon, and then ours is the oldest.
    loop {
        degraded(&app).await;
        app.advance(61);
        let told = degraded(&app).await;
        if told.iter().any(|one| one.contains(&named)) {
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(
                told[0].starts_with("events, streams and the sealing of the audit have been blocked for "),
                "{told:?}"
            );
            break;
        }
    }
    open.rollback().await.unwrap();
    assert!(!degraded(&app).await.iter().any(|one| one.contains(&named)));
    assert_eq!(app.get("/readyz").await.expect(200)["database"], json!(true));
}

/// A server for this test that allows prepared transactions: on the shared one, they would hold up all feeds.
async fn server_that_prepares() -> Server {
    let (server, options) = process::started(process::slots("prepared")).await;
    let mut admin = PgConnection::connect(&server.database_url()).await.unwrap();
    // What a failed run left behind would hold up everything.
    let left: Vec<String> = sqlx::query_scalar("SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts")
        .fetch_all(&mut admin)
        .await
        .unwrap();
    for sql in left {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    admin.execute("ALTER SYSTEM SET max_prepared_transactions = 4").await.unwrap();
    admin.close().await.unwrap();
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap().unwrap();
    process::started(vec![options]).await.0
}

#[tokio::test]
async fn a_forgotten_prepared_transaction_is_named_until_it_is_rolled_back() {
    let server = server_that_prepares().await;
    process::database(&server).await;
    let elsewhere: PgConnectOptions = server.database_url().parse().unwrap();
    let database = Some(elsewhere.clone().database("restart"));
    let app = TestGateway::with(Setup { database, ..Setup::default() }).await;
    assert_eq!(degraded(&app).await, Vec::<String>::new());
    // The session that prepared it has ended, so no process has it any more.
    let mut other = PgConnection::connect_with(&elsewhere).await.unwrap();
    let prepare = "BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'forgotten \"one\"'";
    sqlx::raw_sql(prepare).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let id = app.created().await;
    degraded(&app).await;
    app.advance(61);
    let told = degraded(&app).await;
    let end = "by a prepared transaction of the database's server (the log has its name)";
    assert!(told.len() == 1 && told[0].ends_with(end), "{told:?}");
    assert_eq!(app.items("/v1/events").await, Vec::<Value>::new(), "the feed stands still");

    let mut other = PgConnection::connect_with(&elsewhere).await.unwrap();
    other.execute("ROLLBACK PREPARED 'forgotten \"one\"'").await.unwrap();
    assert_eq!(degraded(&app).await, Vec::<String>::new());
    assert_eq!(app.items("/v1/events").await[0]["data"]["image_cache"]["id"], json!(id));
    other.close().await.unwrap();
    drop(app);
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap().unwrap();
}
