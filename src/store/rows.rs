//! Rows as the database has them: their columns, what is written of them, and their way into the domain's types. A
//! value that this binary cannot read names its table and column.

mod events;
mod idempotency_keys;
mod image_caches;
mod operations;
mod transitions;
mod webhook_endpoints;

use serde::de::DeserializeOwned;
use sqlx::types::Json;

use super::Error;

pub(super) use events::{EventToWrite, Events};
pub(super) use idempotency_keys::{IdempotencyKeys, KeyToWrite};
pub(super) use image_caches::ImageCacheRow;
pub(super) use operations::{EndedOperation, NOTE_END, OperationRow, OperationToWrite};
pub(super) use transitions::{TransitionRow, TransitionToWrite};
pub(super) use webhook_endpoints::{EndpointRow, EndpointToWrite};

/// Reads a word of a closed set.
pub(super) fn word<T>(value: Option<T>, table: &'static str, column: &'static str) -> Result<T, Error> {
    value.ok_or_else(|| Error::Unreadable { table, column, detail: "an unknown word".into() })
}

/// Reads jsonb into a type.
pub(super) fn json<T: DeserializeOwned>(
    value: serde_json::Value,
    table: &'static str,
    column: &'static str,
) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Unreadable { table, column, detail: error.to_string() })
}

/// Wraps a value for a jsonb column.
pub(super) fn jsonb<T: serde::Serialize>(value: &T) -> Json<&T> {
    Json(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::database::grants::{Kind, needed};
    use crate::store::columns::Table;
    use crate::store::team::audit::AuditRow;

    /// The runtime role may write what is written.
    #[test]
    fn every_table_that_is_written_is_granted() {
        let written = [
            AuditRow::NAME,
            EndpointRow::NAME,
            Events::NAME,
            IdempotencyKeys::NAME,
            ImageCacheRow::NAME,
            OperationRow::NAME,
            TransitionRow::NAME,
        ];
        for table in written {
            assert!(needed(Kind::Table, table).is_some_and(|grant| grant.privileges.contains(&"INSERT")), "{table}");
        }
    }
}
