//! Writes one delivery for each endpoint that wants an event, and dispatches those that can go at once.
//!
//! If this process delivers for the team, a delivery is written as already claimed by it, and is passed on in memory as
//! soon as its transaction has committed, without another statement or pause. Everything else waits in the queue. For
//! an endpoint that is not enabled, only a limited number waits ([`crate::store::team::backlog`]); the others are
//! counted. What must stay true: nothing is dispatched before it is committed. What is committed but did not arrive
//! (because the answer of the commit was lost) is found by its worker, which compares what it holds with the database.

use crate::store::dispatch::Dispatch;
use crate::store::dispatch::WrittenDelivery;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;

use crate::domain::clock::Instant;
use crate::domain::webhooks::endpoint::PENDING;
use crate::store::StoreError;
use crate::store::claims::{AWAKE, COLUMNS, forms};
use crate::store::database::pool::PooledConnection;

/// Writes the deliveries of the events with these numbers, which share a way to the deliverer. Deliveries for a
/// disabled endpoint are written too, and are not claimed until it is enabled again.
pub(in crate::store) async fn enqueue(
    connection: &mut PooledConnection,
    events: &[i64],
    now: Instant,
    dispatch: &Dispatch,
) -> Result<(), StoreError> {
    let rows: Vec<WrittenDelivery> = sqlx::query_as(AssertSqlSafe(ENQUEUE.as_str()))
        .bind(events)
        .bind(now)
        .bind(dispatch.worker())
        .bind(dispatch.closed())
        .fetch_all(connection)
        .await?;
    tracing::debug!(events = events.len(), deliveries = rows.len(), "events recorded");
    dispatch.put(rows)
}

/// What must be known about an event to tell who wants it: its type, and the name and tags of its image cache, if it is
/// about one. Further conditions are on `e`.
pub(in crate::store) const TOLD: &str = "
    SELECT e.seq, e.team, e.type, e.image_cache, e.occurred_at, i.name,
        CASE WHEN e.image_cache IS NOT NULL THEN COALESCE(i.spec->'tags', '{}') END AS tags
    FROM events e LEFT JOIN image_caches i ON i.team = e.team AND i.id = e.image_cache";

/// Whether the endpoint `w` wants an event `told` ([`TOLD`]).
pub(in crate::store) const WANTS: &str = "
    (w.event_types = '{}' OR told.type = ANY (w.event_types))
    AND (w.platform OR told.type NOT LIKE 'platform.%')
    AND (told.name IS NULL OR w.name_like IS NULL OR told.name LIKE w.name_like)
    AND (told.tags IS NULL OR told.tags @> w.tags)";

/// Writes one delivery for each endpoint that wants an event `told`; they are called `c`. $2 is now, $3 the worker, $4
/// the closed endpoints.
pub(in crate::store) static DELIVERIES: LazyLock<String> = LazyLock::new(|| {
    let forms = forms();
    format!(
        "wanting AS (
            SELECT told.seq, told.occurred_at, w.id, w.team,
                w.enabled OR told.seq <= COALESCE(s.queue_until, told.seq) AS queued, CASE WHEN w.ordered THEN told.image_cache END AS lane,
                w.enabled AND w.format IN ({forms}) AND h.worker IS NOT NULL AND NOT w.id = ANY ($4::uuid[])
                    AND {AWAKE}
                    AND NOT (w.ordered AND EXISTS (SELECT FROM webhook_deliveries p
                        WHERE p.endpoint = w.id AND p.lane = told.image_cache AND p.state IN (0, 1))) AS at_once
            FROM told JOIN webhook_endpoints w ON w.team = told.team JOIN webhook_endpoint_state s ON s.endpoint = w.id
                LEFT JOIN webhook_holders h ON h.team = w.team AND h.worker = $3
            WHERE NOT w.deleted AND w.disabled_reason IS DISTINCT FROM '{PENDING}' AND {WANTS}),
        c AS (
            INSERT INTO webhook_deliveries (team, event, endpoint, lane, next_attempt_at, state, attempts, lease_token, leased_at)
            SELECT team, seq, id, lane, occurred_at, at_once::int, at_once::int, CASE WHEN at_once THEN $3::uuid END,
                CASE WHEN at_once THEN clock_timestamp() END
            FROM wanting WHERE queued
            RETURNING id, attempts, team, event, endpoint, state),
        passed_over AS (
            INSERT INTO webhook_passed_over (endpoint, since, events)
            SELECT id, min(occurred_at), count(*) FROM wanting WHERE NOT queued GROUP BY id)"
    )
});

/// Selects what was written after [`DELIVERIES`], for the events in that table.
pub(in crate::store) fn written(events: &str) -> String {
    format!(
        "SELECT {COLUMNS}, c.state, w.enabled AND {AWAKE} AS awake
        FROM c JOIN {events} e ON e.seq = c.event JOIN webhook_endpoints w ON w.id = c.endpoint
            JOIN webhook_endpoint_state s ON s.endpoint = c.endpoint"
    )
}

/// $1: the event numbers.
static ENQUEUE: LazyLock<String> = LazyLock::new(|| {
    let (deliveries, written) = (&*DELIVERIES, written("events"));
    format!("WITH told AS ({TOLD} WHERE e.seq = ANY ($1)), {deliveries} {written} ORDER BY c.event")
});
