//! The database and this process's connections to it.

use std::time::Duration;

use crate::config::kinds::{checked_text, database, number, seconds};
use crate::config::section::section;
use crate::domain::database::address::DatabaseAddress;

section! {
    /// The database and this process's connections to it.
    DatabaseConfig, "Database";

    /// The address of the database with the runtime role, in libpq's format (see docs/database.md for addresses,
    /// poolers, schemas and logging).
    url: Option<DatabaseAddress> = database("database_url").required("the database as the runtime role");

    /// The address of the same database with the role that owns the schema, for `migrate`.
    migrate_url: Option<DatabaseAddress> = database("migrate_database_url").otherwise("`ECG_DATABASE_URL`");

    /// The number of connections for requests and workers. Six more are used for hot reads (2), policies (1), the
    /// audit (1) and creates that share their commits (2).
    pool_size: u32 = number("database.pool_size", 2..=500, 10);

    /// How long a request waits for a connection to the database.
    acquire: Duration = seconds("database.acquire_seconds", 1..=30, 5);

    /// The runtime role, to which `migrate` grants its privileges.
    runtime_role: String = checked_text("database.runtime_role", ROLES, is_role).or("eci_runtime");
}

const ROLES: &str = "a role of the database: 1 to 63 of a-z, 0-9 and _";

fn is_role(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}
