//! Batched creates: idempotency keys, image caches, operations, first attempts, owed answers, first transitions, audit
//! entries.
//!
//! What must stay true: whatever [`crate::store::team::operations`] writes for one create, this writes for many.
//! Nothing is written for a create whose key was already used, or whose operation id was already taken through the same
//! key. Keys are claimed in sorted order, because two batches may want the same ones, and before anything else.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use sqlx::Row as _;
use uuid::Uuid;

use super::unless_rolled_back;

use crate::domain::operation::{OperationKind, Owed};
use crate::store::StoreError;
use crate::store::batch::BatchWork;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _};
use crate::store::database::pool::Pool;
use crate::store::input::NewCreate;
use crate::store::rows::audit_entries::AuditRow;
use crate::store::rows::{
    IdempotencyKeys, ImageCacheRow, KeyToWrite, OperationRow, OperationToWrite, TransitionRow, TransitionToWrite,
};
use crate::store::writes::audit_entries::{self, Stamp};

/// Whether it can be written in a batch.
pub(super) fn can_be_batched(create: &NewCreate) -> bool {
    let NewCreate { new, cache, .. } = create;
    new.account.is_none() && new.operation.progress.kind == OperationKind::Create && new.operation.spec == cache.spec
}

/// Writes creates in batches, on a connection of its own.
pub(in crate::store) struct CreateBatch {
    pub(super) pool: Pool,
    pub(super) stamp: Stamp,
}

impl BatchWork for CreateBatch {
    type Item = Arc<NewCreate>;
    /// Whether it was written; if not, it is recorded alone.
    type Done = bool;

    async fn all(&self, creates: &[Arc<NewCreate>]) -> Result<Vec<bool>, StoreError> {
        let differing = differing(creates);
        let written = self.pool.repeated(|again| self.write_missing(&differing, again)).await;
        let mut begun = unless_rolled_back(written)?;
        // Of two creates with the same key, only the first was written.
        Ok(creates.iter().map(|create| begun.remove(&create.new.operation.id.uuid())).collect())
    }
}

/// Without creates that must not share a batch: those with the same key or the same image cache.
fn differing<'a>(creates: &'a [Arc<NewCreate>]) -> Vec<&'a NewCreate> {
    let (mut caches, mut keys) = (HashSet::new(), HashSet::new());
    let mut differs = |create: &&'a NewCreate| {
        let NewCreate { new, cache, .. } = *create;
        let key = new.key.as_ref().map(|key| (&cache.team, key.action, &key.key));
        key.is_none_or(|key| keys.insert(key)) && caches.insert(cache.id)
    };
    creates.iter().map(|create| &**create).filter(|create| differs(create)).collect()
}

/// The columns of an operation without its spec, which is that of its image cache and is sent once.
const BUT_SPEC: ColumnSet = ColumnSet::But(&["spec"]);

/// One statement for everything; references between rows are checked at its end.
static CREATE: LazyLock<String> = LazyLock::new(|| {
    let mut numbers = Numbers::default();
    let keys = numbers.many::<IdempotencyKeys>(ColumnSet::All);
    let caches = numbers.many::<ImageCacheRow>(ColumnSet::All);
    let operations = numbers.many::<OperationRow>(BUT_SPEC);
    let transitions = numbers.many::<TransitionRow>(ColumnSet::All);
    let (owed, unsent) = (numbers.next(), Owed::Unsent.as_str());
    let audited = audit_entries::of_those_that_fit(&mut numbers);
    let (claim, make) = (IdempotencyKeys::insert(ColumnSet::All), ImageCacheRow::insert(ColumnSet::All));
    let (begin, pass) = (OperationRow::insert(ColumnSet::All), TransitionRow::insert(ColumnSet::All));
    format!(
        "WITH keys AS MATERIALIZED (SELECT * FROM {keys}),
    caches AS MATERIALIZED (SELECT * FROM {caches}),
    claimed AS (
        {claim} FROM keys n WHERE (SELECT true FROM operations o WHERE o.id = n.operation) IS NULL
        ORDER BY n.team, n.action, n.key
        ON CONFLICT DO NOTHING RETURNING operation),
    fit AS MATERIALIZED (
        SELECT place, id, operation, created_at FROM caches
        WHERE operation NOT IN (SELECT operation FROM keys) OR operation IN (SELECT operation FROM claimed)),
    made AS ({make} FROM caches n WHERE n.place IN (SELECT place FROM fit)),
    begun AS (
        {begin} FROM (SELECT n.*, c.spec FROM {operations} JOIN caches c ON c.place = n.place) AS n
        WHERE n.place IN (SELECT place FROM fit) RETURNING id, attempts, last_signed_at),
    noted AS (
        INSERT INTO operation_attempts (operation, number, signed_at)
        SELECT id, attempts, last_signed_at FROM begun WHERE attempts > 0),
    owed AS (
        INSERT INTO owed_answers (image_cache, operation, state, created_at)
        SELECT id, operation, '{unsent}', created_at FROM fit WHERE operation = ANY ({owed}::uuid[])),
    passed AS ({pass} FROM {transitions} WHERE n.place IN (SELECT place FROM fit)),
    audited AS ({audited})
    SELECT operation FROM fit"
    )
});

impl CreateBatch {
    /// Writes those that fit, except for those that were written before a connection broke. Returns the operations of
    /// both.
    async fn write_missing(&self, creates: &[&NewCreate], again: bool) -> Result<HashSet<Uuid>, StoreError> {
        let mut begun = if again { self.written(creates).await? } else { HashSet::new() };
        let missing = |create: &&&NewCreate| !begun.contains(&create.new.operation.id.uuid());
        let missing: Vec<_> = creates.iter().filter(missing).copied().collect();
        if !missing.is_empty() {
            begun.extend(self.write(&missing).await?);
        }
        Ok(begun)
    }

    /// The operations that exist.
    async fn written(&self, creates: &[&NewCreate]) -> Result<HashSet<Uuid>, StoreError> {
        let (ids, caches): (Vec<Uuid>, Vec<Uuid>) =
            creates.iter().map(|create| (create.new.operation.id.uuid(), create.cache.id.uuid())).unzip();
        // By the image cache as well: another create with the same key may have the same operation id.
        let sql = "SELECT o.id FROM unnest($1::uuid[], $2::uuid[]) AS u (id, cache)
            JOIN operations o ON o.id = u.id AND o.image_cache = u.cache";
        let found: Vec<Uuid> =
            sqlx::query_scalar(sql).bind(ids).bind(caches).fetch_all(&mut self.pool.acquire().await?).await?;
        Ok(found.into_iter().collect())
    }

    /// Writes those that fit, and returns their operations.
    async fn write(&self, creates: &[&NewCreate]) -> Result<HashSet<Uuid>, StoreError> {
        let parameters = StatementParameters::default()
            .many::<IdempotencyKeys>(
                ColumnSet::All,
                &creates.iter().filter_map(|create| key(create)).collect::<Vec<_>>(),
            )
            .many::<ImageCacheRow>(ColumnSet::All, &creates.iter().map(|create| &create.cache).collect::<Vec<_>>())
            .many::<OperationRow>(
                BUT_SPEC,
                &creates.iter().map(|create| OperationToWrite::begun(&create.new)).collect::<Vec<_>>(),
            )
            .many::<TransitionRow>(ColumnSet::All, &creates.iter().map(|create| first(create)).collect::<Vec<_>>())
            .with(
                creates
                    .iter()
                    .filter(|create| create.new.waiter.is_some())
                    .map(|create| operation(create))
                    .collect::<Vec<_>>(),
            )
            .many::<AuditRow>(
                ColumnSet::All,
                &self.stamp.all(&creates.iter().map(|create| &create.new.audit).collect::<Vec<_>>()),
            );
        let begun = parameters.query(&CREATE)?.fetch_all(&mut self.pool.acquire().await?).await?;
        Ok(begun.iter().map(|row| row.try_get("operation")).collect::<Result<_, _>>()?)
    }
}

fn operation(create: &NewCreate) -> Uuid {
    create.new.operation.id.uuid()
}

fn key(create: &NewCreate) -> Option<KeyToWrite<'_>> {
    let NewCreate { new, cache, .. } = create;
    let key = new.key.as_ref()?;
    Some(KeyToWrite { team: &cache.team, key, operation: new.operation.id, at: cache.created_at })
}

fn first(create: &NewCreate) -> TransitionToWrite<'_> {
    TransitionToWrite { team: &create.cache.team, transition: &create.first }
}
