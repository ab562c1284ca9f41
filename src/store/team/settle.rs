//! Ends an operation: its outcome and everything that follows from it, in one transaction.
//!
//! What must stay true: whoever settles an operation holds it, by the database's clock; operations are locked before
//! image caches. Ends of creates share their transaction if they can ([`crate::store::batch::state_writer`]); here each
//! one is alone.
//!
//! `app::operations` calls it. It makes no decisions.

use crate::store::input::Settlement;
use crate::store::writes::owed_answers;
use std::sync::{Arc, LazyLock};

use super::adoption;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _, sql};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{EndedOperation, NOTE_END};
use crate::store::words::ENDED;
use crate::store::writes::changes;
use crate::store::writes::idempotency;
use crate::store::writes::operations::begin_waiting;
use crate::store::writes::tracker_wake;
use crate::store::{Store, StoreError};

/// The result of settling an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The end is written, with everything that follows from it.
    Done {
        /// Whether the ids may be sent; if so, that is durable.
        sending: bool,
    },
    /// Somebody else holds the operation, or it has ended: nothing was written.
    LeaseLost,
    /// The image cache has another version by now: nothing was written; read it and try again.
    Moved,
    /// Another image cache that has not ended has this cloud id: nothing was written.
    Taken,
}

impl Store {
    /// Ends an operation, with everything that follows from it: together with others if possible
    /// ([`crate::store::batch::state_writer`]), otherwise alone.
    pub async fn settle(&self, settlement: &Arc<Settlement>) -> Result<Settled, StoreError> {
        if let Some(sending) = self.settle_together(settlement).await? {
            return Ok(Settled::Done { sending });
        }
        match self.workers.limited(self.write_settlement(settlement)).await {
            Err(error) if error.is_constraint(adoption::ONE_ROW) => self.settle_in_place_of_another(settlement).await,
            settled => settled,
        }
    }

    /// An image cache that has ended gives up its cloud id: the cloud has reused the id, or shows again what was
    /// believed gone.
    async fn settle_in_place_of_another(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        let next = &settlement.write.next;
        let freed = sqlx::query(sql!(
            "UPDATE image_caches SET eci_cache_id = NULL, version = version + 1
             WHERE (account, region, eci_cache_id) = ($1, $2, $3) AND id <> $4
               AND (status IN ({ENDED}) OR gone_at IS NOT NULL)"
        ))
        .bind(&next.account)
        .bind(next.spec.region.as_str())
        .bind(&next.eci_cache_id)
        .bind(next.id.uuid())
        .execute(&self.workers)
        .await?;
        if freed.rows_affected() == 0 {
            return Ok(Settled::Taken);
        }
        tracing::warn!(image_cache = %next.id, "the cloud reused an id: the image cache that had it has ended");
        self.workers.limited(self.write_settlement(settlement)).await
    }

    async fn write_settlement(&self, settlement: &Settlement) -> Result<Settled, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !end(&mut transaction, settlement).await? {
            return Ok(Settled::LeaseLost);
        }
        let sending = owed_answers::settle(&mut transaction, settlement).await?;
        if !changes::apply(&mut transaction, &self.stamp, &settlement.write).await? {
            return Ok(Settled::Moved);
        }
        if let Some(answer) = &settlement.answer {
            idempotency::answer(&mut transaction, settlement.operation, answer).await?;
        }
        // The row names its newest operation, and its version was compared, so no other operation can be waiting
        // unseen.
        if settlement.write.next.operation != settlement.operation {
            begin_waiting(&mut transaction, &settlement.write.next, settlement.at).await?;
        }
        if let Some(at) = settlement.look_at {
            tracker_wake::wake(&mut transaction, &settlement.write.next, at).await?;
        }
        transaction.commit().await?;
        settlement.write.committed();
        Ok(Settled::Done { sending })
    }
}

/// Guarded by the lease: a worker that woke too late ends nothing.
static END: LazyLock<String> = LazyLock::new(|| {
    let end = Numbers::default().one::<EndedOperation>(ColumnSet::All);
    let set = EndedOperation::set(ColumnSet::All, EndedOperation::FOUND_BY);
    format!(
        "WITH ended AS (
            UPDATE operations o SET {set} FROM {end}
            WHERE o.id = n.id AND o.lease_token = n.lease_token AND o.state = 'running'
                AND o.lease_until > clock_timestamp()
            RETURNING o.id, o.attempts, o.state, o.finished_at, o.provider_request_id),
        noted AS ({NOTE_END})
        SELECT 1 FROM ended"
    )
});

async fn end(connection: &mut PooledConnection, settlement: &Settlement) -> Result<bool, StoreError> {
    let parameters = StatementParameters::default().one::<EndedOperation>(ColumnSet::All, &settlement);
    Ok(parameters.query(&END)?.fetch_optional(connection).await?.is_some())
}
