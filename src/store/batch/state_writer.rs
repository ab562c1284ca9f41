//! The group-commit writer of state: creates that begin and creates that end, one statement for each half of all that
//! queued while its last commit ran ([`crate::store::batch`]). One statement is one transaction and one way to the
//! database and back, where there were four to six.
//!
//! What must stay true:
//! - Nothing is answered before it is durable. A commit whose answer is lost is an unknown outcome to everybody in it,
//!   as it is to one alone: of creates that begin, those that are there are told from those that are written once more;
//!   whoever settles asks again.
//! - Only what surely fits is written together: a key that nobody had, an operation that is held, a row of the version
//!   that was read and that nobody else has in hand. Each statement tells who fitted; the others are written by it not
//!   even in part, and go alone, by the functions that were there before ([`Store::begin_create`], [`Store::settle`]),
//!   which know what each odd case means. So does everybody where a statement fails: it is rolled back, and what is bad
//!   fails alone.
//! - No two of one batch are about the same image cache, operation or key: the second goes alone.
//! - No batch waits for a row in somebody's hands: operations and image caches are taken `SKIP LOCKED`. What may be
//!   waited for is taken in one order everywhere: idempotency keys, sorted, before anything else of a begin; the
//!   tracker's groups, sorted and once each, by an end. Whoever holds a group waits for nobody who may want one: at
//!   most for a row of an endpoint that a delivery names. So no two transactions wait for each other.
//! - Its wait is bounded as everywhere ([`Pool::limited`]), its queue is, and what was taken in is done though nobody
//!   waits.
//!
//! What goes alone from the start: creates of teams with a quota (the team's lock is held from the count to the commit,
//! and a whole batch would hold it), creates in an account that has a row of its own, updates and deletes (seldom, and
//! they wait for each other), and whatever ends while a delete waits for it.
//!
//! Who calls it: `app`, through [`Store::begin_together`] and [`Store::settle`]. What it does not do: decide.

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

/// Connections for each half, each with a worker. A second would only make commits smaller: measured, it costs a tenth
/// of the creates and a third more of PostgreSQL.
const WRITERS: u32 = 1;
/// Most steps of each half that wait.
const QUEUE: usize = 8_192;

/// The writer's handle.
#[derive(Debug)]
pub(in crate::store) struct StateWriter {
    creates: Batches<CreateBatch>,
    settlements: Batches<SettleBatch>,
}

/// Starts the writer: each half on a pool of its own.
pub(in crate::store) fn start(pool: impl Fn(u32) -> Pool, stamp: &Stamp) -> StateWriter {
    let creating = CreateBatch { pool: pool(WRITERS), stamp: stamp.clone() };
    let settling = SettleBatch { pool: pool(WRITERS), stamp: stamp.clone() };
    StateWriter {
        creates: Batches::start(creating, WRITERS as usize, QUEUE),
        settlements: Batches::start(settling, WRITERS as usize, QUEUE),
    }
}

impl StateWriter {
    /// Does what is queued, then ends.
    pub(in crate::store) async fn stop(&self) {
        self.creates.stop().await;
        self.settlements.stop().await;
    }
}

impl Store {
    /// Records a create together with others that begin just now. `false`: it must go alone ([`Store::begin_create`]),
    /// and nothing of it was written.
    ///
    /// # Errors
    /// `Unavailable` where the queue is full (nothing was written), and where the database is away.
    pub async fn begin_together(&self, create: &Arc<NewCreate>) -> Result<bool, StoreError> {
        Ok(create_batch::can_be_batched(create) && self.state.creates.ask(Arc::clone(create)).await?)
    }

    /// The same of an end: whether [`Owed::Sending`](crate::domain::operation::Owed::Sending) was written with it.
    /// None: it must go alone.
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

/// The operations that were written: none where the database itself said that nothing was, so that each goes alone.
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

/// An error of the connection says nothing of that, and that the server stops or only reads, or has no room (53…), says
/// that it is no use to try at once.
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
