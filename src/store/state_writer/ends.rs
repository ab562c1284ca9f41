//! Creates that end: operations, their last attempts, image caches, transitions, answers of keys, events, deliveries.
//!
//! What must stay true: whatever [`super::super::settling`] writes of one end alone, this writes of many; of the row
//! of an image cache, whatever the outcome of a create may change (`domain::change::created` and `refused`). Who does
//! not fit is not written at all: all of it hangs on one list of those who do, whose rows are locked with it.

use uuid::Uuid;

use super::is_plain;
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::events::NewEvent;
use crate::store::handover;
use crate::store::pool::Connection;
use crate::store::rows::jsonb;
use crate::store::settling::Settlement;

/// Whether it can be written together with others.
pub(super) fn goes_along(settlement: &Settlement) -> bool {
    is_plain(settlement)
}

/// Whether the deliveries of two events get to the deliverer in the same way.
pub(super) fn same_way(one: Option<&NewEvent>, other: Option<&NewEvent>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one.hand_over.is_like(&other.hand_over))
}

/// Who fits: held, and the row has not moved on. Rows that somebody has in hand are not waited for.
const SETTLE: &str = "
    WITH u AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[],
            $6::timestamptz[], $7::timestamptz[], $8::jsonb[], $9::text[], $10::uuid[], $11::bigint[], $12::text[], $13::int[],
            $14::bigint[], $15::text[], $16::text[], $17::jsonb[], $18::jsonb[], $19::int[], $20::timestamptz[],
            $21::timestamptz[], $22::uuid[], $23::text[], $24::text[], $25::timestamptz[], $26::uuid[], $27::text[],
            $28::text[], $29::text[], $30::timestamptz[], $31::text[])
        AS u (operation, token, state, error, provider_request_id, at, unsettled_until, answer, team, cache, version, status,
            generation, sequence, eci_cache_id, container_group_id, failure, evidence, misses, updated_at, ready_at,
            transition, from_status, reason, moved_at, event, type, dedupe_key, body, told_at, provider_status)),
    fit AS MATERIALIZED (
        SELECT u.*, o.attempts FROM u JOIN operations o ON o.id = u.operation
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
    passed AS (
        INSERT INTO transitions (id, team, image_cache, sequence, generation, from_status, to_status, provider_status,
            reason, at)
        SELECT transition, team, cache, sequence, generation, from_status, status, provider_status, reason, moved_at FROM fit),
    answered AS (
        UPDATE idempotency_keys k SET answer = fit.answer
        FROM fit WHERE fit.answer IS NOT NULL AND k.operation = fit.operation AND k.answer IS NULL),
    told AS (
        INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
        SELECT event, team, type, cache, dedupe_key, body, told_at FROM fit WHERE event IS NOT NULL
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING seq, image_cache)
    SELECT fit.operation, ended.id IS NOT NULL AND moved.id IS NOT NULL, told.seq
    FROM fit LEFT JOIN ended ON ended.id = fit.operation LEFT JOIN moved ON moved.id = fit.cache
        LEFT JOIN told ON told.image_cache = fit.cache";

/// Writes those that fit, and gives them back.
pub(super) async fn write<'a>(
    connection: &mut Connection,
    ends: &[&'a Settlement],
) -> Result<Vec<&'a Settlement>, Error> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let rows = settle(connection, ends).await?;
    // Their rows were locked: this cannot be, and if it is, nothing may stay of it.
    if rows.iter().any(|(_, whole, _)| !whole) {
        let detail = "an operation that was held could not be ended".to_owned();
        return Err(Error::Unreadable { table: "operations", column: "state", detail });
    }
    let fit = |end: &&&Settlement| rows.iter().any(|(operation, ..)| *operation == end.operation.uuid());
    let settled: Vec<&Settlement> = ends.iter().filter(fit).copied().collect();
    let told: Vec<i64> = rows.iter().filter_map(|(.., seq)| *seq).collect();
    let first = settled.iter().find_map(|end| end.write.event.as_ref());
    if let Some(first) = first.filter(|_| !told.is_empty()) {
        // What they have for the deliverer is put on the first one's tray.
        handover::enqueue(connection, &told, first.at, &first.hand_over).await?;
    }
    Ok(settled)
}

/// Each operation that fitted, whether all of it was written, and the number of its event where it was told.
async fn settle(connection: &mut Connection, ends: &[&Settlement]) -> Result<Vec<(Uuid, bool, Option<i64>)>, Error> {
    let rows = sqlx::query_as(SETTLE)
        .bind(ends.iter().map(|end| end.operation.uuid()).collect::<Vec<_>>())
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
        .bind(ends.iter().map(|end| end.write.next.ready_at).collect::<Vec<_>>());
    let passed = |end: &&Settlement| end.write.transition.as_ref().map(|passed| passed.id.uuid());
    let rows = rows
        .bind(ends.iter().map(passed).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.write.transition.as_ref()?.from.map(Status::as_str)).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.transition.as_ref()?.reason.as_str())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.transition.as_ref()?.at)).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.id.uuid())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.kind.as_str())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.dedupe_key.as_str())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.body.as_str())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| Some(end.write.event.as_ref()?.at)).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.write.next.provider_status.as_deref()).collect::<Vec<_>>());
    Ok(rows.fetch_all(connection).await?)
}
