//! Creates that begin: keys, image caches, operations, first attempts, answers that are owed, first transitions, audit
//! entries.
//!
//! What must stay true: whatever [`super::super::operations`] writes of one create alone, this writes of many. Nothing
//! is written of a create whose key somebody had, or whose operation's id somebody had from the same key. Keys are
//! claimed in one order, as two batches may want the same ones, and before anything else.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::unless_rolled_back;

use crate::domain::content::fingerprint;
use crate::domain::operation::{OperationKind, Progress};
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::audit_insert::{self, Rows, Stamp};
use crate::store::batches::Work;
use crate::store::operations::NewCreate;
use crate::store::pool::Pool;
use crate::store::rows::jsonb;

/// Whether it can be written together with others.
pub(super) fn goes_along(create: &NewCreate) -> bool {
    let NewCreate { new, cache, .. } = create;
    new.account.is_none() && new.operation.progress.kind == OperationKind::Create && new.operation.spec == cache.spec
}

/// Writes them.
pub(in crate::store) struct CreateBatch {
    pub(super) pool: Pool,
    pub(super) stamp: Stamp,
}

impl Work for CreateBatch {
    type Item = Arc<NewCreate>;
    /// Whether it was written; else it goes alone.
    type Done = bool;

    async fn all(&self, creates: &[Arc<NewCreate>]) -> Result<Vec<bool>, Error> {
        let differing = differing(creates);
        let written = self.pool.repeated(|again| self.write_missing(&differing, again)).await;
        let mut begun = unless_rolled_back(written)?;
        // Of two with one key the first alone was written.
        Ok(creates.iter().map(|create| begun.remove(&create.new.operation.id.uuid())).collect())
    }
}

/// Without those that must not be in one batch with another: of one key, or of one image cache.
fn differing<'a>(creates: &'a [Arc<NewCreate>]) -> Vec<&'a NewCreate> {
    let (mut caches, mut keys) = (HashSet::new(), HashSet::new());
    let mut differs = |create: &&'a NewCreate| {
        let NewCreate { new, cache, .. } = *create;
        let key = new.key.as_ref().map(|key| (&cache.team, key.action, &key.key));
        key.is_none_or(|key| keys.insert(key)) && caches.insert(cache.id)
    };
    creates.iter().map(|create| &**create).filter(|create| differs(create)).collect()
}

/// One statement for all of it; what refers to a row is checked at its end.
static CREATE: LazyLock<String> = LazyLock::new(|| {
    let audited = audit_insert::of_those_that_fit(33);
    format!(
        "WITH u AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
            $7::text[], $8::int[], $9::bigint[], $10::bigint[], $11::uuid[], $12::jsonb[], $13::timestamptz[], $14::bytea[],
            $15::text[], $16::bytea[], $17::uuid[], $18::float8[], $19::text[], $20::text[], $21::text[], $22::jsonb[],
            $23::int[], $24::timestamptz[], $25::timestamptz[], $26::uuid[], $27::text[], $28::timestamptz[],
            $29::text[], $30::text[], $31::bytea[], $32::bool[]) WITH ORDINALITY
        AS u (id, team, account, region, name, spec, status, generation, version, sequence, operation, evidence, created_at,
            content, poll_bucket, credentials, lease_token, lease_seconds, subject, credential, request_id, marks, attempts,
            window_opened_at, last_signed_at, transition, reason, moved_at,
            action, key, fingerprint, owed, place)),
    claimed AS (
        INSERT INTO idempotency_keys (team, action, key, fingerprint, operation, created_at)
        SELECT team, action, key, fingerprint, operation, created_at FROM u
        WHERE key IS NOT NULL AND (SELECT true FROM operations o WHERE o.id = u.operation) IS NULL
        ORDER BY team, action, key
        ON CONFLICT DO NOTHING RETURNING operation),
    fit AS MATERIALIZED (SELECT * FROM u WHERE key IS NULL OR operation IN (SELECT operation FROM claimed)),
    caches AS (
        INSERT INTO image_caches (id, team, account, region, name, images, spec, status, generation, version, sequence,
            operation, evidence, misses, created_at, updated_at, content, poll_bucket)
        SELECT id, team, account, region, name, ARRAY(SELECT jsonb_array_elements_text(spec -> 'images')), spec, status,
            generation, version, sequence, operation, evidence, 0, created_at, created_at, content, poll_bucket FROM fit),
    begun AS (
        INSERT INTO operations (id, team, image_cache, kind, state, generation, spec, credentials, due_at, lease_token,
            lease_until, subject, credential, request_id, created_at, marks, attempts, window_opened_at, last_signed_at,
            in_doubt)
        SELECT operation, team, id, 'create', 'running', generation, spec, credentials, created_at, lease_token,
            clock_timestamp() + make_interval(secs => lease_seconds), subject, credential, request_id, created_at, marks,
            attempts, window_opened_at, last_signed_at, attempts > 0 FROM fit),
    noted AS (
        INSERT INTO operation_attempts (operation, number, signed_at)
        SELECT operation, attempts, last_signed_at FROM fit WHERE attempts > 0),
    owed AS (
        INSERT INTO owed_answers (image_cache, operation, state, created_at)
        SELECT id, operation, 'unsent', created_at FROM fit WHERE owed),
    passed AS (
        INSERT INTO transitions (id, team, image_cache, sequence, generation, to_status, reason, at)
        SELECT transition, team, id, sequence, generation, status, reason, moved_at FROM fit),
    audited AS ({audited})
    SELECT operation FROM fit"
    )
});

impl CreateBatch {
    /// Writes those that fit, but for those that were written before a connection broke; the operations of both.
    async fn write_missing(&self, creates: &[&NewCreate], again: bool) -> Result<HashSet<Uuid>, Error> {
        let mut begun = if again { self.written(creates).await? } else { HashSet::new() };
        let missing = |create: &&&NewCreate| !begun.contains(&create.new.operation.id.uuid());
        let missing: Vec<_> = creates.iter().filter(missing).copied().collect();
        if !missing.is_empty() {
            begun.extend(self.write(&missing).await?);
        }
        Ok(begun)
    }

    /// The operations that are there.
    async fn written(&self, creates: &[&NewCreate]) -> Result<HashSet<Uuid>, Error> {
        let (ids, caches): (Vec<Uuid>, Vec<Uuid>) =
            creates.iter().map(|create| (create.new.operation.id.uuid(), create.cache.id.uuid())).unzip();
        // By the image cache as well: another create with the same key may have the same operation's id.
        let sql = "SELECT o.id FROM unnest($1::uuid[], $2::uuid[]) AS u (id, cache)
            JOIN operations o ON o.id = u.id AND o.image_cache = u.cache";
        let found: Vec<Uuid> =
            sqlx::query_scalar(sql).bind(ids).bind(caches).fetch_all(&mut self.pool.acquire().await?).await?;
        Ok(found.into_iter().collect())
    }

    /// Writes those that fit; their operations.
    async fn write(&self, creates: &[&NewCreate]) -> Result<HashSet<Uuid>, Error> {
        let progress: Vec<Progress> =
            creates.iter().map(|create| create.new.noted.unwrap_or(create.new.operation.progress)).collect();
        let audit = Rows::of(&self.stamp, &creates.iter().map(|create| &create.new.audit).collect::<Vec<_>>());
        let begun = sqlx::query(AssertSqlSafe(CREATE.as_str()))
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
            .bind(creates.iter().map(|create| Some(create.new.key.as_ref()?.action)).collect::<Vec<_>>())
            .bind(creates.iter().map(|create| Some(create.new.key.as_ref()?.key.as_str())).collect::<Vec<_>>())
            .bind(
                creates.iter().map(|create| Some(create.new.key.as_ref()?.fingerprint.as_slice())).collect::<Vec<_>>(),
            )
            .bind(creates.iter().map(|create| create.new.waiter.is_some()).collect::<Vec<_>>());
        let begun = audit.bind(begun).fetch_all(&mut self.pool.acquire().await?).await?;
        Ok(begun.iter().map(|row| row.try_get("operation")).collect::<Result<_, _>>()?)
    }
}
