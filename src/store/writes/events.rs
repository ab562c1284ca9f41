//! Telling an event, once.

use std::sync::LazyLock;

use sqlx::Row as _;

use super::dispatch;
use crate::store::Error;
use crate::store::columns::{Parameters, Table as _, Which};
use crate::store::database::pool::Connection;
use crate::store::input::{About, NewEvent};
use crate::store::rows::{EventToWrite, Events};

static INSERT: LazyLock<String> =
    LazyLock::new(|| format!("{} ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq", Events::insert_one()));

/// Tells an event, unless it was told before, and puts its deliveries into the queue or into hands.
pub(in crate::store) async fn insert(
    connection: &mut Connection,
    about: About<'_>,
    event: &NewEvent,
) -> Result<(), Error> {
    let parameters = Parameters::default().one::<Events>(Which::All, &EventToWrite { about, event });
    let told = parameters.query(&INSERT)?.fetch_optional(&mut *connection).await?;
    let Some(row) = told else { return Ok(()) };
    dispatch::enqueue(connection, &[row.try_get(0)?], event.at, &event.dispatch).await
}
