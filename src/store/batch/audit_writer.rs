//! The group-commit writer of audit entries: one connection, and one statement for everything that queued while the
//! previous commit ran ([`crate::store::batch`]).
//!
//! What must stay true: an entry is acknowledged only after its commit; accepted entries are written even if nobody
//! waits for them any more. If the connection breaks, they are written again, without those that arrived.

use super::{BatchWork, Batches};
use crate::domain::audit::AuditEntry;
use crate::store::database::pool::Pool;
use crate::store::writes::audit_entries;
use crate::store::{Stamp, StoreError};

/// The most entries that wait. If one commit ends many waits at once, all their entries come at once.
const QUEUE: usize = 32_768;

/// The queue of audit entries.
pub(in crate::store) type AuditWriter = Batches<Writing>;

pub(in crate::store) struct Writing {
    pool: Pool,
    stamp: Stamp,
}

/// Starts the writer on its own pool of one connection. More connections would make each commit smaller, not sooner.
pub(in crate::store) fn start(pool: Pool, stamp: Stamp) -> AuditWriter {
    Batches::start(Writing { pool, stamp }, 1, QUEUE)
}

impl BatchWork for Writing {
    type Item = AuditEntry;
    type Done = ();

    async fn all(&self, entries: &[AuditEntry]) -> Result<Vec<()>, StoreError> {
        let write = async |again: bool| {
            let mut connection = self.pool.acquire().await?;
            if again {
                return audit_entries::insert_missing(&mut connection, &self.stamp, entries).await;
            }
            audit_entries::insert(&mut connection, &self.stamp, entries).await
        };
        self.pool.repeated(write).await?;
        Ok(vec![(); entries.len()])
    }
}
