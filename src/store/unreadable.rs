//! Rows that contain something which this binary does not know, because a later version wrote them.
//!
//! What must stay true: such a row is skipped among others (in a list, a pass, a claim), so that a new value stops
//! nothing else; it is logged once in each process, and counted each time. Whoever asks for exactly that row gets an
//! error ([`StoreError::Unreadable`]). Nothing is written to it. If skipping it would allow something that must not be
//! allowed (revoked tokens, a team's policy), it is not skipped, and whoever depends on it is refused.
//!
//! The other files of `store` call it. In memory it keeps only which rows were logged; nothing depends on that.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::StoreError;

/// How many rows are remembered as logged; beyond that, all are forgotten and logged again.
const TOLD_APART: usize = 10_000;

/// The rows that were logged.
static TOLD: Mutex<Option<HashSet<(&'static str, String)>>> = Mutex::new(None);

/// A row that can be named in a log line.
pub(in crate::store) trait Keyed {
    /// The row's key, which is no secret.
    fn key(&self) -> String;
}

/// The rows that can be read.
pub(in crate::store) fn readable<R, T>(rows: Vec<R>) -> Vec<T>
where
    R: Keyed + TryInto<T, Error = StoreError>,
{
    rows.into_iter().filter_map(|row| read(row.key(), row.try_into())).collect()
}

/// What was read from the row with this key; `None` if it cannot be read.
pub(in crate::store) fn read<T>(key: String, row: Result<T, StoreError>) -> Option<T> {
    match row {
        Ok(row) => Some(row),
        Err(error) => {
            tell(key, &error);
            None
        }
    }
}

/// What was read from a row that was asked for by itself. If it cannot be read, that is logged and returned as an
/// error.
pub(in crate::store) fn alone<R, T>(row: Option<R>) -> Result<Option<T>, StoreError>
where
    R: Keyed + TryInto<T, Error = StoreError>,
{
    let Some(row) = row else { return Ok(None) };
    let key = row.key();
    row.try_into().map(Some).inspect_err(|error| tell(key, error))
}

/// What was read from one row among others; `None` if it cannot be read. Any other failure is an error.
pub(in crate::store) fn passed_over<T>(key: String, row: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match row {
        Err(error @ StoreError::Unreadable { .. }) => {
            tell(key, &error);
            Ok(None)
        }
        row => row.map(Some),
    }
}

/// Up to `limit` rows that can be read. `rows` returns up to as many as it is asked for, after a position in their
/// order, or from the start; `place` is the position of a row. It asks for more only if some cannot be read.
pub(in crate::store) async fn filled<R, T, P, F>(
    limit: i64,
    mut rows: impl FnMut(Option<P>, i64) -> F,
    place: impl Fn(&R) -> P,
    mut convert: impl FnMut(R) -> Option<T>,
) -> Result<Vec<T>, StoreError>
where
    F: Future<Output = Result<Vec<R>, StoreError>>,
{
    let (mut found, mut last) = (Vec::new(), None);
    loop {
        let wanted = limit - count(&found);
        let page = rows(last, wanted).await?;
        let ended = count(&page) < wanted;
        last = page.last().map(&place);
        found.extend(page.into_iter().filter_map(&mut convert));
        if ended || count(&found) >= limit {
            return Ok(found);
        }
    }
}

fn count<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// Logs that a row cannot be read, unless it was logged before, and counts it.
fn tell(key: String, error: &StoreError) {
    let StoreError::Unreadable { table, column, detail } = error else { return };
    metrics::counter!("ecg_rows_unreadable_total", "table" => *table).increment(1);
    if let Some(row) = first_time(table, key) {
        tracing::error!(
            table,
            column,
            row,
            detail,
            "skipping a row of a different version: run the same version everywhere"
        );
    }
}

/// The key, if this row was not logged before.
fn first_time(table: &'static str, key: String) -> Option<String> {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let told = told.get_or_insert_default();
    if told.len() >= TOLD_APART {
        told.clear();
    }
    told.insert((table, key.clone())).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_filled_behind_what_cannot_be_read() {
        // Of the numbers from 1 to 9, those that are not multiples of 3 can be read.
        let asked = Mutex::new(Vec::new());
        let rows = |last: Option<i64>, wanted: i64| {
            asked.lock().unwrap().push((last, wanted));
            let first = last.map_or(1, |last| last + 1);
            std::future::ready(Ok((first..=9).take(usize::try_from(wanted).unwrap()).collect::<Vec<i64>>()))
        };
        let readable = |number: i64| (number % 3 != 0).then_some(number);
        let found = filled(5, rows, |number| *number, readable).await.unwrap();
        assert_eq!(found, [1, 2, 4, 5, 7]);
        assert_eq!(*asked.lock().unwrap(), [(None, 5), (Some(5), 1), (Some(6), 1)]);
        assert_eq!(filled(9, rows, |number| *number, readable).await.unwrap(), [1, 2, 4, 5, 7, 8]);
    }

    #[test]
    fn a_row_is_told_once() {
        let told = |key: &str| first_time("unreadable.rs", key.to_owned()).is_some();
        assert!(told("one") && !told("one") && told("two"));
    }
}
