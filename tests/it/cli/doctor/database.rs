//! `doctor database`: missing and excessive privileges are named.
#![cfg(test)]

use std::process::Command;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::database::address;
use crate::support::database::TestDatabase;

/// Runs `doctor database` as the runtime role; returns its exit code and output.
async fn doctor(database: &TestDatabase, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.args(["doctor", "database"]).args(words).env_clear();
    command.env("ECG_DATABASE_URL", address(database, "eci_runtime").await);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

/// As set up by `deploy/postgres/roles.sql`.
async fn prepared() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create().await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    for sql in [
        format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", database.name),
        format!("GRANT CONNECT ON DATABASE {} TO eci_runtime", database.name),
        "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
        "GRANT USAGE ON SCHEMA public TO eci_runtime".to_owned(),
    ] {
        owner.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    (database, owner)
}

#[tokio::test]
async fn less_and_more_are_named() {
    let (database, mut owner) = prepared().await;
    let (code, said) = doctor(&database, &[]).await;
    assert!(code == Some(0) && said.contains("The role eci_runtime has exactly these privileges."), "{code:?} {said}");
    assert!(said.contains("GRANT SELECT, INSERT ON TABLE public.audit_leaves TO eci_runtime;"), "{said}");
    for (change, back, told) in [
        (
            "REVOKE UPDATE ON operations FROM eci_runtime",
            "GRANT UPDATE ON operations TO eci_runtime",
            "Missing: UPDATE ON TABLE public.operations.",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION feed_begin_life FROM eci_runtime",
            "GRANT EXECUTE ON FUNCTION feed_begin_life TO eci_runtime",
            "Missing: EXECUTE ON FUNCTION public.feed_begin_life().",
        ),
        (
            "GRANT TRUNCATE ON events TO eci_runtime",
            "REVOKE TRUNCATE ON events FROM eci_runtime",
            "More than it needs: TRUNCATE ON TABLE public.events.",
        ),
        (
            "GRANT UPDATE (note) ON audit_checkpoints TO eci_runtime",
            "REVOKE UPDATE (note) ON audit_checkpoints FROM eci_runtime",
            "It could alter the audit: it has UPDATE on audit_checkpoints.",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "More than it needs: CREATE ON SCHEMA public.",
        ),
        (
            "GRANT SELECT ON delivery_attempts_default TO PUBLIC",
            "REVOKE SELECT ON delivery_attempts_default FROM PUBLIC",
            "More than it needs: SELECT ON TABLE public.delivery_attempts_default.",
        ),
    ] {
        owner.execute(change).await.unwrap();
        let (code, said) = doctor(&database, &[]).await;
        assert!(code == Some(1) && said.contains(told), "{change}: {code:?} {said}");
        owner.execute(back).await.unwrap();
        assert_eq!(doctor(&database, &[]).await.0, Some(0), "{back}");
    }
}

#[tokio::test]
async fn what_is_of_one_kind_stands_in_one_line() {
    let (database, mut owner) = prepared().await;
    for sql in
        ["GRANT TRUNCATE ON events, operations TO eci_runtime", "GRANT DELETE, UPDATE ON audit_leaves TO eci_runtime"]
    {
        owner.execute(sql).await.unwrap();
    }
    let (code, said) = doctor(&database, &[]).await;
    assert_eq!(code, Some(1), "{said}");
    // What each table needs is in the migrations.
    let told: Vec<&str> = said.lines().filter(|line| !line.starts_with("  GRANT ")).collect();
    insta::assert_snapshot!("doctor_database", told.join("\n"));
    let remedy = said.lines().find_map(|line| line.split_once("As the owner: REVOKE TRUNCATE")).unwrap().1;
    owner.execute(AssertSqlSafe(format!("REVOKE TRUNCATE{remedy}"))).await.unwrap();
    assert!(!doctor(&database, &[]).await.1.contains("TRUNCATE"));
}

#[tokio::test]
async fn it_tells_machines_and_of_other_roles() {
    let (database, mut owner) = prepared().await;
    owner.execute(AssertSqlSafe(format!("GRANT TEMPORARY ON DATABASE {} TO PUBLIC", database.name))).await.unwrap();
    let (code, said) = doctor(&database, &["--json"]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &report["fine"], &report["role"]),
        (Some(1), &Value::Bool(false), &"eci_runtime".into()),
        "{said}"
    );
    assert_eq!(report["more"], serde_json::json!([format!("TEMPORARY ON DATABASE {}", database.name)]));
    let (code, said) = doctor(&database, &["--role", "no_such_role"]).await;
    assert!(code == Some(1) && said.contains("there is no role no_such_role"), "{said}");
    let mut unset = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    unset.args(["doctor", "database"]).env_clear();
    let output = tokio::task::spawn_blocking(move || unset.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
}
