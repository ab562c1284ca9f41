//! One team's deliveries, for people. The queue itself is [`crate::store::system::deliveries`].

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::domain::filter::DeliveryFilter;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::DeliveryId;
use crate::domain::webhooks::{Delivery, DeliveryState};
use crate::store::values::word;
use crate::store::{Store, StoreError, unreadable};

#[derive(FromRow)]
struct DeliveryRow {
    id: Uuid,
    seq: i64,
    event: Uuid,
    event_type: String,
    endpoint: Uuid,
    state: i16,
    attempts: i16,
    next_attempt_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    occurred_at: DateTime<Utc>,
    last_http_status: Option<i16>,
    last_error: Option<String>,
}

/// A delivery and its position in its list: by its event, then by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event's number, and its id.
    pub place: (i64, Uuid),
}

impl DeliveryRow {
    fn read(self) -> Result<PlacedDelivery, StoreError> {
        let state = word(DeliveryState::from_number(self.state), "webhook_deliveries", "state")?;
        let place = (self.seq, self.id);
        let delivery = Delivery {
            id: self.id.into(),
            event: self.event.into(),
            event_type: self.event_type,
            endpoint: self.endpoint.into(),
            state,
            attempts: self.attempts,
            next_attempt_at: (state == DeliveryState::Waiting).then_some(self.next_attempt_at),
            finished_at: self.finished_at,
            created_at: self.occurred_at,
            last_http_status: self.last_http_status,
            last_error: self.last_error,
        };
        Ok(PlacedDelivery { delivery, place })
    }
}

const READ: &str = "SELECT d.id, d.event AS seq, e.id AS event, e.type AS event_type, d.endpoint, d.state, d.attempts,
        -- Not before its endpoint has rested.
        GREATEST(d.next_attempt_at, s.paused_until) AS next_attempt_at, d.finished_at, e.occurred_at, d.last_http_status,
        d.last_error
    FROM webhook_deliveries d JOIN events e ON e.seq = d.event JOIN webhook_endpoint_state s ON s.endpoint = d.endpoint";

impl Store {
    /// Up to `limit` deliveries of the team, newest event first, after `place`.
    pub async fn deliveries(
        &self,
        team: &TeamId,
        filter: &DeliveryFilter,
        place: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<PlacedDelivery>, StoreError> {
        let read = |last: Option<(i64, Uuid)>, wanted: i64| self.delivery_rows(team, filter, last.or(place), wanted);
        let convert = |row: DeliveryRow| unreadable::read(row.id.to_string(), row.read());
        unreadable::filled(limit, read, |row| (row.seq, row.id), convert).await
    }

    async fn delivery_rows(
        &self,
        team: &TeamId,
        filter: &DeliveryFilter,
        place: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        // Destructured completely, so that a new filter field that is not used here does not compile.
        let DeliveryFilter { endpoint, state, event, event_types, created_after, created_before } = filter;
        let (seq, id) = place.map_or((None, None), |(seq, id)| (Some(seq), Some(id)));
        let sql = format!(
            "{READ} WHERE d.team = $1 AND ($2::bigint IS NULL OR (d.event, d.id) < ($2, $3))
               AND ($4::uuid IS NULL OR d.endpoint = $4) AND ($5::smallint IS NULL OR d.state = $5)
               AND ($7::uuid IS NULL OR e.id = $7) AND ($8::text[] = '{{}}' OR e.type = ANY ($8))
               AND ($9::timestamptz IS NULL OR e.occurred_at >= $9) AND ($10::timestamptz IS NULL OR e.occurred_at < $10)
             ORDER BY d.event DESC, d.id DESC LIMIT $6"
        );
        let rows: Vec<DeliveryRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(seq)
            .bind(id)
            .bind(endpoint.map(crate::domain::ids::EndpointId::uuid))
            .bind(state.map(DeliveryState::number))
            .bind(limit)
            .bind(event.map(crate::domain::ids::EventId::uuid))
            .bind(event_types)
            .bind(created_after)
            .bind(created_before)
            .fetch_all(&self.requests)
            .await?;
        Ok(rows)
    }

    /// One delivery of the team.
    pub(in crate::store) async fn one_delivery(
        &self,
        team: &TeamId,
        id: DeliveryId,
    ) -> Result<Option<PlacedDelivery>, StoreError> {
        let row: Option<DeliveryRow> = sqlx::query_as(AssertSqlSafe(format!("{READ} WHERE d.team = $1 AND d.id = $2")))
            .bind(team.as_str())
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        row.map(DeliveryRow::read).transpose()
    }
}
