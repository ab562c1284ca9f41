//! Deliveries that people look at one by one and return to the queue.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::backlog;
use super::endpoint_changes::{Failures, end_rest};
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::webhooks::DeliveryAttempt;
use crate::store::writes::audit_entries;
use crate::store::writes::dispatch::{TOLD, WANTS};
use crate::store::{PlacedDelivery, Store, StoreError};

/// The result of sending a delivery again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It is queued, as if it were new.
    Done,
    /// There is no such delivery.
    Absent,
    /// A worker is sending it.
    InFlight,
    /// Its endpoint is deleted.
    EndpointGone,
}

/// Which events to replay.
#[derive(Debug, Clone, Copy)]
pub struct ReplaySpan {
    /// Events from this time on.
    pub since: Instant,
    /// Events before this time; `None` means no end.
    pub until: Option<Instant>,
    /// The most events to replay.
    pub most: i64,
}

#[derive(FromRow)]
struct AttemptRow {
    number: i16,
    outcome: String,
    http_status: Option<i16>,
    duration_ms: Option<i32>,
    response_excerpt: Option<Vec<u8>>,
    error: Option<String>,
    at: DateTime<Utc>,
}

impl From<AttemptRow> for DeliveryAttempt {
    fn from(row: AttemptRow) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            number: row.number,
            outcome: row.outcome,
            http_status: row.http_status,
            duration_ms: row.duration_ms,
            response: row.response_excerpt.filter(|bytes| !bytes.is_empty()).map(text),
            error: row.error,
            at: row.at,
        }
    }
}

impl Store {
    /// One delivery of the team.
    pub async fn delivery(&self, team: &TeamId, id: DeliveryId) -> Result<Option<PlacedDelivery>, StoreError> {
        self.one_delivery(team, id).await
    }

    /// Up to `limit` attempts at a delivery of the team, oldest first, without the first `skip`.
    pub async fn delivery_attempts(
        &self,
        team: &TeamId,
        id: DeliveryId,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<DeliveryAttempt>, StoreError> {
        let rows: Vec<AttemptRow> = sqlx::query_as(
            "SELECT a.number, a.outcome, a.http_status, a.duration_ms, a.response_excerpt, a.error, a.at FROM (
                 SELECT number, outcome, http_status, duration_ms, response_excerpt, error, at FROM delivery_attempts WHERE delivery = $2
                 UNION ALL
                 SELECT number, outcome, http_status, duration_ms, response_excerpt, error, at FROM webhook_attempts WHERE delivery = $2) a
             WHERE EXISTS (SELECT FROM webhook_deliveries d WHERE d.team = $1 AND d.id = $2)
             ORDER BY a.at, a.number OFFSET $3 LIMIT $4",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(skip)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Puts a delivery back into the queue as if it were new.
    pub async fn resend(
        &self,
        team: &TeamId,
        id: DeliveryId,
        now: Instant,
        entry: &AuditEntry,
    ) -> Result<Resent, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let found: Option<(i16, bool, Uuid)> = sqlx::query_as(
            "SELECT d.state, w.deleted, w.id FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.endpoint
                 JOIN events e ON e.seq = d.event
             WHERE d.team = $1 AND d.id = $2 AND (w.platform OR e.type NOT LIKE 'platform.%') FOR UPDATE OF d",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .fetch_optional(&mut *transaction)
        .await?;
        let endpoint = match found {
            None => return Ok(Resent::Absent),
            Some((_, true, _)) => return Ok(Resent::EndpointGone),
            Some((1, _, _)) => return Ok(Resent::InFlight),
            Some((_, _, endpoint)) => endpoint,
        };
        sqlx::query(
            "UPDATE webhook_deliveries SET state = 0, attempts = 0, next_attempt_at = $3, finished_at = NULL
             WHERE team = $1 AND id = $2",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        end_rest(&mut transaction, endpoint.into(), Failures::Kept).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(Resent::Done)
    }

    /// Returns to the queue what was not delivered to an endpoint (given up or cancelled), for events since `since`; at
    /// most `most`, the oldest first.
    pub async fn recover(
        &self,
        team: &TeamId,
        endpoint: EndpointId,
        since: Instant,
        now: Instant,
        most: i64,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_deliveries SET state = 0, attempts = 0, next_attempt_at = $4, finished_at = NULL
             WHERE team = $1 AND id IN (
                 SELECT d.id FROM webhook_deliveries d JOIN events e ON e.seq = d.event
                     JOIN webhook_endpoints w ON w.id = d.endpoint
                 WHERE (w.platform OR e.type NOT LIKE 'platform.%') AND d.team = $1 AND d.endpoint = $2 AND d.state IN (3, 4) AND e.occurred_at >= $3
                 ORDER BY d.event LIMIT $5 FOR UPDATE OF d)",
        )
        .bind(team.as_str())
        .bind(endpoint.uuid())
        .bind(since)
        .bind(now)
        .bind(most)
        .execute(&mut *transaction)
        .await?;
        end_rest(&mut transaction, endpoint, Failures::Kept).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Queues the team's events of a time span that the endpoint wants and never received, the oldest first. If the
    /// span covers everything since the first skipped event and was not cut short, none of the skipped ones is missing
    /// afterwards.
    pub async fn replay(
        &self,
        team: &TeamId,
        endpoint: EndpointId,
        span: &ReplaySpan,
        now: Instant,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let sql = format!(
            "WITH told AS ({TOLD} WHERE e.team = $1 AND e.occurred_at >= $3 AND e.occurred_at < COALESCE($4, 'infinity'))
             INSERT INTO webhook_deliveries (team, event, endpoint, lane, next_attempt_at)
             SELECT told.team, told.seq, w.id, CASE WHEN w.ordered THEN told.image_cache END, $5
             FROM told JOIN webhook_endpoints w ON w.team = told.team
             WHERE w.id = $2 AND NOT w.deleted AND {WANTS}
               AND NOT EXISTS (SELECT FROM webhook_deliveries d
                   WHERE d.team = told.team AND d.event = told.seq AND d.endpoint = w.id)
             ORDER BY told.seq LIMIT $6
             ON CONFLICT (team, event, endpoint) DO NOTHING"
        );
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(endpoint.uuid())
            .bind(span.since)
            .bind(span.until)
            .bind(now)
            .bind(span.most)
            .execute(&mut *transaction)
            .await?;
        if span.until.is_none() && i64::try_from(done.rows_affected()).is_ok_and(|count| count < span.most) {
            backlog::forget_passed_over(&mut transaction, endpoint, span.since).await?;
        }
        end_rest(&mut transaction, endpoint, Failures::Kept).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}
