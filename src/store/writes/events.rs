//! Writes an event, once.

use std::sync::LazyLock;

use sqlx::Row as _;

use super::dispatch;
use crate::store::StoreError;
use crate::store::columns::{ColumnSet, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::input::{About, NewEvent};
use crate::store::rows::{EventToWrite, EventsTable};

static INSERT: LazyLock<String> =
    LazyLock::new(|| format!("{} ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq", EventsTable::insert_one()));

/// Writes an event unless its deduplication key exists, and queues or dispatches its deliveries.
pub(in crate::store) async fn insert(
    connection: &mut PooledConnection,
    about: About<'_>,
    event: &NewEvent,
) -> Result<(), StoreError> {
    let parameters = StatementParameters::default().one::<EventsTable>(ColumnSet::All, &EventToWrite { about, event });
    let told = parameters.query(&INSERT)?.fetch_optional(&mut *connection).await?;
    let Some(row) = told else { return Ok(()) };
    dispatch::enqueue(connection, &[row.try_get(0)?], event.at, &event.dispatch).await
}
