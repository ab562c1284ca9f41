//! Batched ends of creates: operations, their last attempts, image caches, owed answers, transitions, answers for
//! idempotency keys, events, deliveries, audit entries, the tracker's groups.
//!
//! What must stay true: whatever [`crate::store::team::settle`] writes for one end, this writes for many; of an image
//! cache's row, whatever the outcome of a create may change (`domain::transition::change::created` and `refused`). For
//! an item that does not fit, nothing is written: everything depends on one list of those that fit, whose rows are
//! locked with it. Deliveries are dispatched only after the commit.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, Row as _};
use uuid::Uuid;

use super::unless_rolled_back;
use crate::domain::operation::OperationKind;
use crate::store::StoreError;
use crate::store::batch::BatchWork;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::database::pool::Pool;
use crate::store::dispatch::{Dispatch, WrittenDelivery};
use crate::store::input::Settlement;
use crate::store::rows::audit_entries::AuditRow;
use crate::store::rows::{EndedOperation, EventsTable, ImageCacheRow, NOTE_END, TransitionRow};
use crate::store::writes::audit_entries::{self, Stamp};
use crate::store::writes::changes::is_vanishing;
use crate::store::writes::dispatch::{self, DELIVERIES};

/// Whether it can be written in a batch.
pub(super) fn can_be_batched(settlement: &Settlement) -> bool {
    let write = &settlement.write;
    settlement.kind == OperationKind::Create
        && write.next.operation == settlement.operation
        && write.audit.is_some()
        && write.transition.as_ref().is_some_and(|transition| !is_vanishing(transition))
}

/// Writes ends of creates in batches, on a connection of its own.
pub(in crate::store) struct SettleBatch {
    pub(super) pool: Pool,
    pub(super) stamp: Stamp,
}

impl BatchWork for SettleBatch {
    type Item = Arc<Settlement>;
    /// Whether [`Owed::Sending`](crate::domain::operation::Owed::Sending) was written with it; `None` if it has to be
    /// settled alone.
    type Done = Option<bool>;

    async fn all(&self, ends: &[Arc<Settlement>]) -> Result<Vec<Option<bool>>, StoreError> {
        let mut ended = unless_rolled_back(self.pool.limited(self.write(&differing(ends))).await)?;
        // Of two ends of the same operation, only the first was written.
        Ok(ends.iter().map(|end| ended.remove(&end.operation.uuid())).collect())
    }
}

/// Without items that must not share a batch: those of the same image cache, or with another way to the deliverer,
/// because all deliveries go the way of the first.
fn differing(ends: &[Arc<Settlement>]) -> Vec<&Settlement> {
    let (mut caches, mut differing) = (HashSet::new(), Vec::<&Settlement>::with_capacity(ends.len()));
    for end in ends {
        let alike = same_way(dispatch(&differing), end.write.event.as_ref().map(|event| &event.dispatch));
        if caches.insert(end.write.next.id) && alike {
            differing.push(end);
        }
    }
    differing
}

fn dispatch<'a>(ends: &[&'a Settlement]) -> Option<&'a Dispatch> {
    ends.iter().find_map(|end| end.write.event.as_ref()).map(|event| &event.dispatch)
}

fn same_way(one: Option<&Dispatch>, other: Option<&Dispatch>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one.is_like(other))
}

/// The columns that the end of a create changes in its image cache, and those that find the row.
const OF_CREATE: ColumnSet = ColumnSet::Only(&[
    "id",
    "team",
    "version",
    "status",
    "generation",
    "sequence",
    "eci_cache_id",
    "container_group_id",
    "failure",
    "evidence",
    "misses",
    "updated_at",
    "ready_at",
]);

/// An item fits if its operation is held and its row has not changed. Rows that somebody else holds are not waited for.
/// Because these are locked, no item can be written in part; if one were, the statement would fail, so that nothing of
/// it stays. $1 are the answers of keys, $2 to $4 those of [`DELIVERIES`].
static SETTLE: LazyLock<String> = LazyLock::new(|| {
    let mut numbers = Numbers::beginning_after(4);
    let (event, look_at, owed) = (numbers.next(), numbers.next(), numbers.next());
    let ends = numbers.many::<EndedOperation>(ColumnSet::All);
    let caches = numbers.many::<ImageCacheRow>(OF_CREATE);
    let transitions = numbers.many::<TransitionRow>(ColumnSet::All);
    let events = numbers.many::<EventsTable>(ColumnSet::All);
    let audited = audit_entries::of_those_that_fit(&mut numbers);
    let (end, step) = (
        EndedOperation::set(ColumnSet::All, EndedOperation::FOUND_BY),
        ImageCacheRow::set(OF_CREATE, ImageCacheRow::FOUND_BY),
    );
    let (pass, tell) = (TransitionRow::insert(ColumnSet::All), EventsTable::insert(ColumnSet::All));
    let (deliveries, written) = (&*DELIVERIES, dispatch::written("written_events"));
    format!(
        "WITH ends AS MATERIALIZED (SELECT * FROM {ends}),
    caches AS MATERIALIZED (SELECT * FROM {caches}),
    beside AS MATERIALIZED (
        SELECT * FROM unnest($1::jsonb[], {event}::uuid[], {look_at}::timestamptz[], {owed}::text[]) WITH ORDINALITY
            AS b (answer, event, look_at, owed, place)),
    fit AS MATERIALIZED (
        SELECT b.*, o.id AS operation, c.team, c.id AS cache, c.account, c.region, c.name,
            COALESCE(c.spec -> 'tags', '{{}}') AS tags
        FROM ends e JOIN caches n ON n.place = e.place JOIN beside b ON b.place = e.place
            JOIN operations o ON o.id = e.id
            JOIN image_caches c ON c.team = n.team AND c.id = n.id
        WHERE o.lease_token = e.lease_token AND o.state = 'running' AND o.lease_until > clock_timestamp()
          AND c.version = n.version
        FOR NO KEY UPDATE OF o, c SKIP LOCKED),
    ended AS (
        UPDATE operations o SET {end}
        FROM fit JOIN ends n ON n.place = fit.place WHERE o.id = fit.operation
        RETURNING o.id, o.attempts, o.state, o.finished_at, o.provider_request_id),
    noted AS ({NOTE_END}),
    moved AS (
        UPDATE image_caches c SET version = c.version + 1, {step}
        FROM fit JOIN caches n ON n.place = fit.place WHERE c.team = fit.team AND c.id = fit.cache RETURNING c.id),
    sending AS (
        UPDATE owed_answers w SET state = fit.owed
        FROM fit WHERE fit.owed = 'sending' AND w.image_cache = fit.cache
            -- By a word of another version nothing is told.
            AND w.state IN ('unsent', 'sending') RETURNING w.operation),
    cleared AS (
        DELETE FROM owed_answers w USING fit WHERE fit.owed = 'told' AND w.image_cache = fit.cache),
    passed AS ({pass} FROM {transitions} WHERE n.place IN (SELECT place FROM fit)),
    answered AS (
        UPDATE idempotency_keys k SET answer = fit.answer
        FROM fit WHERE fit.answer IS NOT NULL AND k.operation = fit.operation AND k.answer IS NULL),
    written_events AS (
        {tell} FROM {events} WHERE n.id IN (SELECT event FROM fit)
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq, id, team, type, image_cache, body, occurred_at),
    told AS (
        SELECT e.seq, e.team, e.type, e.image_cache, e.occurred_at, fit.name, fit.tags
        FROM written_events e JOIN fit ON fit.event = e.id),
    {deliveries},
    audited AS ({audited}),
    woken AS (
        INSERT INTO tracker_groups AS g (account, region, due_at)
        SELECT account, region, min(look_at) FROM fit WHERE look_at IS NOT NULL GROUP BY account, region
        ORDER BY account, region
        ON CONFLICT (account, region) DO UPDATE SET due_at = LEAST(g.due_at, EXCLUDED.due_at))
    SELECT put.*, CASE WHEN ended.id IS NULL OR moved.id IS NULL THEN (fit.operation || ' was ended in part')::uuid
            ELSE fit.operation END AS operation, sending.operation IS NOT NULL AS sending
    FROM fit LEFT JOIN ended ON ended.id = fit.operation LEFT JOIN moved ON moved.id = fit.cache
        LEFT JOIN sending ON sending.operation = fit.operation
        LEFT JOIN ({written}) put ON put.event = fit.event
    ORDER BY fit.event"
    )
});

impl SettleBatch {
    /// Writes those that fit, and dispatches their deliveries. Returns their operations, and for which of them the ids
    /// may be sent.
    async fn write(&self, ends: &[&Settlement]) -> Result<HashMap<Uuid, bool>, StoreError> {
        let rows = self.end(ends).await?;
        if let Some(dispatch) = dispatch(ends) {
            let deliveries = rows.iter().filter_map(|row| delivery(row).transpose()).collect::<Result<Vec<_>, _>>();
            // It is committed whatever happens here: the worker finds the deliveries that did not arrive.
            match deliveries.map_err(StoreError::from).and_then(|deliveries| dispatch.put(deliveries)) {
                Ok(()) => dispatch.committed(),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "could not hand over deliveries");
                }
            }
        }
        let ended = |row: &PgRow| Ok((row.try_get("operation")?, row.try_get("sending")?));
        Ok(rows.iter().map(ended).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Returns a row for each operation that fitted and each of its deliveries.
    async fn end(&self, ends: &[&Settlement]) -> Result<Vec<PgRow>, StoreError> {
        let dispatch = dispatch(ends);
        let event = |end: &&Settlement| end.write.event.as_ref().map(|event| event.id.uuid());
        // Each item has one (`goes_along`), so its place is that of its end.
        let audit = self.stamp.all(&ends.iter().filter_map(|end| end.write.audit.as_ref()).collect::<Vec<_>>());
        let parameters = StatementParameters::default()
            .with(ends.iter().map(|end| end.answer.as_ref()).collect::<Vec<_>>())
            .with(ends.first().map(|end| end.at))
            .with(dispatch.and_then(Dispatch::worker))
            .with(dispatch.map(Dispatch::closed).unwrap_or_default())
            .with(ends.iter().map(event).collect::<Vec<_>>())
            .with(ends.iter().map(|end| end.look_at).collect::<Vec<_>>())
            .with(ends.iter().map(|end| end.owed.word()).collect::<Vec<_>>())
            .many::<EndedOperation>(ColumnSet::All, ends)
            .many::<ImageCacheRow>(OF_CREATE, &ends.iter().map(|end| &end.write.next).collect::<Vec<_>>())
            .many::<TransitionRow>(
                ColumnSet::All,
                &ends.iter().filter_map(|end| end.write.transition()).collect::<Vec<_>>(),
            )
            .many::<EventsTable>(ColumnSet::All, &ends.iter().filter_map(|end| end.write.event()).collect::<Vec<_>>())
            .many::<AuditRow>(ColumnSet::All, &audit);
        Ok(parameters.query(&SETTLE)?.fetch_all(&mut self.pool.acquire().await?).await?)
    }
}

/// The delivery in a row, if there is one.
fn delivery(row: &PgRow) -> Result<Option<WrittenDelivery>, sqlx::Error> {
    let id: Option<Uuid> = row.try_get("id")?;
    id.map(|_| WrittenDelivery::from_row(row)).transpose()
}
