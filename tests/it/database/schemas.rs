//! The tables are in `public`: another schema is refused before the first statement, and a new database is migrated
//! completely or not at all.

use sqlx::{Connection as _, PgConnection};

use super::{NO_CLOUD, address, count, ended, run};
use crate::support::database::TestDatabase;
use crate::support::process::command;

const TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

/// A database without the gateway's tables, a connection of its owner, and its URL.
async fn empty() -> (TestDatabase, PgConnection, String) {
    let database = TestDatabase::create().await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    run(&mut owner, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA app").await;
    let role = owner_of(&mut owner).await;
    let address = address(&database, &role).await;
    (database, owner, address)
}

async fn owner_of(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("SELECT current_user::text").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn another_schema_is_refused_before_the_first_statement() {
    let (database, mut owner, address) = empty().await;
    let asked = format!("{address}&options=-c%20search_path%3Dapp");
    for name in ["migrate", "serve"] {
        let (code, said) = ended(command(name, &asked, NO_CLOUD)).await;
        assert!(code == Some(4) && said.contains("lead to app there"), "{name}: {said}");
    }
    run(&mut owner, &format!("ALTER DATABASE {} SET search_path = app", database.name)).await;
    let (code, said) = ended(command("migrate", &address, NO_CLOUD)).await;
    assert!(code == Some(4) && said.contains("RESET search_path"), "{said}");
    assert_eq!(count(&database, TABLES).await, 0);
    // The address takes precedence over the database's own setting.
    let (code, said) =
        ended(command("migrate", &format!("{address}&options=-c%20search_path%3Dpublic"), NO_CLOUD)).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_new_database_gets_all_migrations_or_none() {
    let (database, mut owner, address) = empty().await;
    // One of the last migrations creates a table with this name.
    run(&mut owner, "CREATE TABLE cloud_accounts ()").await;
    let (code, said) = ended(command("migrate", &address, NO_CLOUD)).await;
    assert!(code == Some(1) && said.contains("already exists"), "{said}");
    assert_eq!(said.lines().last().unwrap().matches("already exists").count(), 1, "{said}");
    assert_eq!(count(&database, TABLES).await, 1);
    run(&mut owner, "DROP TABLE cloud_accounts").await;
    let (code, said) = ended(command("migrate", &address, NO_CLOUD)).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = ended(command("migrate", &address, NO_CLOUD)).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_is_told_before_the_first_statement() {
    let (database, mut owner, _) = empty().await;
    run(&mut owner, "GRANT USAGE ON SCHEMA public TO eci_runtime").await;
    let (code, said) = ended(command("migrate", &address(&database, "eci_runtime").await, NO_CLOUD)).await;
    assert!(code == Some(4) && said.contains("may not create tables in the schema public"), "{said}");
    assert_eq!(count(&database, TABLES).await, 0);
    run(&mut owner, "REVOKE USAGE ON SCHEMA public FROM eci_runtime").await;
    let (code, said) = ended(command("serve", &address(&database, "eci_runtime").await, NO_CLOUD)).await;
    assert!(code == Some(4) && said.contains("GRANT USAGE ON SCHEMA public"), "{said}");
}
