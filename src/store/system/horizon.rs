//! Which transaction of the whole server the feed and the sealer stay behind.

use std::fmt;

use sqlx::FromRow;

use crate::store::{Store, StoreError};

/// The oldest transaction that runs, in whichever database of the server.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct OldestTransaction {
    /// The whole transaction id, as `pg_current_xact_id` tells it.
    pub number: i64,
    /// The process that has it, as `pg_terminate_backend` takes it; none for a prepared one.
    pub pid: Option<i32>,
    /// The name of a prepared one, as `ROLLBACK PREPARED` takes it.
    pub prepared: Option<String>,
    /// The database that it works on.
    pub database: Option<String>,
    /// The role that began it, where the server tells ours.
    pub role: Option<String>,
    /// For how many seconds, where the server tells our role.
    pub seconds: Option<f64>,
}

impl fmt::Display for OldestTransaction {
    /// Without the name of a prepared one, which whoever prepared it made: readiness is open to everybody.
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
    /// The oldest transaction that runs, if any does that others could be behind.
    pub async fn oldest_transaction(&self) -> Result<Option<OldestTransaction>, StoreError> {
        // Whoever is asked sees process and number of every transaction; what else there is, only of its own role.
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
