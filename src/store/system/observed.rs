//! Writes what the tracker observed for many caches at once: the same rows that [`crate::store::writes::changes`]
//! writes one by one.
//!
//! One transaction of a few statements, however many caches changed: each row by compare-and-set, then transitions,
//! events, deliveries and audit entries of those that were written. An observation never changes what was requested, so
//! name, images and spec are not among the columns.

use std::collections::HashSet;
use std::sync::LazyLock;

use sqlx::Row as _;
use uuid::Uuid;

use crate::domain::ids::CacheId;
use crate::store::columns::{BatchTable as _, ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{EventsTable, ImageCacheRow, TransitionRow};
use crate::store::words::OPEN;
use crate::store::writes::audit_entries;
use crate::store::writes::changes::is_vanishing;
use crate::store::writes::dispatch;
use crate::store::writes::revisit_wake;
use crate::store::{CacheWrite, Store, StoreError};

impl Store {
    /// Writes what was observed, and returns which caches were written: the rows of all others have changed.
    pub async fn write_observed(&self, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, StoreError> {
        if writes.is_empty() {
            return Ok(HashSet::new());
        }
        let mut transaction = self.workers.begin().await?;
        let written = update_rows(&mut transaction, writes).await?;
        let done: Vec<&CacheWrite> = writes.iter().filter(|write| written.contains(&write.next.id)).collect();
        insert_transitions(&mut transaction, &done).await?;
        insert_events(&mut transaction, &done).await?;
        // All of them are in one group.
        if let Some(vanished) = done.iter().find(|write| write.transition.as_ref().is_some_and(is_vanishing)) {
            revisit_wake::wake(&mut transaction, &vanished.next).await?;
        }
        let entries: Vec<_> = done.iter().filter_map(|write| write.audit.clone()).collect();
        audit_entries::insert(&mut transaction, &self.stamp, &entries).await?;
        transaction.commit().await?;
        for write in done {
            write.committed();
        }
        Ok(written)
    }
}

/// The columns that an observation may change, and those that find the row.
const SEEN: ColumnSet = ColumnSet::Only(&[
    "id",
    "team",
    "version",
    "status",
    "provider_status",
    "sequence",
    "container_group_id",
    "snapshot_id",
    "flash_snapshot_id",
    "progress_percent",
    "failure",
    "evidence",
    "misses",
    "updated_at",
    "ready_at",
    "expires_at",
    "last_matched_at",
    "provider",
    "drift",
    "expiry_told",
    "gone_at",
]);

/// $1 are the caches that vanish. Rows are locked in the order of their ids, so that two writers of the same rows
/// cannot deadlock.
static STEPS: LazyLock<String> = LazyLock::new(|| {
    let steps = Numbers::beginning_after(1).few::<ImageCacheRow>(SEEN);
    let set = ImageCacheRow::set(SEEN, ImageCacheRow::FOUND_BY);
    format!(
        "WITH steps AS MATERIALIZED (SELECT * FROM {steps}),
         held AS (
             SELECT c.id FROM image_caches c JOIN steps n ON c.team = n.team AND c.id = n.id AND c.version = n.version
             -- While a delete runs whose answer nobody has heard yet, a cache does not vanish by itself.
             WHERE NOT (n.id = ANY ($1::uuid[]) AND EXISTS (SELECT FROM operations o
                 WHERE o.image_cache = c.id AND o.kind = 'delete' AND o.state IN ({OPEN})))
             ORDER BY c.id FOR UPDATE OF c)
         UPDATE image_caches c SET version = c.version + 1, {set}
         FROM steps n, held WHERE c.id = held.id AND c.team = n.team AND c.id = n.id AND c.version = n.version
         RETURNING c.id"
    )
});

async fn update_rows(connection: &mut PooledConnection, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, StoreError> {
    let vanishing = writes.iter().filter(|write| write.transition.as_ref().is_some_and(is_vanishing));
    let parameters = StatementParameters::default()
        .with(vanishing.map(|write| write.next.id.uuid()).collect::<Vec<_>>())
        .many::<ImageCacheRow>(SEEN, &writes.iter().map(|write| &write.next).collect::<Vec<_>>());
    let written = parameters.query(&STEPS)?.fetch_all(connection).await?;
    let ids: Vec<Uuid> = written.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(ids.into_iter().map(CacheId::from).collect())
}

static TRANSITIONS: LazyLock<String> = LazyLock::new(TransitionRow::insert_many);

async fn insert_transitions(connection: &mut PooledConnection, writes: &[&CacheWrite]) -> Result<(), StoreError> {
    let rows: Vec<_> = writes.iter().filter_map(|write| write.transition()).collect();
    let parameters = StatementParameters::default().many::<TransitionRow>(ColumnSet::All, &rows);
    parameters.query(&TRANSITIONS)?.execute(connection).await?;
    Ok(())
}

static EVENTS: LazyLock<String> =
    LazyLock::new(|| format!("{} ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq", EventsTable::insert_many()));

/// Writes each event once, and one delivery for each endpoint that wants it. All of them go the way of the first.
async fn insert_events(connection: &mut PooledConnection, writes: &[&CacheWrite]) -> Result<(), StoreError> {
    let rows: Vec<_> = writes.iter().filter_map(|write| write.event()).collect();
    let Some(first) = rows.first().map(|row| row.event) else { return Ok(()) };
    let parameters = StatementParameters::default().many::<EventsTable>(ColumnSet::All, &rows);
    let told = parameters.query(&EVENTS)?.fetch_all(&mut *connection).await?;
    let told: Vec<i64> = told.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    dispatch::enqueue(connection, &told, first.at, &first.dispatch).await
}
