//! The tests' own databases: isolated from each other, and dropped afterwards.

use sqlx::{Connection, PgConnection};

use crate::support::database::{TestDatabase, within};

async fn exists(name: &str, through: &TestDatabase) -> bool {
    let pool = through.pool(1).await;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(&pool)
        .await
        .expect("the catalogue can be read");
    found.is_some()
}

#[tokio::test]
async fn databases_are_apart_and_dropped() {
    let (one, two) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let pool = one.pool(2).await;
    sqlx::query("CREATE TABLE mine AS SELECT 1 AS x").execute(&pool).await.expect("a table");
    let seen = sqlx::query("SELECT * FROM mine").fetch_one(&two.pool(1).await).await;
    assert!(seen.is_err(), "another test's table is not here");

    let name = one.name.clone();
    assert!(exists(&name, &two).await);
    drop(one); // with a pool still open
    assert!(!exists(&name, &two).await);
}

#[test]
fn a_test_without_a_runtime_can_use_one() {
    let answer: i32 = within(async {
        let database = TestDatabase::create().await;
        let mut connection = PgConnection::connect_with(&database.options).await.expect("it answers");
        sqlx::query_scalar("SELECT 42").fetch_one(&mut connection).await.expect("one row")
    });
    assert_eq!(answer, 42);
}

#[tokio::test]
async fn the_runtime_role_owns_nothing() {
    let database = TestDatabase::create().await;
    let mut connection = PgConnection::connect_with(&database.as_runtime()).await.expect("it answers");
    let role: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut connection).await.expect("a row");
    assert_eq!(role, "eci_runtime");
    let refused = sqlx::query("CREATE DATABASE mine").execute(&mut connection).await.expect_err("it may not");
    let code = refused.as_database_error().expect("it is the database that refuses").code();
    assert_eq!(code.as_deref(), Some("42501"), "insufficient_privilege");
}
