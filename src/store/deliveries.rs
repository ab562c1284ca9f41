//! One team's deliveries, as its people see them. The queue itself is [`super::unscoped::deliveries`].

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::rows::word;
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::filter::DeliveryFilter;
use crate::domain::webhook::{Delivery, DeliveryState};

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

/// A delivery and where it stands in its list: by its event, then by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event's number, and its id.
    pub place: (i64, Uuid),
}

impl DeliveryRow {
    fn read(self) -> Result<PlacedDelivery, Error> {
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

impl Store {
    /// Up to `limit` deliveries of the team, newest event first, after `place`.
    pub async fn deliveries(
        &self,
        team: &TeamId,
        filter: &DeliveryFilter,
        place: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<PlacedDelivery>, Error> {
        let (seq, id) = place.map_or((None, None), |(seq, id)| (Some(seq), Some(id)));
        let rows: Vec<DeliveryRow> = sqlx::query_as(
            "SELECT d.id, d.event AS seq, e.id AS event, e.type AS event_type, d.endpoint, d.state, d.attempts, d.next_attempt_at,
                 d.finished_at, e.occurred_at, d.last_http_status, d.last_error
             FROM webhook_deliveries d JOIN events e ON e.seq = d.event
             WHERE d.team = $1 AND ($2::bigint IS NULL OR (d.event, d.id) < ($2, $3))
               AND ($4::uuid IS NULL OR d.endpoint = $4) AND ($5::smallint IS NULL OR d.state = $5)
             ORDER BY d.event DESC, d.id DESC LIMIT $6",
        )
        .bind(team.as_str())
        .bind(seq)
        .bind(id)
        .bind(filter.endpoint.map(crate::domain::ids::EndpointId::uuid))
        .bind(filter.state.map(DeliveryState::number))
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(DeliveryRow::read).collect()
    }
}
