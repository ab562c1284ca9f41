//! One step of one image cache, written whole: the row by compare-and-set, its transition, its audit
//! entry, its event and one delivery for each endpoint that wants it.
//!
//! The caller owns the transaction, so that an operation's outcome can join it.

use super::events::{self, About, NewEvent};
use super::rows::jsonb;
use super::{Error, Stamp, Store, audit_insert, tracker};
use crate::domain::audit::AuditEntry;
use crate::domain::content::fingerprint;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::domain::status::Status;
use crate::store::pool::Connection;

/// A step to write.
#[derive(Debug, Clone)]
pub struct CacheWrite {
    /// The row as it shall be; its `version` is the one that it must still have.
    pub next: ImageCache,
    /// The transition, where the status moved.
    pub transition: Option<Transition>,
    /// The event, where there is one to tell.
    pub event: Option<NewEvent>,
    /// What is kept of it; a mere look that found a new progress is not worth an entry.
    pub audit: Option<AuditEntry>,
}

impl Store {
    /// Writes an observed step in a transaction of its own. `false`: the row has moved on, nothing was written.
    pub async fn write_change(&self, write: &CacheWrite) -> Result<bool, Error> {
        self.workers.limited(self.write_step(write)).await
    }

    async fn write_step(&self, write: &CacheWrite) -> Result<bool, Error> {
        let mut transaction = self.workers.begin().await?;
        if !apply(&mut transaction, &self.stamp, write).await? {
            return Ok(false);
        }
        if let Some(transition) = write.transition.as_ref().filter(|transition| sets_in_motion(transition)) {
            tracker::wake(&mut transaction, &write.next, transition.at).await?;
        }
        transaction.commit().await?;
        write.committed();
        Ok(true)
    }
}

impl CacheWrite {
    /// To be called once its transaction is committed: hands its deliveries over, and wakes who must look for them.
    pub(super) fn committed(&self) {
        if let Some(event) = &self.event {
            event.hand_over.committed();
        }
    }
}

/// What was at rest and moves again must be followed.
fn sets_in_motion(transition: &Transition) -> bool {
    transition.to.is_in_motion() && !transition.from.is_some_and(Status::is_in_motion)
}

/// Whether it is gone, and not at our request.
pub(super) fn is_vanishing(transition: &Transition) -> bool {
    transition.to.is_final() && transition.to != Status::Deleted
}

/// A delete that begins in this moment raises the row's version, and this step then fails by that.
async fn delete_runs(connection: &mut Connection, cache: &ImageCache) -> Result<bool, Error> {
    let runs = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM operations
             WHERE image_cache = $1 AND kind = 'delete' AND state IN ('waiting', 'running'))",
    )
    .bind(cache.id.uuid())
    .fetch_one(connection)
    .await?;
    Ok(runs)
}

/// Writes a step into an open transaction. `false`: the row has moved on.
///
/// While a delete runs whose answer nobody has heard yet, a cache does not vanish by itself: that delete's end says
/// `deleting`, and the looks after it `deleted`.
pub(super) async fn apply(connection: &mut Connection, stamp: &Stamp, write: &CacheWrite) -> Result<bool, Error> {
    if write.transition.as_ref().is_some_and(is_vanishing) && delete_runs(connection, &write.next).await? {
        return Ok(false);
    }
    if !update_row(connection, &write.next).await? {
        return Ok(false);
    }
    if let Some(transition) = &write.transition {
        insert_transition(connection, &write.next, transition).await?;
    }
    if let Some(event) = &write.event {
        events::insert(connection, About::Cache(&write.next), event).await?;
    }
    if let Some(entry) = &write.audit {
        audit_insert::insert(connection, stamp, std::slice::from_ref(entry)).await?;
    }
    Ok(true)
}

async fn update_row(connection: &mut Connection, next: &ImageCache) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE image_caches SET name = $4, images = $5, spec = $6, status = $7, provider_status = $8,
             generation = $9, version = version + 1, sequence = $10, operation = $11, eci_cache_id = $12,
             container_group_id = $13, snapshot_id = $14, flash_snapshot_id = $15, progress_percent = $16,
             failure = $17, evidence = $18, misses = $19, updated_at = $20, ready_at = $21, expires_at = $22,
             last_matched_at = $23, provider = $24, content = $25, drift = $26, expiry_told = $27, gone_at = $28
         WHERE team = $1 AND id = $2 AND version = $3",
    )
    .bind(next.team.as_str())
    .bind(next.id.uuid())
    .bind(next.version)
    .bind(&next.spec.name)
    .bind(&next.spec.images)
    .bind(jsonb(&next.spec))
    .bind(next.status.as_str())
    .bind(&next.provider_status)
    .bind(next.generation)
    .bind(next.sequence)
    .bind(next.operation.uuid())
    .bind(&next.eci_cache_id)
    .bind(&next.container_group_id)
    .bind(&next.snapshot_id)
    .bind(&next.flash_snapshot_id)
    .bind(next.progress_percent)
    .bind(next.failure.as_ref().map(jsonb))
    .bind(jsonb(&next.evidence))
    .bind(next.misses)
    .bind(next.updated_at)
    .bind(next.ready_at)
    .bind(next.expires_at)
    .bind(next.last_matched_at)
    .bind(&next.provider)
    .bind(fingerprint(&next.spec))
    .bind((!next.reconciled.drift.is_empty()).then(|| jsonb(&next.reconciled.drift)))
    .bind(next.reconciled.expiry_told)
    .bind(next.reconciled.gone_at)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes one transition.
pub(super) async fn insert_transition(
    connection: &mut Connection,
    cache: &ImageCache,
    transition: &Transition,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO transitions (id, team, image_cache, sequence, generation, from_status, to_status, provider_status, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(transition.id.uuid())
    .bind(cache.team.as_str())
    .bind(cache.id.uuid())
    .bind(transition.sequence)
    .bind(transition.generation)
    .bind(transition.from.map(crate::domain::status::Status::as_str))
    .bind(transition.to.as_str())
    .bind(&transition.provider_status)
    .bind(&transition.reason)
    .bind(transition.at)
    .execute(connection)
    .await?;
    Ok(())
}
