//! What can go wrong with the database.

use super::failure;

/// A database error, sorted by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, has no connection free, or its tables were altered in this moment: try later.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The answer to a COMMIT did not arrive: it happened, or it did not.
    #[error("the connection to the database was lost during a commit")]
    InDoubt(#[source] sqlx::Error),
    /// A named constraint was hit.
    #[error("the constraint {constraint} was violated")]
    Constraint {
        /// The constraint's or unique index's name.
        constraint: String,
    },
    /// A row holds something that this binary cannot read.
    #[error("{table}.{column} contains an unreadable value: {detail}")]
    Unreadable {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),
    /// A cursor of another list, or of nobody.
    #[error("the cursor cannot be read")]
    Cursor,
    /// Anything else.
    #[error("the database refused the statement")]
    Other(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether `name` is the constraint that was hit.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { constraint } if constraint == name)
    }

    /// Whether the database was away, whatever it did before.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }

    /// What tells its cause from others: the database's code, or a word.
    pub(super) fn code(&self) -> String {
        let code = self.of_driver().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        code.map_or_else(|| "no answer".to_owned(), std::borrow::Cow::into_owned)
    }

    /// What the driver said, where it said something.
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

/// A broken connection, a server that stops, starts or only reads; 53: out of connections or memory; the others: a
/// limit of the session was reached (a statement, a lock, an open transaction), two transactions were in each other's
/// way, or the role lacks a right, which an operator has to mend.
fn is_passing(code: &str) -> bool {
    let limits = ["57014", "55P03", "25P03", "40001", "40P01", "42501"];
    failure::is_code_of_connection(code) || code.starts_with("53") || limits.contains(&code)
}
