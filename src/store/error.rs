//! What can go wrong with the database.

use super::failure;

/// A database error, classified by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unavailable, has no free connection, or its tables were just altered: try later.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The answer to a COMMIT did not arrive: it may or may not have happened.
    #[error("the connection to the database was lost during a commit")]
    InDoubt(#[source] sqlx::Error),
    /// A named constraint was violated.
    #[error("the constraint {constraint} was violated")]
    Constraint {
        /// The name of the constraint or unique index.
        constraint: String,
    },
    /// A row contains something that this binary cannot read.
    #[error("{table}.{column} contains an unreadable value: {detail}")]
    Unreadable {
        /// The name of the table.
        table: &'static str,
        /// The name of the column.
        column: &'static str,
        /// What is wrong with the value.
        detail: String,
    },
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),
    /// The cursor belongs to another list, or was not issued by us.
    #[error("the cursor cannot be read")]
    Cursor,
    /// Any other error.
    #[error("the database refused the statement")]
    Other(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether this is a violation of the constraint `name`.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { constraint } if constraint == name)
    }

    /// Whether the database was unavailable, whatever it did before that.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }

    /// A short code for the cause: the database's error code, or a word.
    pub(super) fn code(&self) -> String {
        let code = self.of_driver().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        code.map_or_else(|| "no answer".to_owned(), std::borrow::Cow::into_owned)
    }

    /// The driver's error, if there is one.
    pub(super) fn of_driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Unavailable(error) | Self::InDoubt(error) | Self::Other(error) => Some(error),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(database) => match (database.constraint(), database.code().as_deref()) {
                (Some(constraint), _) => Self::Constraint { constraint: constraint.to_owned() },
                (None, Some(code)) if is_passing(code) || failure::is_stale_plan(&error) => Self::Unavailable(error),
                _ => Self::Other(error),
            },
            _ => Self::Other(error),
        }
    }
}

/// A broken connection; a server that is stopping, starting or read-only; 53: out of connections or memory; the others:
/// a session limit was reached (a statement, a lock, an open transaction), two transactions were in each other's way,
/// or the role lacks a privilege, which an operator has to grant.
fn is_passing(code: &str) -> bool {
    let limits = ["57014", "55P03", "25P03", "40001", "40P01", "42501"];
    failure::is_code_of_connection(code) || code.starts_with("53") || limits.contains(&code)
}
