//! Rows of the database: their columns, how they are written, and their conversion to domain types. An error for a
//! value that this binary cannot read names its table and column.

pub(super) mod access_keys;
pub(super) mod api_keys;
pub(super) mod audit_entries;
mod events;
pub(super) mod feed;
mod idempotency_keys;
mod image_caches;
mod operations;
pub(super) mod policies;
mod transitions;
mod webhook_endpoints;

pub(super) use audit_entries::{AuditRow, Stamped};
pub(super) use events::{EventToWrite, EventsTable};
pub(super) use idempotency_keys::{IdempotencyKeys, KeyToWrite};
pub(super) use image_caches::ImageCacheRow;
pub(super) use operations::{EndedOperation, NOTE_END, OperationRow, OperationToWrite};
pub(super) use transitions::{TransitionRow, TransitionToWrite};
pub(super) use webhook_endpoints::{EndpointRow, EndpointToWrite};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::database::grants::{ObjectKind, needed};
    use crate::store::columns::Table;
    use crate::store::rows::AuditRow;

    /// The runtime role has the privilege to write everything that is written.
    #[test]
    fn every_table_that_is_written_is_granted() {
        let written = [
            AuditRow::NAME,
            EndpointRow::NAME,
            EventsTable::NAME,
            IdempotencyKeys::NAME,
            ImageCacheRow::NAME,
            OperationRow::NAME,
            TransitionRow::NAME,
        ];
        for table in written {
            assert!(
                needed(ObjectKind::Table, table).is_some_and(|grant| grant.privileges.contains(&"INSERT")),
                "{table}"
            );
        }
    }
}
