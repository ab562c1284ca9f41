//! A transaction that somebody left open anywhere on the server: what stands still behind it is told.
#![cfg(test)]

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::support::gateway::TestGateway;

/// What readiness has to say, once a sign of life of the workers is there.
async fn degraded(app: &TestGateway) -> Vec<String> {
    app.gateway.beat("a test").await.unwrap();
    let ready = app.get("/readyz").await.expect(200);
    let told = ready.get("degraded").unwrap_or(&Value::Null).as_array().cloned().unwrap_or_default();
    told.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_open_transaction_is_named_until_it_ends() {
    let app = TestGateway::start().await;
    assert_eq!(degraded(&app).await, Vec::<String>::new());
    // In another database of the server, by another role, with a number of its own.
    let elsewhere: PgConnectOptions = app.database_url().await.parse().unwrap();
    let mut other = PgConnection::connect_with(&elsewhere.database("postgres")).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    let mut open = other.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()::text").execute(&mut *open).await.unwrap();
    let named = format!("process {pid} ");
    // Other tests have transactions on this server, too; theirs end in moments, ours is the oldest then.
    loop {
        degraded(&app).await;
        app.advance(61);
        let told = degraded(&app).await;
        if told.iter().any(|one| one.contains(&named)) {
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(
                told[0].starts_with("events, streams and the sealing of the audit have stood still for "),
                "{told:?}"
            );
            break;
        }
    }
    open.rollback().await.unwrap();
    assert!(!degraded(&app).await.iter().any(|one| one.contains(&named)));
    assert_eq!(app.get("/readyz").await.expect(200)["database"], json!(true));
}
