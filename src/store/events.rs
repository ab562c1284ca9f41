//! The team's feed of events.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::ids::EventId;

/// One event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its id.
    pub id: EventId,
    /// Its place in the feed: transaction, then number.
    pub place: (u64, i64),
    /// The exact bytes that webhooks carry.
    pub body: String,
}

#[derive(FromRow)]
struct EventRow {
    id: Uuid,
    txid: i64,
    seq: i64,
    body: String,
}

impl Store {
    /// Up to `limit` events after `place`, oldest first. Gap-free: an event whose transaction is not older
    /// than every running one is held back, because one with a lower place might still commit.
    pub async fn events(&self, team: &TeamId, place: (u64, i64), limit: i64) -> Result<Vec<StoredEvent>, Error> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT id, txid::text::bigint AS txid, seq, body FROM events
             WHERE team = $1 AND (txid, seq) > ($2::text::xid8, $3) AND txid < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY txid, seq LIMIT $4",
        )
        .bind(team.as_str())
        .bind(place.0.to_string())
        .bind(place.1)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        Self { id: row.id.into(), place: (row.txid.unsigned_abs(), row.seq), body: row.body }
    }
}
