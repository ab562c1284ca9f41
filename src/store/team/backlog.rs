//! Limits how much may wait for an endpoint that is not enabled: further events are skipped and counted, so that one
//! team cannot fill the disk. They are not lost: a replay delivers them, as long as events are kept.
//!
//! The limit is an event number: events up to it are queued. It is computed when an endpoint is disabled and again by
//! the janitor, so no transaction with an event has to count or wait for another one. Event numbers are shared by all
//! teams, so the limit is never exceeded, and may be reached early if there are many other events; the next count
//! corrects that.
//!
//! Whoever disables an endpoint calls it, and so does the janitor. [`crate::store::writes::dispatch`] respects the
//! limit.

use crate::domain::clock::Instant;
use crate::domain::ids::EndpointId;
use crate::store::database::pool::PooledConnection;
use crate::store::{Store, StoreError};

/// How many endpoints one pass of the janitor counts.
const COUNTED: i64 = 50;

/// The last number that was given to an event, or after which a life of the database started.
const LAST: &str = "GREATEST((SELECT max(seq) FROM events), (SELECT max(seq) FROM events_removed), (SELECT max(first_seq) FROM feed_lives))";
/// What waits for the endpoint `w`, counted up to $1; and the number up to which events are queued for it, after
/// [`LAST`].
const BOUND: &str = "$1 - (
        SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.state = 0 LIMIT $1) waiting)";

/// Counts what waits for an endpoint that is being disabled, of which at most `most` may wait.
pub(in crate::store) async fn bound(
    connection: &mut PooledConnection,
    id: EndpointId,
    most: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE webhook_endpoint_state s SET queue_until = {LAST} + {BOUND} FROM webhook_endpoints w
         WHERE s.endpoint = $2 AND w.id = s.endpoint"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(most).bind(id.uuid()).execute(connection).await?;
    Ok(())
}

/// Clears the count of skipped events if all of them happened since `since`.
pub(in crate::store) async fn forget_passed_over(
    connection: &mut PooledConnection,
    id: EndpointId,
    since: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "WITH gone AS (DELETE FROM webhook_passed_over WHERE endpoint = $1 AND since >= $2)
         UPDATE webhook_endpoint_state SET passed_over = 0, passed_over_since = NULL
         WHERE endpoint = $1 AND passed_over_since >= $2",
    )
    .bind(id.uuid())
    .bind(since)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// How many more may be queued for an endpoint, if `most` may wait while it is not enabled; `None` if it is
    /// enabled.
    pub async fn backlog_room(&self, id: EndpointId, most: i64) -> Result<Option<i64>, StoreError> {
        let room: Option<Option<i64>> = sqlx::query_scalar(
            "SELECT CASE WHEN NOT w.enabled THEN GREATEST($2 - (
                 SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.state = 0), 0) END
             FROM webhook_endpoints w WHERE w.id = $1",
        )
        .bind(id.uuid())
        .bind(most)
        .fetch_optional(&self.requests)
        .await?;
        Ok(room.flatten())
    }

    /// Counts again what waits for endpoints that are not enabled and have used up half of their limit; if there are
    /// many, for a random selection. Adds up what was skipped.
    pub async fn count_backlogs(&self, most: i64) -> Result<(), StoreError> {
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT s.endpoint FROM webhook_endpoint_state s JOIN webhook_endpoints w ON w.id = s.endpoint
                 WHERE NOT w.enabled AND NOT w.deleted AND (s.queue_until IS NULL
                     OR s.queue_until - {LAST} <= $1 / 2)
                 ORDER BY random() LIMIT $2)
             UPDATE webhook_endpoint_state s SET queue_until = {LAST} + {BOUND} FROM webhook_endpoints w
             WHERE w.id = s.endpoint AND s.endpoint IN (SELECT endpoint FROM due) AND NOT w.enabled"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(most).bind(COUNTED).execute(&self.workers).await?;
        sqlx::query(
            "WITH part AS (
                 DELETE FROM webhook_passed_over WHERE ctid IN (SELECT ctid FROM webhook_passed_over LIMIT 10000 FOR UPDATE SKIP LOCKED)
                 RETURNING endpoint, since, events),
             sums AS (SELECT endpoint, min(since) AS since, sum(events) AS events FROM part GROUP BY endpoint)
             UPDATE webhook_endpoint_state s SET passed_over = s.passed_over + sums.events,
                 passed_over_since = LEAST(s.passed_over_since, sums.since)
             FROM sums WHERE s.endpoint = sums.endpoint",
        )
        .execute(&self.workers)
        .await?;
        Ok(())
    }
}
