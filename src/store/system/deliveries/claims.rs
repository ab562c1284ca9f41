//! Claims due deliveries: many at once, for whole teams, fairly.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::webhooks::health::CAREFUL_AFTER;
use crate::domain::webhooks::scheduler::EndpointCapacity;
use crate::store::claims::{AWAKE, COLUMNS, Claim, ClaimRow, forms};
use crate::store::unreadable::{self, Keyed as _};
use crate::store::{Store, StoreError};

/// The limits of a claim.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The most deliveries to claim.
    pub slots: usize,
    /// The most deliveries for an endpoint of which nothing is known.
    pub per_endpoint: usize,
    /// The most deliveries for each of the other endpoints.
    pub rooms: Vec<EndpointCapacity>,
}

#[derive(FromRow)]
struct ClaimedRow {
    #[sqlx(flatten)]
    row: ClaimRow,
    room: i64,
}

impl Store {
    /// Claims due deliveries of teams that this worker holds, or that nobody holds (which this worker then holds).
    /// Returns with each one how many could have been claimed for its endpoint, to tell whether there are more.
    pub async fn claim_deliveries(
        &self,
        now: Instant,
        worker: Uuid,
        bounds: &Bounds,
    ) -> Result<Vec<(Claim, usize)>, StoreError> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let rows: Vec<ClaimedRow> = sqlx::query_as(AssertSqlSafe(CLAIM.as_str()))
            .bind(worker)
            .bind(now)
            .bind(number(bounds.slots))
            .bind(number(bounds.per_endpoint))
            .bind(bounds.rooms.iter().map(|room| room.endpoint.uuid()).collect::<Vec<_>>())
            .bind(bounds.rooms.iter().map(|room| number(room.most)).collect::<Vec<_>>())
            .bind(CAREFUL_AFTER)
            .bind(bounds.rooms.iter().map(|room| room.revision).collect::<Vec<_>>())
            .fetch_all(&self.workers)
            .await?;
        // A delivery that cannot be read stays claimed until its worker notices that it lacks it.
        let read = |claimed: ClaimedRow| {
            let room = usize::try_from(claimed.room).unwrap_or(0);
            Some((unreadable::read(claimed.row.key(), claimed.row.of(worker))?, room))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

/// $1 worker, $2 now, $3 slots, $4 the limit for an unknown endpoint, $5, $6 and $8 the limits of the others and the
/// revisions that they are valid for, $7 the number of failures from which an endpoint is treated carefully.
static CLAIM: LazyLock<String> = LazyLock::new(|| {
    let forms = forms();
    format!(
        "WITH due AS MATERIALIZED (
            SELECT w.id, w.team, w.rate_per_second, s.consecutive_failures, w.version + s.epoch AS revision
            FROM webhook_endpoints w JOIN webhook_endpoint_state s ON s.endpoint = w.id
            -- Who is dead to the others takes nothing more.
            WHERE EXISTS (SELECT FROM webhook_workers a WHERE a.worker = $1 AND a.alive_until > clock_timestamp())
              -- What goes out in a form that only a later version knows is left to it.
              AND w.enabled AND w.format IN ({forms}) AND {AWAKE}
              AND (s.free_at IS NULL OR s.free_at <= $2 OR s.free_at > $2 + interval '2 seconds')
              AND EXISTS (SELECT FROM webhook_deliveries q WHERE q.endpoint = w.id AND q.state = 0 AND q.next_attempt_at <= $2)),
        -- A team whose worker is dead, or which has none, comes into our hands.
        held AS (
            INSERT INTO webhook_holders AS h (team, worker)
            SELECT d.team, $1::uuid FROM (SELECT DISTINCT team FROM due) d WHERE NOT EXISTS (
                SELECT FROM webhook_holders o JOIN webhook_workers a ON a.worker = o.worker
                WHERE o.team = d.team AND a.alive_until > clock_timestamp())
            ON CONFLICT (team) DO UPDATE SET worker = EXCLUDED.worker WHERE NOT EXISTS (
                SELECT FROM webhook_workers a WHERE a.worker = h.worker AND a.alive_until > clock_timestamp())
            RETURNING team),
        ours AS MATERIALIZED (
            SELECT due.*, LEAST(COALESCE(r.room, $4), due.rate_per_second,
                    CASE WHEN due.consecutive_failures >= $7 THEN 1 END) AS most,
                row_number() OVER (PARTITION BY due.team ORDER BY random()) AS turn
            -- What is remembered of an older revision no longer holds: such an endpoint is as one of which nothing is
            -- known.
            FROM due LEFT JOIN unnest($5::uuid[], $6::bigint[], $8::bigint[]) AS r (id, room, revision)
                ON r.id = due.id AND r.revision >= due.revision
            WHERE COALESCE(r.room, $4) > 0
              AND due.team IN (SELECT team FROM held UNION ALL SELECT team FROM webhook_holders WHERE worker = $1)),
        -- An equal share for each endpoint; where they are more than the slots, teams take turns.
        shares AS (
            SELECT id, LEAST(most, GREATEST(1, $3 / (SELECT count(*) FROM ours))) AS room FROM ours ORDER BY turn LIMIT $3),
        picked AS (
            SELECT q.place FROM shares CROSS JOIN LATERAL (
                SELECT d.ctid AS place FROM webhook_deliveries d
                WHERE d.endpoint = shares.id AND d.state = 0 AND d.next_attempt_at <= $2
                  -- Where order is wanted, only the first of an image cache goes.
                  AND (d.lane IS NULL OR NOT EXISTS (SELECT FROM webhook_deliveries p
                      WHERE p.endpoint = d.endpoint AND p.lane = d.lane AND p.event < d.event AND p.state IN (0, 1)))
                ORDER BY d.next_attempt_at, d.event LIMIT shares.room FOR UPDATE OF d SKIP LOCKED) q
            LIMIT $3),
        c AS (
            UPDATE webhook_deliveries d SET state = 1, attempts = d.attempts + 1, lease_token = $1, lease_until = NULL,
                leased_at = clock_timestamp()
            -- By their places: they are locked, so they do not move. By their ids, the planner would rather read the
            -- whole table than look up that many, until the table is large.
            WHERE d.ctid = ANY (ARRAY (SELECT place FROM picked))
            RETURNING d.id, d.attempts, d.team, d.event, d.endpoint)
        SELECT {COLUMNS}, shares.room FROM c JOIN shares ON shares.id = c.endpoint JOIN events e ON e.seq = c.event JOIN webhook_endpoints w ON w.id = c.endpoint
            JOIN webhook_endpoint_state s ON s.endpoint = c.endpoint
        ORDER BY c.event"
    )
});
