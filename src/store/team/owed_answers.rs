//! Answers that are owed to callers of creates through the cloud's own API: recorded with the create, and removed once
//! they were sent. [`Owed`] has the states.
//!
//! What must stay true: an answer is sent only after `sending` is committed; only `unsent` expires; whoever comes to
//! rely on the cache ends what is owed. Operations are locked before what is owed for them, and only if an operation
//! could end in between: clearing what was sent locks no operation. A state that another version wrote is never changed
//! or acted on: it is reported and left to that version.
//!
//! `app` calls it, and so do the transactions that record a create or its end. It does not delete image caches.

use crate::store::writes::owed_answers::set_sending;

use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::operation::{OperationState, Owed};
use crate::store::batch::{BatchWork, Batches};
use crate::store::database::pool::{Pool, PooledConnection};
use crate::store::unreadable::{self, Keyed};
use crate::store::values::word;
use crate::store::{Store, StoreError};

/// The most sent answers that wait to be cleared.
const QUEUE: usize = 8_192;
/// How many rows of another version one pass reports.
const UNKNOWN: i64 = 100;

/// Reports rows with unknown states: up to this many, or the one of this operation.
async fn unknown(
    connection: &mut PooledConnection,
    of: Option<OperationId>,
    limit: i64,
) -> Result<Option<StoreError>, StoreError> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "SELECT operation FROM owed_answers WHERE state <> ALL($1) AND operation = COALESCE($2, operation) LIMIT $3",
    )
    .bind(crate::store::writes::owed_answers::known())
    .bind(of.map(OperationId::uuid))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let told = |id: Uuid| unreadable::alone::<_, Owed>(Some(Unknown(id.into()))).err();
    // Each is reported; one of them is returned.
    Ok(rows.into_iter().filter_map(told).fold(None, |_, error| Some(error)))
}

/// An answer for this operation has a state of another version.
struct Unknown(OperationId);

impl Keyed for Unknown {
    fn key(&self) -> String {
        self.0.to_string()
    }
}

impl TryFrom<Unknown> for Owed {
    type Error = StoreError;

    fn try_from(_: Unknown) -> Result<Self, StoreError> {
        word(None, "owed_answers", "state")
    }
}

impl Store {
    /// Makes it durable that the ids may be sent. `false` if the create was abandoned.
    pub async fn begin_answer(&self, id: OperationId) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let may: Option<bool> = sqlx::query_scalar(
            "SELECT o.state = 'succeeded' AND NOT o.abandoned AND NOT EXISTS (
                 SELECT FROM operations d WHERE d.image_cache = o.image_cache AND d.kind = 'delete')
             FROM operations o WHERE o.id = $1 FOR UPDATE OF o",
        )
        .bind(id.uuid())
        .fetch_optional(&mut *transaction)
        .await?;
        if may != Some(true) {
            return Ok(false);
        }
        if !set_sending(&mut transaction, id).await?
            && let Some(unknown) = unknown(&mut transaction, Some(id), 1).await?
        {
            return Err(unknown);
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Records that the answer was sent, together with others.
    pub async fn answered(&self, id: OperationId) -> Result<(), StoreError> {
        self.told.ask(id.uuid()).await
    }

    /// Abandons a create whose caller will never get the ids: what was not done yet is not done, and a created cache is
    /// deleted. Does nothing if nothing is owed, because somebody relies on the cache or it was abandoned before.
    pub async fn abandon(&self, id: OperationId) -> Result<(), StoreError> {
        self.abandon_if(id, |_| true).await?;
        Ok(())
    }

    /// The same for a running create whose caller is told that nothing was done. `false` if it has ended; nothing was
    /// written then.
    pub async fn abandon_running(&self, id: OperationId) -> Result<bool, StoreError> {
        self.abandon_if(id, |state| state == OperationState::Running.as_str()).await
    }

    async fn abandon_if(&self, id: OperationId, fits: impl FnOnce(&str) -> bool) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM operations WHERE id = $1 FOR UPDATE")
            .bind(id.uuid())
            .fetch_optional(&mut *transaction)
            .await?;
        if !state.is_some_and(|state| fits(&state)) {
            return Ok(false);
        }
        abandon_owed(&mut transaction, &[id.uuid()], None).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Abandons creates that were recorded before `before` and whose callers certainly did not get the ids. Returns how
    /// many.
    pub async fn abandon_untold(&self, before: Instant, limit: i64) -> Result<u64, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let late: Vec<Uuid> = sqlx::query_scalar(
            "SELECT o.id FROM owed_answers w JOIN operations o ON o.id = w.operation
             WHERE w.state = 'unsent' AND w.created_at < $1 ORDER BY w.created_at LIMIT $2 FOR UPDATE OF o SKIP LOCKED",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await?;
        if late.is_empty() {
            return Ok(0);
        }
        let abandoned = abandon_owed(&mut transaction, &late, Some(Owed::Unsent)).await?;
        transaction.commit().await?;
        Ok(abandoned)
    }

    /// Reports answers with a state of another version, which are left as they are.
    pub async fn tell_unknown_owed(&self) -> Result<(), StoreError> {
        unknown(&mut self.workers.acquire().await?, None, UNKNOWN).await?;
        Ok(())
    }

    /// Creates recorded before `before` of which nobody knows whether the caller got the ids; each is returned once.
    /// They stay.
    pub async fn perhaps_untold(&self, before: Instant) -> Result<Vec<(OperationId, CacheId)>, StoreError> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "UPDATE owed_answers SET reported = true WHERE state = 'sending' AND NOT reported AND created_at < $1
             RETURNING operation, image_cache",
        )
        .bind(before)
        .fetch_all(&self.workers)
        .await?;
        Ok(rows.into_iter().map(|(operation, cache)| (operation.into(), cache.into())).collect())
    }
}

/// Abandons those of these locked operations for which an answer in a known state (or in this one) is owed. One
/// with an idempotency key is not marked as abandoned, because its caller can ask again.
async fn abandon_owed(
    connection: &mut PooledConnection,
    operations: &[Uuid],
    what: Option<Owed>,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "WITH owed AS (
             DELETE FROM owed_answers WHERE operation = ANY($1) AND state = ANY($2) RETURNING operation)
         UPDATE operations o SET abandoned = NOT EXISTS (SELECT FROM idempotency_keys k WHERE k.operation = o.id)
         FROM owed WHERE o.id = owed.operation AND o.state <> 'refused'",
    )
    .bind(operations)
    .bind(what.map_or_else(crate::store::writes::owed_answers::known, |one| vec![one.as_str()]))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Clears answers that were sent: they are no longer owed, so a commit lost with the server does no harm, and nobody
/// waits for the disk.
pub(in crate::store) struct Clearing {
    pool: Pool,
}

/// Starts the clearing.
pub(in crate::store) fn start(pool: Pool) -> Batches<Clearing> {
    Batches::start(Clearing { pool }, 1, QUEUE)
}

impl BatchWork for Clearing {
    type Item = Uuid;
    type Done = ();

    async fn all(&self, told: &[Uuid]) -> Result<Vec<()>, StoreError> {
        let clear = async {
            sqlx::query(
                "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
                 DELETE FROM owed_answers USING soon WHERE operation = ANY($1)",
            )
            .bind(told)
            .execute(&mut self.pool.acquire().await?)
            .await?;
            Ok(())
        };
        self.pool.limited(clear).await?;
        Ok(vec![(); told.len()])
    }
}
