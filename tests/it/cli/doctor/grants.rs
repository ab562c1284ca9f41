//! The runtime role's privileges are defined once: the migrations grant exactly these, and `migrate` grants them to any
//! role.
#![cfg(test)]

use eci_cache_gateway::domain::database::grants::{Difference, GRANTS, HeldPrivileges, ObjectKind, compare};
use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::database::TestDatabase;

async fn run(owner: &mut PgConnection, sql: &str) {
    owner.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The differences, except for the database and the schema: their default privileges are the server's.
fn differences(held: &[HeldPrivileges]) -> Vec<Difference> {
    compare(held)
        .into_iter()
        .filter(|found| ![ObjectKind::Database, ObjectKind::Schema].contains(&found.kind))
        .collect()
}

fn store(database: &TestDatabase) -> Store {
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: std::time::Duration::from_secs(10) };
    Store::open(&database.options, sizes, Stamp::none())
}

#[tokio::test]
async fn the_migrations_grant_what_is_needed_and_nothing_else() {
    let database = TestDatabase::create().await;
    let held = store(&database).held_privileges("eci_runtime").await.unwrap().unwrap();
    assert_eq!(differences(&held), [], "src/domain/database/grants.rs and the migrations say different things");
}

#[tokio::test]
async fn a_role_of_any_name_is_brought_to_exactly_that() {
    let database = TestDatabase::create().await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    // Roles are shared by all databases of the server.
    let role = format!("runtime_{}", database.name.trim_start_matches("ecg_test_"));
    run(&mut owner, &format!("CREATE ROLE {role}")).await;
    run(&mut owner, &format!("GRANT ALL ON teams, audit_leaves TO {role}")).await;
    run(&mut owner, &format!("GRANT UPDATE (note) ON audit_checkpoints TO {role}")).await;
    let store = self::store(&database);
    assert!(store.grant_runtime(&role).await.unwrap());
    let held = store.held_privileges(&role).await.unwrap().unwrap();
    // It may also call the functions that a gateway calls: without `feed_begin_life` its sessions could not write.
    assert_eq!(differences(&held), []);
    run(&mut owner, &format!("DROP OWNED BY {role}")).await;
    run(&mut owner, &format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_gateway_lives_with_exactly_what_is_needed() {
    let app = crate::support::gateway::TestGateway::start().await;
    let sql = "DO $$ DECLARE t text; BEGIN
        FOR t IN SELECT c.oid::regclass::text FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S') LOOP
            EXECUTE format('REVOKE ALL ON %s FROM eci_runtime', t);
        END LOOP; END $$";
    sqlx::raw_sql(sql).execute(app.sql()).await.unwrap();
    for grant in GRANTS.iter().filter(|grant| grant.kind != ObjectKind::Database) {
        sqlx::raw_sql(AssertSqlSafe(grant.statement("", "eci_runtime"))).execute(app.sql()).await.unwrap();
    }
    let id = app.created().await;
    app.until(&id, "ready").await;
    app.gateway.upkeep().clean().await.unwrap();
    app.seal().await;
    app.delete(&format!("/v1/image-caches/{id}")).await;
    app.until(&id, "deleted").await;
}
