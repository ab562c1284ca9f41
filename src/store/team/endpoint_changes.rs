//! Changes of an existing webhook endpoint: updated, paused and rotated by a person; warned about and disabled by the
//! gateway. Each is one transaction with its audit entry, and its event if there is one.

use crate::store::writes::events;
use std::sync::LazyLock;

use uuid::Uuid;

use super::backlog;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;
use crate::domain::webhooks::endpoint::{Endpoint, PENDING};
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::database::pool::PooledConnection;
use crate::store::input::{About, NewEvent};
use crate::store::rows::{EndpointRow, EndpointToWrite};
use crate::store::writes::audit_entries;
use crate::store::{Store, StoreError};

/// The new state of an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointWrite {
    /// The endpoint, with the version that the row must still have.
    pub endpoint: Endpoint,
    /// New headers, encrypted; `None` leaves them as they are, an empty value removes them.
    pub headers: Option<Vec<u8>>,
    /// New keys, encrypted; `None` leaves them as they are.
    pub secret: Option<Vec<u8>>,
    /// Whether the previous keys sign beside them until `old_secret_until`.
    pub rotate: bool,
    /// Its new URL, encrypted, if the URL changes: failures of the old one then no longer count.
    pub moved: Option<Vec<u8>>,
}

/// Whether an endpoint receives its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabling {
    /// It receives those that wait, and those to come.
    On,
    /// It receives none, and only a limited number may wait.
    Off {
        /// The most events that may wait; further ones are skipped.
        most_waiting: i64,
    },
}

/// What happens to an endpoint's failures when a person changes it. A pause ends in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Failures {
    /// They still count: the next failure may pause it again.
    Kept,
    /// They are cleared, as if it had never failed.
    Forgotten,
}

/// Ends every pause of an endpoint, and tells all deliverers that what they remember of it is outdated.
pub(in crate::store) async fn end_rest(
    connection: &mut PooledConnection,
    id: EndpointId,
    failures: Failures,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_endpoint_state SET epoch = epoch + 1, paused_until = NULL, free_at = NULL,
             consecutive_failures = CASE WHEN $2 THEN 0 ELSE consecutive_failures END,
             first_failure_at = CASE WHEN $2 THEN NULL ELSE first_failure_at END,
             warned_at = CASE WHEN $2 THEN NULL ELSE warned_at END
         WHERE endpoint = $1",
    )
    .bind(id.uuid())
    .bind(failures == Failures::Forgotten)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes everything that waits for an endpoint due.
async fn make_due(connection: &mut PooledConnection, id: EndpointId, now: Instant) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries SET next_attempt_at = $2 WHERE endpoint = $1 AND state = 0 AND next_attempt_at > $2",
    )
    .bind(id.uuid())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Writes an endpoint as a person wants it. `false` if it is gone, or was changed in the meantime.
    pub async fn change_endpoint(&self, write: &EndpointWrite, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !update(&mut transaction, write).await? {
            return Ok(false);
        }
        set_lanes(&mut transaction, &write.endpoint).await?;
        if write.moved.is_some() {
            make_due(&mut transaction, write.endpoint.id, entry.at).await?;
        }
        if !write.endpoint.platform {
            cancel_platform(&mut transaction, write.endpoint.id, entry.at).await?;
        }
        let failures = if write.moved.is_some() { Failures::Forgotten } else { Failures::Kept };
        end_rest(&mut transaction, write.endpoint.id, failures).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Enables a pending endpoint that was verified in its networks. `false` if it is gone, or was changed or verified
    /// in the meantime.
    pub async fn verify_endpoint(&self, endpoint: &Endpoint, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET enabled = true, disabled_reason = NULL, version = version + 1,
                 verified_networks = $5
             WHERE team = $1 AND id = $2 AND version = $3 AND disabled_reason = $4 AND NOT deleted",
        )
        .bind(endpoint.team.as_str())
        .bind(endpoint.id.uuid())
        .bind(endpoint.version)
        .bind(PENDING)
        .bind(&endpoint.verified_networks)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        end_rest(&mut transaction, endpoint.id, Failures::Forgotten).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Pauses or resumes an endpoint; a resumed one starts as if it had never failed. `false` if there is none.
    pub async fn enable_endpoint(
        &self,
        team: &TeamId,
        id: EndpointId,
        enabling: Enabling,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let enabled = enabling == Enabling::On;
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET enabled = $3, disabled_reason = CASE WHEN NOT $3 THEN 'paused' END, version = version + 1
             WHERE team = $1 AND id = $2 AND NOT deleted AND disabled_reason IS DISTINCT FROM $4",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(enabled)
        .bind(PENDING)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        match enabling {
            Enabling::On => make_due(&mut transaction, id, entry.at).await?,
            Enabling::Off { most_waiting } => backlog::bound(&mut transaction, id, most_waiting).await?,
        }
        let failures = if enabled { Failures::Forgotten } else { Failures::Kept };
        end_rest(&mut transaction, id, failures).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Records a warning that an endpoint is failing, once for each series of failures.
    pub async fn warn_of_endpoint(&self, team: &TeamId, id: EndpointId, event: &NewEvent) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoint_state SET warned_at = $2
             WHERE endpoint = $1 AND warned_at IS NULL AND first_failure_at IS NOT NULL",
        )
        .bind(id.uuid())
        .bind(event.at)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        events::insert(&mut transaction, About::Endpoint(team, id), event).await?;
        transaction.commit().await?;
        event.dispatch.committed();
        Ok(true)
    }

    /// Disables an endpoint and records that. `false` if it was disabled already, or somebody has changed it since
    /// `revision`: the failures are then outdated.
    pub async fn disable_endpoint(
        &self,
        team: &TeamId,
        (id, revision): (EndpointId, i64),
        (reason, most_waiting): (&'static str, i64),
        event: &NewEvent,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoints SET enabled = false, disabled_reason = $3, version = version + 1
             WHERE team = $1 AND id = $2 AND enabled
               AND version + (SELECT epoch FROM webhook_endpoint_state WHERE endpoint = $2) = $4",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(reason)
        .bind(revision)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        end_rest(&mut transaction, id, Failures::Kept).await?;
        backlog::bound(&mut transaction, id, most_waiting).await?;
        events::insert(&mut transaction, About::Endpoint(team, id), event).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        event.dispatch.committed();
        Ok(true)
    }

    /// The encrypted secret, the previous one while it is valid at `now`, and the headers.
    pub async fn endpoint_secrets(
        &self,
        team: &TeamId,
        id: EndpointId,
        now: Instant,
    ) -> Result<Option<(Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>)>, StoreError> {
        let row = sqlx::query_as(
            "SELECT secret, CASE WHEN old_secret_until > $3 THEN old_secret END, headers FROM webhook_endpoints
             WHERE team = $1 AND id = $2 AND NOT deleted",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(now)
        .fetch_optional(&self.requests)
        .await?;
        Ok(row)
    }
}

/// $1: whether the current secret becomes the old one.
static CHANGE: LazyLock<String> = LazyLock::new(|| {
    let change = Numbers::beginning_after(1).one::<EndpointRow>(ColumnSet::All);
    let set = EndpointRow::set(EndpointRow::PLAIN, EndpointRow::FOUND_BY);
    format!(
        "UPDATE webhook_endpoints w SET version = w.version + 1, {set},
            url = CASE WHEN n.url_sealed IS NULL THEN w.url
                WHEN (SELECT plain_beside FROM webhook_url_storage) THEN n.url ELSE n.placeholder END,
            url_sealed = COALESCE(n.url_sealed, w.url_sealed),
            verified_networks = CASE WHEN n.url_sealed IS NULL THEN w.verified_networks ELSE n.verified_networks END,
            headers = NULLIF(COALESCE(n.headers, w.headers), ''),
            old_secret = CASE WHEN $1 THEN w.secret ELSE w.old_secret END, secret = COALESCE(n.secret, w.secret),
            platform = w.platform AND n.platform
        FROM {change} WHERE w.team = n.team AND w.id = n.id AND w.version = n.version AND NOT w.deleted"
    )
});

async fn update(connection: &mut PooledConnection, write: &EndpointWrite) -> Result<bool, StoreError> {
    let change = EndpointToWrite {
        endpoint: &write.endpoint,
        url: write.moved.as_deref(),
        secret: write.secret.as_deref(),
        headers: write.headers.as_deref(),
    };
    let parameters = StatementParameters::default().with(write.rotate).one::<EndpointRow>(ColumnSet::All, &change);
    Ok(parameters.query(&CHANGE)?.execute(connection).await?.rows_affected() == 1)
}

/// Cancels waiting platform events for teams that may no longer see them.
async fn cancel_platform(
    connection: &mut PooledConnection,
    endpoint: EndpointId,
    at: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries d SET state = 4, finished_at = $2 FROM events e
         WHERE d.endpoint = $1 AND d.state = 0 AND e.seq = d.event AND e.type LIKE 'platform.%'",
    )
    .bind::<Uuid>(endpoint.uuid())
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts what waits into lanes, or takes it out of them, as the endpoint wants from now on.
async fn set_lanes(connection: &mut PooledConnection, endpoint: &Endpoint) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE webhook_deliveries d SET lane = CASE WHEN $2 THEN e.image_cache END FROM events e
         WHERE d.endpoint = $1 AND d.state = 0 AND e.seq = d.event
           AND d.lane IS DISTINCT FROM CASE WHEN $2 THEN e.image_cache END",
    )
    .bind::<Uuid>(endpoint.id.uuid())
    .bind(endpoint.options.ordered)
    .execute(connection)
    .await?;
    Ok(())
}
