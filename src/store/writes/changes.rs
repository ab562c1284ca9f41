//! Writes one change of one image cache as a whole: the row by compare-and-set, its transition, its audit entry, its
//! event, and one delivery for each endpoint that wants it.
//!
//! The caller owns the transaction, so that an operation's outcome can be part of it.

use crate::store::input::CacheWrite;
use crate::store::writes::events;
use std::sync::LazyLock;

use super::audit_entries;
use super::revisit_wake;
use super::tracker_wake;
use crate::domain::image_cache::status::Status;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _, sql};
use crate::store::database::pool::PooledConnection;
use crate::store::input::About;
use crate::store::rows::{EventToWrite, ImageCacheRow, TransitionRow, TransitionToWrite};
use crate::store::words::OPEN;
use crate::store::{Stamp, Store, StoreError};

impl CacheWrite {
    /// The row of the transition, if there is one.
    pub(in crate::store) fn transition(&self) -> Option<TransitionToWrite<'_>> {
        Some(TransitionToWrite { team: &self.next.team, transition: self.transition.as_ref()? })
    }

    /// The row of the event, if there is one.
    pub(in crate::store) fn event(&self) -> Option<EventToWrite<'_>> {
        Some(EventToWrite { about: About::Cache(&self.next), event: self.event.as_ref()? })
    }
}

impl Store {
    /// Writes an observed change in a transaction of its own. `false` if the row has changed; nothing was written then.
    pub async fn write_change(&self, write: &CacheWrite) -> Result<bool, StoreError> {
        self.workers.limited(self.write_step(write)).await
    }

    async fn write_step(&self, write: &CacheWrite) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        if !apply(&mut transaction, &self.stamp, write).await? {
            return Ok(false);
        }
        if let Some(transition) = write.transition.as_ref().filter(|transition| sets_in_motion(transition)) {
            tracker_wake::wake(&mut transaction, &write.next, transition.at).await?;
        }
        transaction.commit().await?;
        write.committed();
        Ok(true)
    }
}

/// Whether a cache that was at rest is in motion again and must be followed.
fn sets_in_motion(transition: &Transition) -> bool {
    transition.to.is_in_motion() && !transition.from.is_some_and(Status::is_in_motion)
}

/// Whether the cache is gone without a request of ours.
pub(in crate::store) fn is_vanishing(transition: &Transition) -> bool {
    transition.to.has_vanished()
}

/// Whether a delete is running. One that starts at this moment raises the row's version, and the change then fails
/// because of that.
async fn delete_runs(connection: &mut PooledConnection, cache: &ImageCache) -> Result<bool, StoreError> {
    let runs = sqlx::query_scalar(sql!(
        "SELECT EXISTS (SELECT FROM operations
             WHERE image_cache = $1 AND kind = 'delete' AND state IN ({OPEN}))"
    ))
    .bind(cache.id.uuid())
    .fetch_one(connection)
    .await?;
    Ok(runs)
}

/// Writes a change in an open transaction. `false` if the row has changed.
///
/// While a delete is running whose answer has not arrived, a cache does not vanish by itself: the end of that delete
/// sets `deleting`, and the following polls `deleted`.
pub(in crate::store) async fn apply(
    connection: &mut PooledConnection,
    stamp: &Stamp,
    write: &CacheWrite,
) -> Result<bool, StoreError> {
    if write.transition.as_ref().is_some_and(is_vanishing) && delete_runs(connection, &write.next).await? {
        return Ok(false);
    }
    if !update_row(connection, &write.next).await? {
        return Ok(false);
    }
    if write.transition.as_ref().is_some_and(is_vanishing) {
        revisit_wake::wake(connection, &write.next).await?;
    }
    if let Some(transition) = &write.transition {
        insert_transition(connection, &write.next, transition).await?;
    }
    if let Some(event) = &write.event {
        events::insert(connection, About::Cache(&write.next), event).await?;
    }
    if let Some(entry) = &write.audit {
        audit_entries::insert(connection, stamp, std::slice::from_ref(entry)).await?;
    }
    Ok(true)
}

static STEP: LazyLock<String> = LazyLock::new(|| {
    let step = Numbers::default().one::<ImageCacheRow>(ImageCacheRow::OF_STEP);
    let set = ImageCacheRow::set(ImageCacheRow::OF_STEP, ImageCacheRow::FOUND_BY);
    format!(
        "UPDATE image_caches c SET version = c.version + 1, {set} FROM {step}
         WHERE c.team = n.team AND c.id = n.id AND c.version = n.version"
    )
});

async fn update_row(connection: &mut PooledConnection, next: &ImageCache) -> Result<bool, StoreError> {
    let parameters = StatementParameters::default().one::<ImageCacheRow>(ImageCacheRow::OF_STEP, &next);
    Ok(parameters.query(&STEP)?.execute(connection).await?.rows_affected() == 1)
}

static TRANSITION: LazyLock<String> = LazyLock::new(TransitionRow::insert_one);

/// Writes one transition.
pub(in crate::store) async fn insert_transition(
    connection: &mut PooledConnection,
    cache: &ImageCache,
    transition: &Transition,
) -> Result<(), StoreError> {
    let new = TransitionToWrite { team: &cache.team, transition };
    let parameters = StatementParameters::default().one::<TransitionRow>(ColumnSet::All, &new);
    parameters.query(&TRANSITION)?.execute(connection).await?;
    Ok(())
}
