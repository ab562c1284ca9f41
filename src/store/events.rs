//! Events: told once, with one delivery for each endpoint that wants it; and the team's feed of them.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::handover::{self, HandOver};
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::clock::Instant;
use crate::domain::event::EventType;
use crate::domain::ids::{EndpointId, EventId};
use crate::domain::image_cache::ImageCache;

/// An event to be told.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id: the `webhook-id`.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// Makes it happen once.
    pub dedupe_key: String,
    /// The exact bytes that are signed.
    pub body: String,
    /// When.
    pub at: Instant,
    /// Where its deliveries go once they are committed.
    pub hand_over: HandOver,
}

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// An image cache.
    Cache(&'a ImageCache),
    /// A webhook endpoint of the team.
    Endpoint(&'a TeamId, EndpointId),
}

impl About<'_> {
    /// Whose it is.
    pub(super) fn team(&self) -> &TeamId {
        match self {
            Self::Cache(cache) => &cache.team,
            Self::Endpoint(team, _) => team,
        }
    }

    /// The image cache, if it is about one.
    pub(super) fn cache(&self) -> Option<&ImageCache> {
        match self {
            Self::Cache(cache) => Some(cache),
            Self::Endpoint(..) => None,
        }
    }
}

/// Tells an event, unless it was told before, and puts its deliveries into the queue or into hands.
pub(super) async fn insert(connection: &mut PgConnection, about: About<'_>, event: &NewEvent) -> Result<(), Error> {
    let endpoint = if let About::Endpoint(_, endpoint) = about { Some(endpoint.uuid()) } else { None };
    let told: Option<i64> = sqlx::query_scalar(
        "INSERT INTO events (id, team, type, image_cache, endpoint, dedupe_key, body, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq",
    )
    .bind(event.id.uuid())
    .bind(about.team().as_str())
    .bind(event.kind.as_str())
    .bind(about.cache().map(|cache| cache.id.uuid()))
    .bind(endpoint)
    .bind(&event.dedupe_key)
    .bind(&event.body)
    .bind(event.at)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(seq) = told else { return Ok(()) };
    handover::enqueue(connection, &[seq], event.at, &event.hand_over).await
}

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
             WHERE team = $1 AND image_cache IS NOT NULL AND (txid, seq) > ($2::text::xid8, $3) AND txid < pg_snapshot_xmin(pg_current_snapshot())
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
