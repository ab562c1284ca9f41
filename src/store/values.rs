//! Values of columns that have a closed set of values, or JSON. An error for a value that this binary cannot read names
//! its table and column.

use serde::de::DeserializeOwned;
use sqlx::types::Json;

use super::StoreError;

/// Reads a value of a closed set.
pub(super) fn word<T>(value: Option<T>, table: &'static str, column: &'static str) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::Unreadable { table, column, detail: "an unknown word".into() })
}

/// Reads jsonb into a type.
pub(super) fn json<T: DeserializeOwned>(
    value: serde_json::Value,
    table: &'static str,
    column: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| StoreError::Unreadable { table, column, detail: error.to_string() })
}

/// Wraps a value for a jsonb column.
pub(super) fn jsonb<T: serde::Serialize>(value: &T) -> Json<&T> {
    Json(value)
}
