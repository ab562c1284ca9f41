//! Creates that end: operations, their last attempts, image caches, answers that are owed, transitions, answers of
//! keys, events, deliveries, audit entries, the tracker's groups.
//!
//! What must stay true: whatever [`super::super::settling`] writes of one end alone, this writes of many; of the row
//! of an image cache, whatever the outcome of a create may change (`domain::change::created` and `refused`). Who does
//! not fit is not written at all: all of it hangs on one list of those who do, whose rows are locked with it. What is
//! handed over is committed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow as _, Row as _};
use uuid::Uuid;

use super::unless_rolled_back;
use crate::domain::operation::OperationKind;
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::audit_insert::{self, Rows, Stamp};
use crate::store::batches::Work;
use crate::store::changes::is_vanishing;
use crate::store::handover::{self, DELIVERIES, HandOver, Put};
use crate::store::pool::Pool;
use crate::store::rows::jsonb;
use crate::store::settling::Settlement;

/// Whether it can be written together with others.
pub(super) fn goes_along(settlement: &Settlement) -> bool {
    let write = &settlement.write;
    settlement.kind == OperationKind::Create
        && write.next.operation == settlement.operation
        && write.audit.is_some()
        && write.transition.as_ref().is_some_and(|transition| !is_vanishing(transition))
}

/// Writes them.
pub(in crate::store) struct SettleBatch {
    pub(super) pool: Pool,
    pub(super) stamp: Stamp,
}

impl Work for SettleBatch {
    type Item = Arc<Settlement>;
    /// Whether [`Owed::Sending`](crate::domain::operation::Owed::Sending) was written with it; none: it goes alone.
    type Done = Option<bool>;

    async fn all(&self, ends: &[Arc<Settlement>]) -> Result<Vec<Option<bool>>, Error> {
        let mut ended = unless_rolled_back(self.pool.limited(self.write(&differing(ends))).await)?;
        // Of two of one operation the first alone was written.
        Ok(ends.iter().map(|end| ended.remove(&end.operation.uuid())).collect())
    }
}

/// Without those that must not be in one batch with another: of one image cache, or with another way to the deliverer, as
/// all deliveries go that of the first.
fn differing(ends: &[Arc<Settlement>]) -> Vec<&Settlement> {
    let (mut caches, mut differing) = (HashSet::new(), Vec::<&Settlement>::with_capacity(ends.len()));
    for end in ends {
        let alike = same_way(hand_over(&differing), end.write.event.as_ref().map(|event| &event.hand_over));
        if caches.insert(end.write.next.id) && alike {
            differing.push(end);
        }
    }
    differing
}

fn hand_over<'a>(ends: &[&'a Settlement]) -> Option<&'a HandOver> {
    ends.iter().find_map(|end| end.write.event.as_ref()).map(|event| &event.hand_over)
}

fn same_way(one: Option<&HandOver>, other: Option<&HandOver>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one.is_like(other))
}

/// Who fits: held, and the row has not moved on. Rows that somebody has in hand are not waited for. As these are locked,
/// nobody can be ended in part; if somebody were, the statement would break at that, for nothing of it may stay then.
/// $2 to $4 are those of [`DELIVERIES`].
static SETTLE: LazyLock<String> = LazyLock::new(|| {
    let (deliveries, written, audited) = (&*DELIVERIES, handover::written("news"), audit_insert::of_those_that_fit(37));
    format!(
        "WITH u AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $5::uuid[], $6::text[], $7::jsonb[], $8::text[],
            $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::text[], $13::uuid[], $14::bigint[], $15::text[], $16::int[],
            $17::bigint[], $18::text[], $19::text[], $20::jsonb[], $21::jsonb[], $22::int[], $23::timestamptz[],
            $24::timestamptz[], $25::uuid[], $26::text[], $27::text[], $28::timestamptz[], $29::uuid[], $30::text[],
            $31::text[], $32::text[], $33::timestamptz[], $34::text[], $35::timestamptz[], $36::text[]) WITH ORDINALITY
        AS u (operation, token, state, error, provider_request_id, at, unsettled_until, answer, team, cache, version, status,
            generation, sequence, eci_cache_id, container_group_id, failure, evidence, misses, updated_at, ready_at,
            transition, from_status, reason, moved_at, event, type, dedupe_key, body, told_at, provider_status, look_at,
            owed, place)),
    fit AS MATERIALIZED (
        SELECT u.*, o.attempts, c.account, c.region, c.name, COALESCE(c.spec -> 'tags', '{{}}') AS tags
        FROM u JOIN operations o ON o.id = u.operation
            JOIN image_caches c ON c.team = u.team AND c.id = u.cache
        WHERE o.lease_token = u.token AND o.state = 'running' AND o.lease_until > clock_timestamp()
          AND c.version = u.version
        FOR NO KEY UPDATE OF o, c SKIP LOCKED),
    ended AS (
        UPDATE operations o SET state = fit.state, error = fit.error, provider_request_id = fit.provider_request_id,
            finished_at = fit.at, in_doubt = false, held = NULL, unsettled_until = fit.unsettled_until, credentials = NULL,
            lease_token = NULL, lease_until = NULL
        FROM fit WHERE o.id = fit.operation RETURNING o.id),
    noted AS (
        UPDATE operation_attempts a SET finished_at = fit.at, outcome = fit.state,
            provider_request_id = fit.provider_request_id
        FROM fit WHERE a.operation = fit.operation AND a.number = fit.attempts),
    moved AS (
        UPDATE image_caches c SET status = fit.status, generation = fit.generation, version = c.version + 1,
            sequence = fit.sequence, eci_cache_id = fit.eci_cache_id, container_group_id = fit.container_group_id,
            failure = fit.failure, evidence = fit.evidence, misses = fit.misses, updated_at = fit.updated_at,
            ready_at = fit.ready_at
        FROM fit WHERE c.team = fit.team AND c.id = fit.cache RETURNING c.id),
    sending AS (
        UPDATE owed_answers w SET state = fit.owed
        FROM fit WHERE fit.owed = 'sending' AND w.image_cache = fit.cache
            -- By a word of another version nothing is told.
            AND w.state IN ('unsent', 'sending') RETURNING w.operation),
    cleared AS (
        DELETE FROM owed_answers w USING fit WHERE fit.owed = 'told' AND w.image_cache = fit.cache),
    passed AS (
        INSERT INTO transitions (id, team, image_cache, sequence, generation, from_status, to_status, provider_status,
            reason, at)
        SELECT transition, team, cache, sequence, generation, from_status, status, provider_status, reason, moved_at FROM fit),
    answered AS (
        UPDATE idempotency_keys k SET answer = fit.answer
        FROM fit WHERE fit.answer IS NOT NULL AND k.operation = fit.operation AND k.answer IS NULL),
    news AS (
        INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
        SELECT event, team, type, cache, dedupe_key, body, told_at FROM fit WHERE event IS NOT NULL
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq, id, team, type, image_cache, body, occurred_at),
    told AS (
        SELECT news.seq, news.team, news.type, news.image_cache, news.occurred_at, fit.name, fit.tags
        FROM news JOIN fit ON fit.event = news.id),
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
    /// Writes those that fit, and hands over what they have for the deliverer; their operations, and of which of them
    /// the ids may be told.
    async fn write(&self, ends: &[&Settlement]) -> Result<HashMap<Uuid, bool>, Error> {
        let rows = self.end(ends).await?;
        if let Some(hand_over) = hand_over(ends) {
            let deliveries = rows.iter().filter_map(|row| delivery(row).transpose()).collect::<Result<Vec<_>, _>>();
            // It is committed whatever becomes of that: their worker finds what did not arrive.
            match deliveries.map_err(Error::from).and_then(|deliveries| hand_over.put(deliveries)) {
                Ok(()) => hand_over.committed(),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "deliveries could not be handed over");
                }
            }
        }
        let ended = |row: &PgRow| Ok((row.try_get("operation")?, row.try_get("sending")?));
        Ok(rows.iter().map(ended).collect::<Result<_, sqlx::Error>>()?)
    }

    /// A row for each operation that fitted and each delivery of it.
    async fn end(&self, ends: &[&Settlement]) -> Result<Vec<PgRow>, Error> {
        let passed = |end: &&Settlement| end.write.transition.as_ref().map(|passed| passed.id.uuid());
        let hand_over = hand_over(ends);
        // Each has one (`goes_along`), so its place is that of its end.
        let audit = Rows::of(&self.stamp, &ends.iter().filter_map(|end| end.write.audit.as_ref()).collect::<Vec<_>>());
        let rows = sqlx::query(AssertSqlSafe(SETTLE.as_str()))
            .bind(ends.iter().map(|end| end.operation.uuid()).collect::<Vec<_>>())
            .bind(ends.first().map(|end| end.at))
            .bind(hand_over.and_then(HandOver::worker))
            .bind(hand_over.map(HandOver::closed).unwrap_or_default())
            .bind(ends.iter().map(|end| end.lease_token).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.state.as_str()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.error.as_ref().map(jsonb)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.provider_request_id.as_deref()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.at).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.unsettled_until).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.answer.as_ref()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.team.as_str()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.id.uuid()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.version).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Status::as_str(end.write.next.status)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.generation).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.sequence).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.eci_cache_id.as_deref()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.container_group_id.as_deref()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.failure.as_ref().map(jsonb)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| jsonb(&end.write.next.evidence)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.misses).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.updated_at).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.ready_at).collect::<Vec<_>>())
            .bind(ends.iter().map(passed).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.transition.as_ref()?.from.map(Status::as_str)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.transition.as_ref()?.reason.as_str())).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.transition.as_ref()?.at)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.id.uuid())).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.kind.as_str())).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.dedupe_key.as_str())).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.body.as_str())).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.at)).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.write.next.provider_status.as_deref()).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.look_at).collect::<Vec<_>>())
            .bind(ends.iter().map(|end| end.owed.word()).collect::<Vec<_>>());
        Ok(audit.bind(rows).fetch_all(&mut self.pool.acquire().await?).await?)
    }
}

/// The delivery in a row, if there is one.
fn delivery(row: &PgRow) -> Result<Option<Put>, sqlx::Error> {
    let id: Option<Uuid> = row.try_get("id")?;
    id.map(|_| Put::from_row(row)).transpose()
}
