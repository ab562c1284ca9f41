//! Recording how attempts ended: all that ended meanwhile, in one statement.

use chrono::Duration;
use sqlx::FromRow;
use uuid::Uuid;

use super::Stamp;
use crate::domain::caller::TeamId;
use crate::domain::clock::Instant;
use crate::domain::health::Failing;
use crate::domain::ids::{DeliveryId, EndpointId};
use crate::store::rows::word;
use crate::store::{Error, Store};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Which delivery.
    pub id: DeliveryId,
    /// The claim's worker and attempt: without them nothing is written.
    pub worker: Uuid,
    /// Which attempt.
    pub attempt: i16,
    /// The endpoint's revision as it was read for the attempt. If somebody acted upon the endpoint since, how the
    /// attempt ended says nothing about the endpoint any more.
    pub revision: i64,
    /// `delivered`, `failed`, `gone` or `refused`.
    pub outcome: &'static str,
    /// The number of the state that it goes to.
    pub state: i16,
    /// When it is due again, if it waits.
    pub next_attempt_at: Option<Instant>,
    /// Until when the whole endpoint rests.
    pub pause_until: Option<Instant>,
    /// Before that, the endpoint's rate lets nothing go.
    pub free_at: Option<Instant>,
    /// The HTTP status.
    pub http_status: Option<i16>,
    /// How long it took.
    pub duration: Duration,
    /// Where it went.
    pub remote: Option<std::net::IpAddr>,
    /// The first bytes of what came back.
    pub response: Vec<u8>,
    /// A coarse word of what went wrong.
    pub error: Option<&'static str>,
}

/// An endpoint that does not do well.
#[derive(Debug, Clone)]
pub struct Ailing {
    /// Whose.
    pub team: TeamId,
    /// Which.
    pub endpoint: EndpointId,
    /// Its failures, as they are now.
    pub failing: Failing,
    /// Whether it has just answered that it wants nothing more.
    pub gone: bool,
    /// Of which revision this is true.
    pub revision: i64,
}

#[derive(FromRow)]
struct AilingRow {
    team: String,
    endpoint: Uuid,
    consecutive_failures: i32,
    first_failure_at: Stamp,
    warned: bool,
    gone: bool,
    revision: i64,
}

impl AilingRow {
    fn read(self) -> Result<Ailing, Error> {
        let failing =
            Failing { failures: self.consecutive_failures, since: self.first_failure_at, warned: self.warned };
        let team = word(self.team.parse().ok(), "webhook_endpoints", "team")?;
        Ok(Ailing { team, endpoint: self.endpoint.into(), failing, gone: self.gone, revision: self.revision })
    }
}

impl Store {
    /// Records how attempts ended, each guarded by its worker and number. Returns the endpoints that fail.
    pub async fn finish_deliveries(&self, now: Instant, finished: &[Finished]) -> Result<Vec<Ailing>, Error> {
        let column = |of: fn(&Finished) -> Option<String>| finished.iter().map(of).collect::<Vec<_>>();
        let time = |of: fn(&Finished) -> Option<Instant>| finished.iter().map(of).collect::<Vec<_>>();
        let milliseconds = |end: &Finished| i32::try_from(end.duration.num_milliseconds()).unwrap_or(i32::MAX);
        let rows: Vec<AilingRow> = sqlx::query_as(FINISH)
            .bind(now)
            .bind(finished.iter().map(|end| end.id.uuid()).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.worker).collect::<Vec<_>>())
            .bind(finished.iter().map(|end| end.attempt).collect::<Vec<_>>())
            .bind(column(|end| Some(end.outcome.to_owned())))
            .bind(finished.iter().map(|end| end.state).collect::<Vec<_>>())
            .bind(time(|end| end.next_attempt_at))
            .bind(time(|end| end.pause_until))
            .bind(time(|end| end.free_at))
            .bind(finished.iter().map(|end| end.http_status).collect::<Vec<_>>())
            .bind(finished.iter().map(milliseconds).collect::<Vec<_>>())
            .bind(column(|end| end.remote.map(|address| address.to_string())))
            .bind(finished.iter().map(|end| end.response.clone()).collect::<Vec<_>>())
            .bind(column(|end| end.error.map(str::to_owned)))
            .bind(finished.iter().map(|end| end.revision).collect::<Vec<_>>())
            .fetch_all(&self.workers)
            .await?;
        rows.into_iter().map(AilingRow::read).collect()
    }
}

/// $1 now, then one array for each field of [`Finished`].
const FINISH: &str = "
    WITH ends AS (
        -- Behind OFFSET 0 the planner does not see how many they are. Of 500 it would think that reading the whole table
        -- is cheaper than looking each up, until the table is large; which costs several times the rest.
        SELECT t.* FROM (SELECT $2::uuid[] AS a, $3::uuid[] AS b, $4::smallint[] AS c, $5::text[] AS d, $6::smallint[] AS e,
                $7::timestamptz[] AS f, $8::timestamptz[] AS g, $9::timestamptz[] AS h, $10::smallint[] AS i, $11::int[] AS j,
                $12::text[] AS k, $13::bytea[] AS l, $14::text[] AS m, $15::bigint[] AS n OFFSET 0) v
            CROSS JOIN LATERAL unnest(v.a, v.b, v.c, v.d, v.e, v.f, v.g, v.h, v.i, v.j, v.k, v.l, v.m, v.n)
                AS t (id, worker, number, outcome, state, next_at, pause_until, free_at, status, ms, remote, response, error, revision)),
    done AS (
        UPDATE webhook_deliveries d SET state = ends.state, next_attempt_at = COALESCE(ends.next_at, d.next_attempt_at),
            finished_at = CASE WHEN ends.state = 0 THEN NULL ELSE $1 END, lease_token = NULL, lease_until = NULL,
            leased_at = NULL, last_http_status = ends.status, last_error = ends.error
        -- By their ids and by nothing else: `state = 1` as it stands would offer the index of what is in hand, which
        -- looks next to empty to the statistics whenever they are taken in a quiet moment, and is then read row by end.
        FROM ends WHERE d.id = ends.id AND d.state::int = 1 AND d.lease_token = ends.worker AND d.attempts = ends.number
        RETURNING d.id, d.endpoint, d.attempts, ends.outcome, ends.pause_until, ends.free_at, ends.status, ends.ms,
            ends.remote, ends.response, ends.error, ends.revision),
    noted AS (
        INSERT INTO delivery_attempts (delivery, number, outcome, http_status, duration_ms, remote_address, response_excerpt, error, at)
        SELECT id, attempts, outcome, status, ms, remote, NULLIF(response, ''), error, $1 FROM done),
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
    FROM counted c JOIN webhook_endpoints w ON w.id = c.endpoint WHERE c.first_failure_at IS NOT NULL";
