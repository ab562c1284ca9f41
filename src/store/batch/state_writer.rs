//! The group-commit writer of state: one statement records all creates, and another all ends of creates, that queued
//! while the previous commit ran ([`crate::store::batch`]). One statement is one transaction and one round trip to the
//! database, instead of four to six.
//!
//! What must stay true:
//!
//! (1) Nothing is answered before it is durable. A commit whose answer is lost is an unknown outcome for everybody in
//! the batch, as it would be for a single writer. For creates, those that were written are told from those that are
//! then written again; for ends, the caller asks again.
//!
//! (2) Only what certainly fits is written in a batch: a key that nobody has used, an operation that is held, a row
//! that still has the version that was read and that nobody else is writing. Each statement returns which items fitted.
//! The others are not written even in part; they are written alone by [`Store::begin_create`] and [`Store::settle`],
//! which know what each special case means. If a statement fails, all items are written alone: the batch is rolled
//! back, and the bad item fails alone.
//!
//! (3) No two items of a batch concern the same image cache, operation or key: the second one is written alone.
//!
//! (4) No batch waits for a row that somebody else holds: operations and image caches are locked with `SKIP LOCKED`.
//! Whatever may be waited for is locked in the same order everywhere: idempotency keys, sorted, first of all when
//! creates are recorded; the tracker's groups, sorted and once each, when they end. Whoever holds a group waits for
//! nobody who may want one: at most for the row of an endpoint that a delivery names. So no two transactions wait for
//! each other.
//!
//! (5) Waits are bounded as everywhere ([`Pool::limited`]), and so is the queue. What was accepted is done even if
//! nobody waits for it.
//!
//! Always written alone: creates of teams with a quota (the team's lock is held from the count to the commit, and a
//! whole batch would hold it), creates in an account that has a row of its own, updates and deletes (they are rare, and
//! wait for each other), and any end that a delete is waiting for.
//!
//! `app` calls it through [`Store::begin_together`] and [`Store::settle`]. It makes no decisions.

use std::sync::Arc;

use super::Batches;
use crate::store::database::pool::Pool;
use crate::store::failure::is_code_of_connection;
use crate::store::input::NewCreate;
use crate::store::input::Settlement;
use crate::store::{Stamp, Store, StoreError};
use create_batch::CreateBatch;
use settle_batch::SettleBatch;

mod create_batch;
mod settle_batch;

/// Connections for each half, each with a worker. A second one would only make commits smaller: measured, it costs a
/// tenth of the creates and a third more PostgreSQL time.
const WRITERS: u32 = 1;
/// The most items that wait in each half.
const QUEUE: usize = 8_192;

/// The writer's handle.
#[derive(Debug)]
pub(in crate::store) struct StateWriter {
    creates: Batches<CreateBatch>,
    settlements: Batches<SettleBatch>,
}

/// Starts the writer, with a pool for each half.
pub(in crate::store) fn start(pool: impl Fn(u32) -> Pool, stamp: &Stamp) -> StateWriter {
    let creating = CreateBatch { pool: pool(WRITERS), stamp: stamp.clone() };
    let settling = SettleBatch { pool: pool(WRITERS), stamp: stamp.clone() };
    StateWriter {
        creates: Batches::start(creating, WRITERS as usize, QUEUE),
        settlements: Batches::start(settling, WRITERS as usize, QUEUE),
    }
}

impl StateWriter {
    /// Writes what is queued, then ends.
    pub(in crate::store) async fn stop(&self) {
        self.creates.stop().await;
        self.settlements.stop().await;
    }
}

impl Store {
    /// Records a create together with others that start at the same moment. `false` if it has to be recorded alone
    /// ([`Store::begin_create`]); nothing of it was written then.
    ///
    /// # Errors
    /// `Unavailable` if the queue is full (nothing was written), or if the database is unavailable.
    pub async fn begin_together(&self, create: &Arc<NewCreate>) -> Result<bool, StoreError> {
        Ok(create_batch::can_be_batched(create) && self.state.creates.ask(Arc::clone(create)).await?)
    }

    /// The same for an end. Returns whether [`Owed::Sending`](crate::domain::operation::Owed::Sending) was written with
    /// it; `None` if it has to be settled alone.
    pub(in crate::store) async fn settle_together(
        &self,
        settlement: &Arc<Settlement>,
    ) -> Result<Option<bool>, StoreError> {
        if !settle_batch::can_be_batched(settlement) {
            return Ok(None);
        }
        self.state.settlements.ask(Arc::clone(settlement)).await
    }
}

/// The operations that were written. None if the database itself said that it wrote nothing, so that each is written
/// alone.
fn unless_rolled_back<T: Default>(written: Result<T, StoreError>) -> Result<T, StoreError> {
    match written {
        Err(error) if is_rolled_back(&error) => {
            tracing::info!(
                error = &error as &dyn std::error::Error,
                "a batch of state was rolled back; writing each item separately"
            );
            Ok(T::default())
        }
        written => written,
    }
}

/// An error of the connection does not tell. If the server is stopping, only reads, or is out of space (53…), it is no
/// use to try at once.
fn is_rolled_back(error: &StoreError) -> bool {
    match error {
        StoreError::Constraint { .. } | StoreError::Other(sqlx::Error::Database(_)) => true,
        StoreError::Unavailable(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            !is_code_of_connection(&code) && !code.starts_with("53")
        }
        _ => false,
    }
}
