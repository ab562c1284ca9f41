//! Records how attempts ended: all that ended since the last time, in one statement.

use std::sync::LazyLock;

use chrono::Duration;
use sqlx::FromRow;
use uuid::Uuid;

use super::DatabaseTime;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::domain::webhooks::health::Failing;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _, table};
use crate::store::values::word;
use crate::store::{Store, StoreError};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The delivery that was attempted.
    pub id: DeliveryId,
    /// The worker that claimed it. Nothing is written unless worker and attempt still match.
    pub worker: Uuid,
    /// The number of the attempt.
    pub attempt: i16,
    /// The endpoint's revision as it was read for the attempt. If somebody has changed the endpoint since, the outcome
    /// says nothing about the endpoint any more.
    pub revision: i64,
    /// `delivered`, `failed`, `gone` or `refused`.
    pub outcome: &'static str,
    /// The number of the delivery's new state.
    pub state: i16,
    /// When it is due again, if it waits.
    pub next_attempt_at: Option<Instant>,
    /// The time until which the whole endpoint is paused.
    pub pause_until: Option<Instant>,
    /// The time before which the endpoint's rate limit allows nothing.
    pub free_at: Option<Instant>,
    /// The HTTP status of the answer, if there was one.
    pub http_status: Option<i16>,
    /// How long it took.
    pub duration: Duration,
    /// The address that it was sent to.
    pub remote: Option<std::net::IpAddr>,
    /// The first bytes of the answer.
    pub response: Vec<u8>,
    /// A coarse name of the error, if there was one.
    pub error: Option<&'static str>,
}

/// An endpoint that is failing.
#[derive(Debug, Clone)]
pub struct FailingEndpoint {
    /// The team that owns the endpoint.
    pub team: TeamId,
    /// The endpoint's id.
    pub endpoint: EndpointId,
    /// Its failures, as they are now.
    pub failing: Failing,
    /// Whether it has just answered that it wants no more deliveries.
    pub gone: bool,
    /// The revision for which this is true.
    pub revision: i64,
}

#[derive(FromRow)]
struct FailingEndpointRow {
    team: String,
    endpoint: Uuid,
    consecutive_failures: i32,
    first_failure_at: DatabaseTime,
    warned: bool,
    gone: bool,
    revision: i64,
}

impl FailingEndpointRow {
    fn read(self) -> Result<FailingEndpoint, StoreError> {
        let failing =
            Failing { failures: self.consecutive_failures, since: self.first_failure_at, warned: self.warned };
        let team = word(self.team.parse().ok(), "webhook_endpoints", "team")?;
        Ok(FailingEndpoint { team, endpoint: self.endpoint.into(), failing, gone: self.gone, revision: self.revision })
    }
}

impl Store {
    /// Records how attempts ended, each guarded by its worker and number. Returns the endpoints that are failing.
    pub async fn finish_deliveries(
        &self,
        now: Instant,
        finished: &[Finished],
    ) -> Result<Vec<FailingEndpoint>, StoreError> {
        let all: Vec<&Finished> = finished.iter().collect();
        let rows = StatementParameters::default().with(now).many::<Attempts>(ColumnSet::All, &all).query(&FINISH)?;
        let rows = rows.fetch_all(&self.workers).await?;
        rows.iter().map(|row| FailingEndpointRow::from_row(row)?.read()).collect()
    }
}

/// The table `delivery_attempts` and the values that come with its rows.
struct Attempts;

impl Attempts {
    /// The columns of the table itself.
    const NOTED: ColumnSet = ColumnSet::But(&["worker", "revision", "state", "next_at", "pause_until", "free_at"]);
}

table! {
    impl Attempts of "delivery_attempts" written from |end: &'a Finished| {
        delivery: Uuid = end.id.uuid(),
        number: i16 = end.attempt,
        outcome: String = end.outcome,
        http_status: i16 = end.http_status,
        duration_ms: i32 = i32::try_from(end.duration.num_milliseconds()).unwrap_or(i32::MAX),
        remote_address: String = end.remote.map(|address| address.to_string()),
        response_excerpt: Vec<u8> = end.response.as_slice() => "NULLIF(n.response_excerpt, '')",
        error: String = end.error,
        at: Instant => "$1",
        worker: Uuid = end.worker,
        revision: i64 = end.revision,
        state: i16 = end.state,
        next_at: Instant = end.next_attempt_at,
        pause_until: Instant = end.pause_until,
        free_at: Instant = end.free_at,
    }
}

/// $1 is now.
static FINISH: LazyLock<String> = LazyLock::new(|| {
    let (ends, note) = (Numbers::beginning_after(1).few::<Attempts>(ColumnSet::All), Attempts::insert(Attempts::NOTED));
    format!(
        "WITH ends AS (SELECT * FROM {ends}),
    done AS (
        UPDATE webhook_deliveries d SET state = ends.state, next_attempt_at = COALESCE(ends.next_at, d.next_attempt_at),
            finished_at = CASE WHEN ends.state = 0 THEN NULL ELSE $1 END, lease_token = NULL, lease_until = NULL,
            leased_at = NULL, last_http_status = ends.http_status, last_error = ends.error
        -- By their ids and by nothing else: `state = 1` as it stands would offer the index of what is in hand, which
        -- looks next to empty to the statistics whenever they are taken in a quiet moment, and is then read row by end.
        FROM ends WHERE d.id = ends.delivery AND d.state::int = 1 AND d.lease_token = ends.worker
            AND d.attempts = ends.number
        RETURNING ends.*, d.endpoint),
    noted AS ({note} FROM done n),
    health AS (
        SELECT endpoint, bool_or(outcome = 'delivered') AS good, count(*) FILTER (WHERE outcome <> 'delivered') AS bad,
            max(pause_until) AS pause_until, max(free_at) AS free_at, bool_or(outcome = 'gone') AS gone, revision
        FROM done GROUP BY endpoint, revision),
    counted AS (
        UPDATE webhook_endpoint_state s SET
            consecutive_failures = CASE WHEN h.good THEN 0 ELSE s.consecutive_failures + h.bad END,
            first_failure_at = CASE WHEN h.good THEN NULL ELSE COALESCE(s.first_failure_at, $1) END,
            warned_at = CASE WHEN h.good THEN NULL ELSE s.warned_at END,
            last_success_at = CASE WHEN h.good THEN $1 ELSE s.last_success_at END,
            paused_until = GREATEST(s.paused_until, h.pause_until), free_at = GREATEST(s.free_at, h.free_at)
        FROM health h JOIN webhook_endpoints w ON w.id = h.endpoint
        WHERE s.endpoint = h.endpoint AND w.version + s.epoch = h.revision
          -- One success after the other is worth a write a minute: this row is hot.
          AND (h.bad > 0 OR h.free_at IS NOT NULL OR s.consecutive_failures > 0
               OR s.last_success_at IS NULL OR s.last_success_at < $1 - interval '1 minute')
        RETURNING s.endpoint, s.consecutive_failures, s.first_failure_at, s.warned_at, h.gone, h.revision)
    SELECT w.team, c.endpoint, c.consecutive_failures, c.first_failure_at, c.warned_at IS NOT NULL AS warned, c.gone, c.revision
    FROM counted c JOIN webhook_endpoints w ON w.id = c.endpoint WHERE c.first_failure_at IS NOT NULL"
    )
});
