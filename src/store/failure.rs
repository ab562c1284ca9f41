//! Which failures are caused by the connection or the server rather than the statement.
//!
//! Pure functions. The codes are from PostgreSQL's appendix A; poolers (pgbouncer, pgcat) use class 08 for a server
//! that they lost.

use std::io;

use sqlx::postgres::PgDatabaseError;

/// Whether the connection broke, or its server cannot be used: another connection may work. A statement that failed
/// this way did nothing, unless it was a commit whose answer was lost ([`has_refused`]).
pub(super) fn is_of_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_code_of_connection(&code)),
        _ => false,
    }
}

/// 08: the connection; 25006: the server is read-only; 57P: it is stopping, crashed or starting, or ended an idle
/// session.
pub(super) fn is_code_of_connection(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || code == "25006"
}

/// Whether the server said that it did nothing for a statement, which may then be repeated, whatever it was.
pub(super) fn has_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["25006", "57P03"].contains(&&*code))
}

/// Whether the server is out of disk space.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "53100")
}

/// Whether a prepared statement can no longer be used: somebody has altered the tables since, or the session does not
/// have it ([`has_lost_session`]). Nothing was done, and preparing it again on a newer connection works. The code 0A000
/// alone has many other causes, and the message depends on the server's language, so it is recognized as other drivers
/// do it: by the server's routine.
pub(super) fn is_stale_plan(error: &sqlx::Error) -> bool {
    let database = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    database.is_some_and(|error| error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery"))
        || has_lost_session(error)
}

/// Whether the server's session is not the one that the connection had: 26000, it does not know a statement that was
/// prepared; 42P05, it knows one that was not. Poolers that do not preserve sessions cause this.
pub(super) fn has_lost_session(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["26000", "42P05"].contains(&&*code))
}

/// Whether the role lacks a privilege: 42501.
pub(super) fn lacks_right(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501")
}

/// Whether connecting may succeed in a moment. 53300: no connection is free.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        // A missing permission for the socket's folder, or a missing host name, has to be reported.
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::PermissionDenied,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code == "53300") || is_of_connection(error)
        }
        _ => is_of_connection(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> sqlx::Error {
        sqlx::Error::Io(kind.into())
    }

    #[test]
    fn what_breaks_a_connection_is_told_from_what_a_statement_did() {
        for code in ["08006", "08P01", "25006", "57P01", "57P02", "57P03", "57P05"] {
            assert!(is_code_of_connection(code), "{code}");
        }
        for code in ["23505", "42P01", "57014", "40001", "53300", "25P02", "25P03"] {
            assert!(!is_code_of_connection(code), "{code}");
        }
        assert!(is_of_connection(&io(io::ErrorKind::UnexpectedEof)) && !is_of_connection(&sqlx::Error::RowNotFound));
    }

    #[test]
    fn a_database_that_is_away_is_waited_for_and_a_wrong_setting_is_not() {
        assert!(may_pass(&io(io::ErrorKind::ConnectionRefused)) && may_pass(&io(io::ErrorKind::NotFound)));
        assert!(!may_pass(&io(io::ErrorKind::PermissionDenied)));
        assert!(!may_pass(&sqlx::Error::PoolTimedOut) && !may_pass(&sqlx::Error::PoolClosed));
    }
}
