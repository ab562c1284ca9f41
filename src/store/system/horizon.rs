//! The transaction that holds back the feed and the sealer, of the whole server.

use std::fmt;

use sqlx::FromRow;

use crate::store::{Store, StoreError};

/// The oldest running transaction, in any database of the server.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct OldestTransaction {
    /// The full transaction id, as returned by `pg_current_xact_id`.
    pub number: i64,
    /// The process that runs it, for `pg_terminate_backend`; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The name of a prepared transaction, for `ROLLBACK PREPARED`.
    pub prepared: Option<String>,
    /// The database that it works on.
    pub database: Option<String>,
    /// The role that started it, if our role may see that.
    pub role: Option<String>,
    /// How many seconds it has been running, if our role may see that.
    pub seconds: Option<f64>,
}

impl fmt::Display for OldestTransaction {
    /// Leaves out the name of a prepared transaction, which whoever prepared it chose: readiness is open to everybody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "the transaction of process {pid} of the database's server"),
            None if self.prepared.is_some() => {
                f.write_str("a prepared transaction of the database's server (the log has its name)")
            }
            None => write!(f, "transaction {} of the database's server", self.number),
        }
    }
}

impl Store {
    /// The oldest running transaction, if there is one that could hold others back.
    pub async fn oldest_transaction(&self) -> Result<Option<OldestTransaction>, StoreError> {
        // Our role sees process and number of every transaction, and the rest only for its own role.
        let oldest = sqlx::query_as(
            "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS seen)
             SELECT pg_snapshot_xmin(seen)::text::bigint AS number, a.pid, p.gid AS prepared,
                 COALESCE(a.datname, p.database)::text AS database, COALESCE(a.usename, p.owner)::text AS role,
                 extract(epoch FROM clock_timestamp() - COALESCE(a.xact_start, p.prepared))::float8 AS seconds
             FROM now LEFT JOIN pg_stat_activity a ON a.backend_xid = pg_snapshot_xmin(seen)::xid
                 LEFT JOIN pg_prepared_xacts p ON p.transaction = pg_snapshot_xmin(seen)::xid
             -- Where nothing runs, the two are the same.
             WHERE pg_snapshot_xmin(seen) < pg_snapshot_xmax(seen) LIMIT 1",
        )
        .fetch_optional(&self.requests)
        .await?;
        Ok(oldest)
    }
}
