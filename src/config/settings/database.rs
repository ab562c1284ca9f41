//! The database, and this process's connections to it.

use std::time::Duration;

use crate::config::kinds::{database, kept, number, seconds};
use crate::config::section::section;
use crate::domain::database::address::Address;

section! {
    /// The database, and this process's connections to it.
    DatabaseConfig, "Database";

    /// The database, as the runtime role: an address as libpq takes it (docs/database.md tells more: addresses,
    /// poolers, schemas, what is logged).
    url: Option<Address> = database("database_url").required("the database as the runtime role");

    /// The same database as the role that owns the schema, for `migrate`.
    migrate_url: Option<Address> = database("migrate_database_url").otherwise("`ECG_DATABASE_URL`");

    /// Connections for requests and workers; six more are for hot reads (2), policies (1), the audit (1) and creates
    /// that share their commits (2).
    pool_size: u32 = number("database.pool_size", 2..=500, 10);

    /// How long a request waits for a connection to the database.
    acquire: Duration = seconds("database.acquire_seconds", 1..=30, 5);

    /// The role that `migrate` grants to: the one that serves.
    runtime_role: String = kept("database.runtime_role", ROLES, is_role).or("eci_runtime");
}

const ROLES: &str = "a role of the database: 1 to 63 of a-z, 0-9 and _";

fn is_role(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}
