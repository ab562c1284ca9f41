//! A database whose disk is full: the load balancer is told, and the log is not flooded.
#![cfg(test)]

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::database::address;
use crate::support::database::TestDatabase;
use crate::support::gateway::TestGateway;
use crate::support::process::{ServeProcess, stand_in};

/// The server's own error, whenever a row needs space.
const FULL: &str = "
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file \"base/16384/16523\": No space left on device' USING ERRCODE = '53100';
    END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON image_caches FOR EACH STATEMENT EXECUTE FUNCTION no_room();
    CREATE TRIGGER no_room BEFORE INSERT ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION no_room();
    CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON worker_heartbeats FOR EACH STATEMENT EXECUTE FUNCTION no_room();";

#[tokio::test]
async fn readiness_tells_that_the_disk_is_full() {
    let app = TestGateway::start().await;
    app.gateway.upkeep().beat("a test").await.unwrap();
    app.get("/readyz").await.expect(200);
    sqlx::raw_sql(FULL).execute(app.sql()).await.unwrap();
    assert_eq!(app.create("nginx:1.27").await.status, 503);
    let told = app.get("/readyz").await.problem(503, "not_ready");
    let words = "the database answers, but the disk of its data is full, so it does not accept writes";
    assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn a_full_disk_fills_no_log() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let (url, cloud) = (address(&database, "eci_runtime").await, stand_in().await);
    let mut gateway = ServeProcess::start(&url, &cloud.url());
    let door = gateway.address().await;
    gateway.until(&format!("{door}/readyz"), 200).await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    sqlx::raw_sql(FULL).execute(&mut owner).await.unwrap();
    let body = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    let path = format!("{door}/v1/image-caches");
    for _ in 0..5 {
        let answers = join_all((0..20).map(|_| gateway.post(&path, &body))).await;
        assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    }
    gateway.until(&format!("{door}/readyz"), 503).await;
    let said = gateway.said();
    let loud = |line: &&String| line.contains("\"level\":\"WARN\"") || line.contains("\"level\":\"ERROR\"");
    let loud: Vec<&String> = said.iter().filter(loud).collect();
    assert!(loud.iter().any(|line| line.contains("disk of the database's data is full")), "{loud:#?}");
    assert!(loud.len() <= 15, "{} lines: {loud:#?}", loud.len());
}
