//! One team's webhook endpoints: added, read, deleted. [`super::endpoint_changes`] has the other changes by people.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::endpoint_changes::{Failures, end_rest};
use crate::domain::audit::AuditEntry;
use crate::domain::event::EventType;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;
use crate::domain::webhooks::endpoint::{Endpoint, EndpointHealth, EndpointOptions, EventFormat};
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::rows::{EndpointRow, EndpointToWrite};
use crate::store::unreadable::{self, Keyed};
use crate::store::writes::audit_entries;
use crate::store::{Store, StoreError};

#[derive(FromRow)]
struct StoredEndpointRow {
    #[sqlx(flatten)]
    own: EndpointRow,
    consecutive_failures: i32,
    first_failure_at: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    paused_until: Option<DateTime<Utc>>,
    passed_over: i64,
    passed_over_since: Option<DateTime<Utc>>,
}

impl Keyed for StoredEndpointRow {
    fn key(&self) -> String {
        self.own.key()
    }
}

/// An endpoint as it is stored.
#[derive(Debug, Clone)]
pub struct StoredEndpoint {
    /// The endpoint; its URL is used only if there is no encrypted one.
    pub endpoint: Endpoint,
    /// Its URL, encrypted.
    pub sealed_url: Option<Vec<u8>>,
}

impl TryFrom<StoredEndpointRow> for StoredEndpoint {
    type Error = StoreError;

    fn try_from(kept: StoredEndpointRow) -> Result<Self, StoreError> {
        let row = kept.own;
        let options = EndpointOptions {
            // An event type that only a later version knows is left out, and not an error.
            event_types: row.event_types.iter().filter_map(|name| EventType::from_name(name)).collect(),
            name_pattern: row.name_pattern,
            tags: row.tags.0,
            rate_per_second: row.rate_per_second,
            ordered: row.ordered,
            format: crate::store::values::word(EventFormat::from_word(&row.format), "webhook_endpoints", "format")?,
            timeout_seconds: row.timeout_seconds,
            retry_schedule: row.retry_schedule,
        };
        let health = EndpointHealth {
            consecutive_failures: kept.consecutive_failures,
            failing_since: kept.first_failure_at,
            last_success_at: kept.last_success_at,
            resting_until: kept.paused_until,
            passed_over: kept.passed_over,
            passed_over_since: kept.passed_over_since,
        };
        let endpoint = Endpoint {
            id: row.id.into(),
            team: crate::store::values::word(row.team.parse().ok(), "webhook_endpoints", "team")?,
            url: row.url.into(),
            description: row.description,
            options,
            header_names: row.header_names,
            verified_networks: row.verified_networks,
            public_key: row.public_key,
            old_secret_until: row.old_secret_until,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            health,
            created_at: row.created_at,
            version: row.version,
            platform: row.platform,
        };
        Ok(Self { endpoint, sealed_url: row.url_sealed })
    }
}

/// The encrypted values of an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointSecrets {
    /// Its signing keys.
    pub secret: Vec<u8>,
    /// Its custom headers, if it has any.
    pub headers: Option<Vec<u8>>,
    /// Its URL.
    pub url: Vec<u8>,
}

static READ: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, s.consecutive_failures, s.first_failure_at, s.last_success_at, s.paused_until,
        s.passed_over + COALESCE(p.events, 0) AS passed_over, LEAST(s.passed_over_since, p.since) AS passed_over_since
    FROM webhook_endpoints w JOIN webhook_endpoint_state s ON s.endpoint = w.id
        CROSS JOIN LATERAL (
            SELECT sum(events)::bigint AS events, min(since) AS since FROM webhook_passed_over WHERE endpoint = w.id) p
    WHERE w.team = $1 AND NOT w.deleted",
        EndpointRow::columns("w")
    )
});

/// $1: the most endpoints that a team may have.
static ADD: LazyLock<String> = LazyLock::new(|| {
    let new = Numbers::beginning_after(1).one::<EndpointRow>(ColumnSet::All);
    format!(
        "{} FROM {new} WHERE (SELECT count(*) FROM webhook_endpoints w WHERE w.team = n.team AND NOT w.deleted) < $1",
        EndpointRow::insert(EndpointRow::NEW)
    )
});

impl Store {
    /// Adds an endpoint with its encrypted secrets. `false` if the team already has `most`.
    pub async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        secrets: &EndpointSecrets,
        most: i64,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        // A team's additions wait for each other, so that two at once cannot both be the last that fits.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || $1, 0))")
            .bind(endpoint.team.as_str())
            .execute(&mut *transaction)
            .await?;
        let new = EndpointToWrite {
            endpoint,
            url: Some(&secrets.url),
            secret: Some(&secrets.secret),
            headers: secrets.headers.as_deref(),
        };
        let parameters = StatementParameters::default().with(most).one::<EndpointRow>(ColumnSet::All, &new);
        let done = parameters.query(&ADD)?.execute(&mut *transaction).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("INSERT INTO webhook_endpoint_state (endpoint) VALUES ($1)")
            .bind(endpoint.id.uuid())
            .execute(&mut *transaction)
            .await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// One endpoint of the team.
    pub async fn endpoint(&self, team: &TeamId, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        let row: Option<StoredEndpointRow> = sqlx::query_as(AssertSqlSafe(format!("{} AND w.id = $2", *READ)))
            .bind(team.as_str())
            .bind(id.uuid())
            .fetch_optional(&self.requests)
            .await?;
        unreadable::alone(row)
    }

    /// Up to `limit` endpoints of the team, newest first, older than `before`.
    pub async fn endpoints(
        &self,
        team: &TeamId,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StoredEndpoint>, StoreError> {
        let read = |place: Option<Uuid>, wanted: i64| self.endpoint_rows(team, place.or(before), wanted);
        let convert = |row: StoredEndpointRow| unreadable::read(row.key(), row.try_into());
        unreadable::filled(limit, read, |row| row.own.id(), convert).await
    }

    async fn endpoint_rows(
        &self,
        team: &TeamId,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StoredEndpointRow>, StoreError> {
        let sql = format!("{} AND ($2::uuid IS NULL OR w.id < $2) ORDER BY w.id DESC LIMIT $3", *READ);
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(team.as_str()).bind(before).bind(limit);
        Ok(query.fetch_all(&self.requests).await?)
    }

    /// Deletes an endpoint: its secrets and its URL are wiped, and what waits for it is cancelled. `false` if there is
    /// none.
    pub async fn remove_endpoint(
        &self,
        team: &TeamId,
        id: EndpointId,
        version: Option<i64>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET deleted = true, enabled = false, secret = '', old_secret = NULL, headers = NULL,
                 url = COALESCE(substring(url FROM '^[^/]*//[^/?#]*'), ''), url_sealed = NULL, verified_networks = NULL,
                 version = version + 1, deleted_at = $3
             WHERE team = $1 AND id = $2 AND NOT deleted AND version = COALESCE($4, version)",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(entry.at)
        .bind(version)
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
        end_rest(&mut transaction, id, Failures::Kept).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
