//! Migrations: which problems are found before the first statement, and what is applied atomically.
//!
//! A new database gets all migrations in one transaction. A database that is in use gets each in a transaction of its
//! own: together they would hold the locks of the first one until the last has ended, and running gateways would wait
//! for them.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;

use super::session;
use crate::domain::database::fault::DatabaseFault;
use crate::store::{MIGRATIONS, Store, StoreError};

/// The lock that a migration holds: the library's own lock ends before the transaction does. The number is arbitrary.
const LOCK: i64 = 0x0065_6367_6d69;

impl Store {
    /// Why migrations cannot be applied here, as far as that can be known before the first statement.
    pub async fn may_migrate(&self) -> Result<(), DatabaseFault> {
        self.reach_sessions().await?;
        self.may_create().await
    }

    /// Applies every migration that is not yet applied.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.workers.acquire_unlimited().await?;
        session::unlimited(&mut connection).await?;
        // Closing the connection also releases the lock.
        connection.close_on_drop();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await?;
        let failed = |error: sqlx::migrate::MigrateError| StoreError::Migration(error.into());
        // Migrations that a later version applied are not ours, and no reason to refuse: so the program alone can be
        // rolled back.
        let new = is_new(&mut connection).await?;
        if !new {
            tell_later(&mut connection).await?;
        }
        let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
        migrations.set_ignore_missing(true);
        if new {
            let mut transaction = connection.begin().await?;
            migrations.run(&mut *transaction).await.map_err(failed)?;
            Ok(transaction.commit().await?)
        } else {
            migrations.run(&mut *connection).await.map_err(failed)
        }
    }
}

/// Logs what a later version has applied.
async fn tell_later(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let later: Vec<i64> = sqlx::query_scalar(
        "SELECT version FROM public._sqlx_migrations WHERE success AND version <> ALL($1) ORDER BY version",
    )
    .bind(known)
    .fetch_all(connection)
    .await?;
    if let (Some(first), Some(last)) = (later.first(), later.last()) {
        tracing::warn!(first, last, "a later version of the gateway has migrated this database: leaving it unchanged");
    }
    Ok(())
}

/// Whether no migration was ever applied.
async fn is_new(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(true);
    }
    sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM public._sqlx_migrations)").fetch_one(connection).await
}
