//! Creates that begin: keys, image caches, operations, first attempts, first transitions.
//!
//! What must stay true: whatever [`super::super::operations`] writes of one create alone, this writes of many. A create
//! whose key somebody had is left out before anything else of it is written.

use std::collections::HashSet;

use uuid::Uuid;

use crate::domain::content::fingerprint;
use crate::domain::operation::{OperationKind, Progress};
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::operations::NewCreate;
use crate::store::pool::Connection;
use crate::store::rows::jsonb;

/// Whether it can be written together with others.
pub(super) fn goes_along(create: &NewCreate) -> bool {
    let NewCreate { new, cache, .. } = create;
    new.account.is_none() && new.operation.progress.kind == OperationKind::Create && new.operation.spec == cache.spec
}

/// Writes those that fit, and gives them back.
pub(super) async fn write<'a>(
    connection: &mut Connection,
    creates: &[&'a NewCreate],
) -> Result<Vec<&'a NewCreate>, Error> {
    let claimed = claim(connection, creates).await?;
    let is_new = |create: &&&NewCreate| create.new.key.is_none() || claimed.contains(&create.new.operation.id.uuid());
    let fit: Vec<&'a NewCreate> = creates.iter().filter(is_new).copied().collect();
    if !fit.is_empty() {
        insert(connection, &fit).await?;
    }
    Ok(fit)
}

/// Claims the keys that nobody had; their operations. Sorted, as two batches may want the same ones.
async fn claim(connection: &mut Connection, creates: &[&NewCreate]) -> Result<HashSet<Uuid>, Error> {
    let keyed: Vec<_> = creates.iter().filter_map(|create| Some((*create, create.new.key.as_ref()?))).collect();
    if keyed.is_empty() {
        return Ok(HashSet::new());
    }
    let claimed: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO idempotency_keys (team, action, key, fingerprint, operation, created_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::timestamptz[])
             AS u (team, action, key, fingerprint, operation, created_at)
         ORDER BY team, action, key
         ON CONFLICT DO NOTHING RETURNING operation",
    )
    .bind(keyed.iter().map(|(create, _)| create.cache.team.as_str()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, key)| key.action).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, key)| key.key.as_str()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(_, key)| key.fingerprint.as_slice()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(create, _)| create.new.operation.id.uuid()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|(create, _)| create.cache.created_at).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(claimed.into_iter().collect())
}

/// One statement for all four tables; what refers to a row is checked at its end.
const INSERT: &str = "
    WITH u AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
            $7::text[], $8::int[], $9::bigint[], $10::bigint[], $11::uuid[], $12::jsonb[], $13::timestamptz[], $14::bytea[],
            $15::text[], $16::bytea[], $17::uuid[], $18::float8[], $19::text[], $20::text[], $21::text[], $22::jsonb[],
            $23::int[], $24::timestamptz[], $25::timestamptz[], $26::uuid[], $27::text[], $28::timestamptz[])
        AS u (id, team, account, region, name, spec, status, generation, version, sequence, operation, evidence, created_at,
            content, poll_bucket, credentials, lease_token, lease_seconds, subject, credential, request_id, marks, attempts,
            window_opened_at, last_signed_at, transition, reason, moved_at)),
    caches AS (
        INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
            operation, evidence, misses, created_at, updated_at, content, poll_bucket)
        SELECT id, team, account, region, name, ARRAY(SELECT jsonb_array_elements_text(spec -> 'images')), spec, status,
            generation, version, sequence, operation, evidence, 0, created_at, created_at, content, poll_bucket FROM u),
    begun AS (
        INSERT INTO operations (id, team, image_cache, kind, state, generation, spec, credentials, due_at, lease_token,
            lease_until, subject, credential, request_id, created_at, marks, attempts, window_opened_at, last_signed_at,
            in_doubt)
        SELECT operation, team, id, 'create', 'running', generation, spec, credentials, created_at, lease_token,
            clock_timestamp() + make_interval(secs => lease_seconds), subject, credential, request_id, created_at, marks,
            attempts, window_opened_at, last_signed_at, attempts > 0 FROM u),
    noted AS (
        INSERT INTO operation_attempts (operation, number, signed_at)
        SELECT operation, attempts, last_signed_at FROM u WHERE attempts > 0)
    INSERT INTO transitions (id, team, image_cache, sequence, generation, to_status, reason, at)
    SELECT transition, team, id, sequence, generation, status, reason, moved_at FROM u";

async fn insert(connection: &mut Connection, creates: &[&NewCreate]) -> Result<(), Error> {
    let progress: Vec<Progress> =
        creates.iter().map(|create| create.new.noted.unwrap_or(create.new.operation.progress)).collect();
    sqlx::query(INSERT)
        .bind(creates.iter().map(|create| create.cache.id.uuid()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.team.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.account.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.spec.region.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.spec.name.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| jsonb(&create.cache.spec)).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| Status::as_str(create.cache.status)).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.generation).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.version).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.sequence).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.operation.id.uuid()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| jsonb(&create.cache.evidence)).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.created_at).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| fingerprint(&create.cache.spec)).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.cache.poll_bucket.as_deref()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.credentials.as_deref()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.lease_token).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.lease_seconds).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.operation.subject.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.operation.credential.as_deref()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.new.operation.request_id.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| jsonb(&create.new.operation.marks)).collect::<Vec<_>>())
        .bind(progress.iter().map(|progress| progress.attempts).collect::<Vec<_>>())
        .bind(progress.iter().map(|progress| progress.window_opened_at).collect::<Vec<_>>())
        .bind(progress.iter().map(|progress| progress.last_signed_at).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.first.id.uuid()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.first.reason.as_str()).collect::<Vec<_>>())
        .bind(creates.iter().map(|create| create.first.at).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
