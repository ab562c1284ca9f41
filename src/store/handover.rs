//! One delivery for each endpoint that wants an event, and the short way of those that can go at once.
//!
//! Where this process delivers for the team, a delivery is written as already in its hands, and goes over in memory
//! the moment its transaction has committed: no statement and no pause lie between. Everything else waits in the
//! queue. What must stay true: nothing is handed over before it is committed; and what is committed and did not
//! arrive (a commit whose answer was lost) is found by its worker, which compares what it holds with the database.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::Error;
use super::events::{About, NewEvent};
use super::rows::jsonb;
use super::unscoped::deliveries::{COLUMNS, Claim, ClaimRow};

/// Where handed-over deliveries come out.
#[derive(Debug)]
pub struct Outlet {
    /// To the deliverer of this process.
    pub to: mpsc::UnboundedSender<Vec<Claim>>,
    /// Wakes it for what waits in the queue.
    pub look: Notify,
}

/// How one event's deliveries get to the deliverer.
#[derive(Debug, Clone)]
pub struct HandOver {
    worker: Option<Uuid>,
    closed: Arc<Vec<Uuid>>,
    outlet: Arc<Outlet>,
    tray: Arc<Mutex<Tray>>,
}

/// What a transaction has written and not yet committed.
#[derive(Debug, Default)]
struct Tray {
    claims: Vec<Claim>,
    waiting: bool,
}

impl HandOver {
    /// To the deliverer `worker` of this process, or to the queue where there is none. Nothing is handed over for
    /// the endpoints in `closed`.
    pub fn new(worker: Option<Uuid>, closed: Arc<Vec<Uuid>>, outlet: Arc<Outlet>) -> Self {
        Self { worker, closed, outlet, tray: Arc::default() }
    }

    fn put(&self, tray: Tray) {
        *self.tray.lock().unwrap_or_else(PoisonError::into_inner) = tray;
    }

    /// The transaction has committed.
    pub(super) fn committed(&self) {
        let tray = std::mem::take(&mut *self.tray.lock().unwrap_or_else(PoisonError::into_inner));
        if !tray.claims.is_empty() {
            // If the deliverer has ended meanwhile, its worker is gone, too: others find what it held.
            let _ended = self.outlet.to.send(tray.claims);
        }
        if tray.waiting {
            self.outlet.look.notify_one();
        }
    }
}

#[derive(FromRow)]
struct Put {
    #[sqlx(flatten)]
    row: ClaimRow,
    state: i16,
    enabled: bool,
}

/// Writes the deliveries of an event. A disabled endpoint's wait, too: they are kept, and not claimed until it is
/// enabled again.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    about: About<'_>,
    seq: i64,
    event: &NewEvent,
) -> Result<(), Error> {
    let hand_over = &event.hand_over;
    let rows: Vec<Put> = sqlx::query_as(AssertSqlSafe(ENQUEUE.as_str()))
        .bind(about.team().as_str())
        .bind(event.at)
        .bind(seq)
        .bind(event.kind.as_str())
        .bind(about.cache().map(|cache| cache.id.uuid()))
        .bind(about.cache().map(|cache| &cache.spec.name))
        .bind(about.cache().map(|cache| jsonb(&cache.spec.tags)))
        .bind(hand_over.worker)
        .bind(&*hand_over.closed)
        .fetch_all(connection)
        .await?;
    tracing::debug!(event = %event.id, deliveries = rows.len(), "event recorded");
    let mut tray = Tray::default();
    for put in rows {
        match hand_over.worker {
            Some(worker) if put.state == 1 => tray.claims.push(put.row.of(worker)?),
            _ => tray.waiting |= put.enabled,
        }
    }
    hand_over.put(tray);
    Ok(())
}

/// Which endpoints want an event: $4 its type, $6 the name and $7 the tags of its image cache, if it is about one.
pub(super) const WANTS: &str = "
    (w.event_types = '{}' OR $4 = ANY (w.event_types)) AND ($6::text IS NULL OR w.name_like IS NULL OR $6 LIKE w.name_like)
    AND ($7::jsonb IS NULL OR w.tags = '{}' OR $7 @> w.tags)";

/// $1 team, $2 now, $3 event, $4 type, $5 image cache, $6 its name, $7 its tags, $8 worker, $9 closed endpoints.
static ENQUEUE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH wanting AS (
            SELECT w.id, w.team, CASE WHEN w.ordered THEN $5::uuid END AS lane,
                w.enabled AND h.worker IS NOT NULL AND NOT w.id = ANY ($9::uuid[])
                    AND (s.paused_until IS NULL OR s.paused_until <= $2)
                    AND NOT (w.ordered AND EXISTS (SELECT FROM webhook_deliveries p
                        WHERE p.endpoint = w.id AND p.lane = $5 AND p.state IN (0, 1))) AS at_once
            FROM webhook_endpoints w JOIN webhook_endpoint_state s ON s.endpoint = w.id
                LEFT JOIN webhook_holders h ON h.team = w.team AND h.worker = $8
            WHERE w.team = $1 AND NOT w.deleted AND {WANTS}),
        c AS (
            INSERT INTO webhook_deliveries (team, event, endpoint, lane, next_attempt_at, state, attempts, lease_token, leased_at)
            SELECT team, $3, id, lane, $2, at_once::int, at_once::int, CASE WHEN at_once THEN $8::uuid END,
                CASE WHEN at_once THEN clock_timestamp() END
            FROM wanting
            RETURNING id, attempts, team, event, endpoint, state)
        SELECT {COLUMNS}, c.state, w.enabled FROM c JOIN events e ON e.seq = c.event
            JOIN webhook_endpoints w ON w.id = c.endpoint JOIN webhook_endpoint_state s ON s.endpoint = c.endpoint"
    )
});
