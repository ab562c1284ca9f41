//! Adds audit entries: each with its stamp, all in one statement, within the transaction or statement of what they
//! record.

use crate::store::rows::Stamped;
use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use sqlx::postgres::PgQueryResult;

use super::platform_events;
use crate::domain::audit::AuditEntry;
use crate::domain::audit::record::AuditBody;
use crate::store::columns::{BatchTable as _, ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::database::pool::{PooledConnection, Tx, once_committed};
use crate::store::rows::audit_entries::AuditRow;
use crate::store::{PlatformEvent, Store, StoreError};

type MakeStamp = dyn Fn(&[u8]) -> [u8; 32] + Send + Sync;

/// Stamps entries with the audit key; cheap to clone.
#[derive(Clone)]
pub struct Stamp(Option<Arc<MakeStamp>>);

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Stamp(…)" } else { "Stamp(none)" })
    }
}

impl Stamp {
    /// Stamps with `make`.
    pub fn new(make: impl Fn(&[u8]) -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(make)))
    }

    /// For commands that write no entries: the database refuses an entry without a stamp.
    pub fn none() -> Self {
        Self(None)
    }

    fn of(&self, body: &AuditBody) -> Option<Vec<u8>> {
        self.0.as_ref().map(|make| make(&body.stamped_bytes()).to_vec())
    }
}

impl Store {
    /// Writes the entry of a request that changes nothing, together with all others that wait (group commit), and
    /// returns once it is durable.
    pub async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.audit.ask(entry).await
    }

    /// Ends a change that may have found nothing to change: commits it with its entry, or leaves no trace. Returns
    /// whether it changed anything.
    pub(in crate::store) async fn end_audited(
        &self,
        mut transaction: Tx,
        done: &PgQueryResult,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

impl Store {
    /// The same, with the platform events about it.
    pub(in crate::store) async fn end_announced(
        &self,
        mut transaction: Tx,
        done: &PgQueryResult,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        if done.rows_affected() > 0 {
            platform_events::tell(&mut transaction, told).await?;
        }
        let ended = self.end_audited(transaction, done, entry).await?;
        if ended {
            let told = told.to_vec();
            once_committed(async move { platform_events::committed(&told) }).await;
        }
        Ok(ended)
    }
}

/// Adds all of them.
static INSERT: LazyLock<String> = LazyLock::new(AuditRow::insert_many);

/// Adds those that are missing. If another connection is adding them, waits for it.
static INSERT_MISSING: LazyLock<String> = LazyLock::new(|| format!("{} ON CONFLICT DO NOTHING", *INSERT));

impl Stamp {
    /// The entries with their stamps.
    pub(in crate::store) fn all<E: Borrow<AuditEntry>>(&self, entries: &[E]) -> Vec<Stamped> {
        let stamped = |entry: &AuditEntry| {
            let body = AuditBody::from(entry);
            Stamped { stamp: self.of(&body), body, at: entry.at }
        };
        entries.iter().map(|entry| stamped(entry.borrow())).collect()
    }
}

/// Adds, within another statement, the entries whose `place` (from 1) is in that statement's `fit`.
pub(in crate::store) fn of_those_that_fit(numbers: &mut Numbers) -> String {
    let (insert, entries) = (AuditRow::insert(ColumnSet::All), numbers.many::<AuditRow>(ColumnSet::All));
    format!("{insert} FROM {entries} WHERE n.place IN (SELECT place FROM fit)")
}

/// Adds entries, all in one statement.
pub(in crate::store) async fn insert<E>(
    connection: &mut PooledConnection,
    stamp: &Stamp,
    entries: &[E],
) -> Result<(), StoreError>
where
    E: Borrow<AuditEntry> + Sync,
{
    run(&INSERT, connection, stamp, entries).await
}

/// Adds those entries that are not there yet.
pub(in crate::store) async fn insert_missing<E>(
    connection: &mut PooledConnection,
    stamp: &Stamp,
    entries: &[E],
) -> Result<(), StoreError>
where
    E: Borrow<AuditEntry> + Sync,
{
    run(&INSERT_MISSING, connection, stamp, entries).await
}

async fn run<E>(
    text: &'static LazyLock<String>,
    connection: &mut PooledConnection,
    stamp: &Stamp,
    entries: &[E],
) -> Result<(), StoreError>
where
    E: Borrow<AuditEntry> + Sync,
{
    let parameters = StatementParameters::default().many::<AuditRow>(ColumnSet::All, &stamp.all(entries));
    parameters.query(text)?.execute(&mut *connection).await?;
    connection.set_recorded();
    Ok(())
}
