//! `migrate` on a database that another version has migrated, or in which a migration was changed or has failed.

use sqlx::{Connection as _, PgConnection};

use super::{NO_CLOUD, address, ended, run};
use crate::support::database::TestDatabase;
use crate::support::process::{ServeProcess, command, stand_in};

/// Every table with its columns, and every migration.
const EVERYTHING: &str = "SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, column_default) AS line FROM information_schema.columns
    WHERE table_schema = 'public'
    UNION ALL SELECT concat_ws(' ', version, description, installed_on, success, checksum) FROM _sqlx_migrations) AS lines";

/// As a later version leaves it.
const TOMORROW: &str = "
    ALTER TABLE teams ADD COLUMN of_tomorrow text;
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9001, 'tomorrow', true, '\\x01', 1), (9002, 'the day after', true, '\\x02', 1)";

async fn used() -> (TestDatabase, PgConnection, String) {
    let database = TestDatabase::create().await;
    let owner = PgConnection::connect_with(&database.options).await.unwrap();
    let address = address(&database, database.options.get_username()).await;
    (database, owner, address)
}

async fn everything(owner: &mut PgConnection) -> String {
    sqlx::query_scalar(EVERYTHING).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn what_a_later_version_has_migrated_is_left_as_it_is() {
    let (database, mut owner, url) = used().await;
    database.with_open_policy(1).await.close().await;
    run(&mut owner, TOMORROW).await;
    let before = everything(&mut owner).await;
    for _ in 0..2 {
        let (code, said) = ended(command("migrate", &url, NO_CLOUD)).await;
        assert_eq!(code, Some(0), "{said}");
        let words = "a later version of the gateway has migrated this database: leaving it unchanged";
        assert!(said.contains(words) && said.contains("9001") && said.contains("9002"), "{said}");
        assert_eq!(everything(&mut owner).await, before);
    }
    // And the older version serves.
    let cloud = stand_in().await;
    let mut gateway = ServeProcess::start(&address(&database, "eci_runtime").await, &cloud.url());
    let door = gateway.address().await;
    gateway.until(&format!("{door}/readyz"), 200).await;
}

#[tokio::test]
async fn a_known_migration_that_was_changed_is_refused_beside_later_ones() {
    let (_database, mut owner, url) = used().await;
    run(&mut owner, TOMORROW).await;
    run(&mut owner, "UPDATE _sqlx_migrations SET checksum = '\\x03' WHERE version = 2").await;
    let before = everything(&mut owner).await;
    let (code, said) = ended(command("migrate", &url, NO_CLOUD)).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("migration 2 was previously applied but has been modified"), "{said}");
    assert_eq!(everything(&mut owner).await, before);
}

#[tokio::test]
async fn a_migration_that_failed_half_way_is_told_by_its_number() {
    for failed in [2, 9001] {
        let (_database, mut owner, url) = used().await;
        run(&mut owner, TOMORROW).await;
        run(&mut owner, &format!("UPDATE _sqlx_migrations SET success = false WHERE version = {failed}")).await;
        let before = everything(&mut owner).await;
        let (code, said) = ended(command("migrate", &url, NO_CLOUD)).await;
        assert_eq!(code, Some(1), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains(&format!("migration {failed} is partially applied; fix and remove row")), "{said}");
        assert_eq!(everything(&mut owner).await, before);
    }
}
