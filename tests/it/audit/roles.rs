//! Who may access the audit: the runtime role may read and insert, and a role that may do more is detected.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::database::TestDatabase;
use crate::support::gateway::TestGateway;

#[tokio::test]
async fn the_runtime_role_can_read_and_add_and_no_more() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    assert_eq!(app.store(false).powers_over_audit().await.unwrap(), Some(vec![]));
    let database = TestDatabase::create().await;
    let mut runtime = PgConnection::connect_with(&database.as_runtime()).await.unwrap();
    for table in ["audit_entries", "audit_leaves", "audit_nodes", "audit_checkpoints"] {
        sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).execute(&mut runtime).await.unwrap();
        for sql in [
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
        ] {
            let refused = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut runtime).await.unwrap_err();
            assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}");
        }
    }
}

#[tokio::test]
async fn a_stronger_role_is_told_by_what_it_could_do() {
    let app = TestGateway::start().await;
    let powers = app.store(true).powers_over_audit().await.unwrap().unwrap();
    assert!(powers.contains(&"it is a superuser".to_owned()), "{powers:?}");
    for (grant, revoke, told) in [
        (
            "GRANT UPDATE ON audit_leaves TO eci_runtime",
            "REVOKE UPDATE ON audit_leaves FROM eci_runtime",
            "it has UPDATE on audit_leaves",
        ),
        (
            "GRANT DELETE ON audit_entries_other TO eci_runtime",
            "REVOKE DELETE ON audit_entries_other FROM eci_runtime",
            "it has DELETE on audit_entries_other",
        ),
        (
            "GRANT UPDATE (subject) ON audit_entries TO eci_runtime",
            "REVOKE UPDATE (subject) ON audit_entries FROM eci_runtime",
            "it has UPDATE on audit_entries",
        ),
        (
            "GRANT TRIGGER ON audit_nodes TO eci_runtime",
            "REVOKE TRIGGER ON audit_nodes FROM eci_runtime",
            "it has TRIGGER on audit_nodes",
        ),
    ] {
        sqlx::query(grant).execute(app.sql()).await.unwrap();
        assert_eq!(app.store(false).powers_over_audit().await.unwrap(), Some(vec![told.to_owned()]));
        sqlx::query(revoke).execute(app.sql()).await.unwrap();
        assert_eq!(app.store(false).powers_over_audit().await.unwrap(), Some(vec![]), "{told}");
    }
}

#[tokio::test]
async fn a_login_that_only_took_the_role_on_is_told() {
    let database = TestDatabase::create().await;
    let options = database.options.clone().options([("role", "eci_runtime")]);
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_secs(10) };
    let powers = Store::open(&options, sizes, Stamp::none()).powers_over_audit().await.unwrap().unwrap();
    assert_eq!(powers, ["it logged in as eci, which it could become again"]);
}

#[tokio::test]
async fn migrate_grants_the_role_that_it_is_told() {
    let app = TestGateway::start().await;
    let store = app.store(true);
    assert!(!store.grant_runtime("nobody_of_that_name").await.unwrap());
    assert!(store.grant_runtime("eci_runtime").await.unwrap());
    sqlx::query("GRANT DELETE ON audit_leaves TO eci_runtime").execute(app.sql()).await.unwrap();
    assert!(store.grant_runtime("eci_runtime").await.unwrap());
    assert_eq!(app.store(false).powers_over_audit().await.unwrap(), Some(vec![]));
    app.created().await;
}
