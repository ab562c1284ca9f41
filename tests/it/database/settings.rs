//! A database whose operator has set unusual session defaults, for the database or for the role.
#![cfg(test)]

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{NO_CLOUD, address, run, told};
use crate::support::database::TestDatabase;
use crate::support::gateway::{Setup, TestGateway, new_cache};
use crate::support::hook::Hook;
use crate::support::process::{ServeProcess, command};

/// None of these is what the gateway would choose.
const ODD: [(&str, &str); 21] = [
    ("default_transaction_isolation", "'repeatable read'"),
    ("default_transaction_deferrable", "on"),
    ("synchronous_commit", "off"),
    ("TimeZone", "'Pacific/Chatham'"),
    ("search_path", "'nowhere, pg_catalog'"),
    ("lock_timeout", "'700ms'"),
    ("statement_timeout", "'700ms'"),
    ("idle_in_transaction_session_timeout", "'700ms'"),
    ("DateStyle", "'German, DMY'"),
    ("IntervalStyle", "sql_standard"),
    ("row_security", "off"),
    ("extra_float_digits", "-10"),
    ("bytea_output", "escape"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("enable_seqscan", "off"),
    ("enable_indexscan", "off"),
    ("plan_cache_mode", "force_custom_plan"),
    ("jit", "off"),
    ("work_mem", "'64kB'"),
    ("array_nulls", "on"),
];

/// A gateway whose sessions have these defaults.
async fn odd(app: &TestGateway, scope: &str) -> TestGateway {
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(app.sql()).await.unwrap();
    for (setting, value) in ODD {
        let sql = format!("ALTER {} SET {setting} = {value}", scope.replace("{}", &name));
        sqlx::query(AssertSqlSafe(sql)).execute(app.sql()).await.unwrap();
    }
    app.second_gateway(Setup::default()).await
}

async fn ten_ensures_make_one(app: &TestGateway) {
    let before = app.creations().await;
    let body = new_cache("nginx:1.27");
    let answers = join_all((0..10).map(|_| app.post("/v1/image-caches/ensure", &body))).await;
    let ids: Vec<String> = answers.iter().map(|answer| answer.json()["image_cache"]["id"].to_string()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(app.creations().await, before + 1);
}

/// A lifecycle with everything that depends on texts, times and numbers.
async fn a_life(app: &TestGateway) {
    let hook = Hook::start().await;
    let (_, secret) = app.endpoint(&hook.url()).await;
    let mut body = new_cache("redis:7");
    body["retention_days"] = json!(1);
    let id = app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let ready = app.until(&id, "ready").await;
    assert!(ready["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{ready}");
    let received = hook.received();
    received.iter().find(|one| one.kind() == "image_cache.ready").unwrap().verify(&secret, app.now());
    app.seal().await;
    app.gateway.upkeep().clean().await.unwrap();
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    assert_eq!(app.cache(&id).await["status"], "ready");
}

/// Nothing is different for a gateway whose sessions have these defaults.
async fn changes_nothing(scope: &str) {
    let first = TestGateway::start().await;
    let app = odd(&first, scope).await;
    ten_ensures_make_one(&app).await;
    a_life(&app).await;
}

#[tokio::test]
async fn what_the_database_sets_for_its_sessions_changes_nothing() {
    changes_nothing("DATABASE {}").await;
}

#[tokio::test]
async fn what_the_role_sets_for_its_sessions_changes_nothing() {
    changes_nothing("ROLE eci_runtime IN DATABASE {}").await;
}

#[tokio::test]
async fn what_is_weaker_than_needed_is_named_at_the_start() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    for (setting, value) in [("synchronous_commit", "off"), ("default_transaction_isolation", "serializable")] {
        run(&mut owner, &format!("ALTER DATABASE {} SET {setting} = '{value}'", database.name)).await;
    }
    let gateway = ServeProcess::of(command("serve", &address(&database, "eci_runtime").await, NO_CLOUD));
    let lines = told(&gateway, "a setting of the database is weaker than needed").await;
    for (setting, value) in [("synchronous_commit", "off"), ("default_transaction_isolation", "serializable")] {
        let named = |line: &&String| line.contains(setting) && line.contains(&format!("\"value\":\"{value}\""));
        // The tests' server runs without fsync, which is reported in addition to these.
        assert_eq!(told(&gateway, setting).await.iter().filter(named).count(), 1, "{lines:?}");
    }
}
