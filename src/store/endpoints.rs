//! One team's webhook endpoints.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Error, Store, audit_insert};
use crate::domain::audit::AuditEntry;
use crate::domain::caller::TeamId;
use crate::domain::event::EventType;
use crate::domain::ids::EndpointId;
use crate::domain::webhook::{Endpoint, MAX_ENDPOINTS};

#[derive(FromRow)]
struct EndpointRow {
    id: Uuid,
    team: String,
    url: String,
    description: Option<String>,
    event_types: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = Error;

    fn try_from(row: EndpointRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id.into(),
            team: super::rows::word(row.team.parse().ok(), "webhook_endpoints", "team")?,
            url: row.url,
            description: row.description,
            // A type that a later version knows is not this binary's to refuse.
            event_types: row.event_types.iter().filter_map(|name| EventType::from_name(name)).collect(),
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            created_at: row.created_at,
        })
    }
}

impl Store {
    /// Adds an endpoint with its encrypted secret. `false`: the team has [`MAX_ENDPOINTS`] already.
    pub async fn add_endpoint(&self, endpoint: &Endpoint, secret: &[u8], entry: &AuditEntry) -> Result<bool, Error> {
        let mut transaction = self.requests.begin().await?;
        // One team's additions queue up, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || $1, 0))")
            .bind(endpoint.team.as_str())
            .execute(&mut *transaction)
            .await?;
        let names: Vec<&str> = endpoint.event_types.iter().map(|kind| kind.as_str()).collect();
        let done = sqlx::query(
            "INSERT INTO webhook_endpoints (id, team, url, description, event_types, secret, created_at)
             SELECT $1, $2, $3, $4, $5, $6, $7
             WHERE (SELECT count(*) FROM webhook_endpoints WHERE team = $2 AND NOT deleted) < $8",
        )
        .bind(endpoint.id.uuid())
        .bind(endpoint.team.as_str())
        .bind(&endpoint.url)
        .bind(&endpoint.description)
        .bind(names)
        .bind(secret)
        .bind(endpoint.created_at)
        .bind(MAX_ENDPOINTS)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO webhook_endpoint_state (endpoint) VALUES ($1)")
            .bind(endpoint.id.uuid())
            .execute(&mut *transaction)
            .await?;
        audit_insert::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One endpoint of the team.
    pub async fn endpoint(&self, team: &TeamId, id: EndpointId) -> Result<Option<Endpoint>, Error> {
        let row: Option<EndpointRow> =
            sqlx::query_as("SELECT * FROM webhook_endpoints WHERE team = $1 AND id = $2 AND NOT deleted")
                .bind(team.as_str())
                .bind(id.uuid())
                .fetch_optional(&self.requests)
                .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Up to `limit` endpoints of the team, newest first, older than `before`.
    pub async fn endpoints(&self, team: &TeamId, before: Option<Uuid>, limit: i64) -> Result<Vec<Endpoint>, Error> {
        let rows: Vec<EndpointRow> = sqlx::query_as(
            "SELECT * FROM webhook_endpoints WHERE team = $1 AND NOT deleted AND ($2::uuid IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3",
        )
        .bind(team.as_str())
        .bind(before)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Removes an endpoint: its secret is wiped and what waits for it is cancelled. `false`: there is none.
    pub async fn remove_endpoint(&self, team: &TeamId, id: EndpointId, entry: &AuditEntry) -> Result<bool, Error> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET deleted = true, enabled = false, secret = ''
             WHERE team = $1 AND id = $2 AND NOT deleted",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE webhook_deliveries SET state = 4, finished_at = $3 WHERE team = $1 AND endpoint = $2 AND state = 0",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(entry.at)
        .execute(&mut *transaction)
        .await?;
        audit_insert::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
