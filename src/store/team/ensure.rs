//! Ensuring content: one transaction finds a cache with it, or records the create of one.
//!
//! What must stay true: of any number of requests for the same content of one team, on any number of gateways, only one
//! records a create. Before it does, its transaction locks the content and looks again: whoever held the lock before
//! has committed by then, so its create is visible. A key is claimed before the lock, never while holding it, so that
//! no two requests wait for each other.
//!
//! `app::image_caches::ensure` calls it, and chooses the cache. It does not hinder plain creates of the same content.

use crate::store::writes::holds;
use crate::store::writes::operations;
use crate::store::writes::owed_answers;
use sqlx::{AssertSqlSafe, FromRow, PgExecutor};

use super::image_caches;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::content::fingerprint;
use crate::domain::image_cache::{ImageCache, Transition};
use crate::store::database::pool::PooledConnection;
use crate::store::rows::{ImageCacheRow, OperationToWrite};
use crate::store::unreadable::{self, Keyed as _};
use crate::store::words::{OVER, PROMISING};
use crate::store::writes::audit_entries;
use crate::store::writes::changes;
use crate::store::writes::idempotency::{self, Claimed};
use crate::store::writes::quota::{self, QuotaCheck};
use crate::store::{NewOperation, Store, StoreError};

/// The most caches of one content that are considered: the oldest ones.
const MOST: i64 = 20;

/// A cache that will do.
#[derive(Debug, Clone)]
pub struct ChosenCache {
    /// The cache that was found.
    pub cache: CacheId,
    /// Its newest operation, which the idempotency key then refers to.
    pub operation: OperationId,
    /// The answer to a request with the same key.
    pub answer: serde_json::Value,
    /// The audit entry of the request.
    pub audit: AuditEntry,
}

/// The result of [`Store::begin_ensure`].
#[derive(Debug, Clone, PartialEq)]
pub enum EnsureBegun {
    /// The create is recorded, or an earlier request had the key.
    Create(Claimed),
    /// A cache will do: the answer for the key and the audit entry are written.
    Found,
}

impl Store {
    /// The team's caches with the content of `cache` that are usable or being built, are not about to be changed, and
    /// whose ids are owed to nobody. A cache whose ids are still owed is joined by [`Store::begin_ensure`], which
    /// records that.
    pub async fn same_content(&self, cache: &ImageCache) -> Result<Vec<ImageCache>, StoreError> {
        let found = search(&self.requests, cache).await?;
        Ok(found.into_iter().filter(|(_, owed)| !owed).map(|(cache, _)| cache).collect())
    }

    /// Finds a cache with the content of `cache` that `choose` accepts, or records the create of `cache`.
    pub async fn begin_ensure(
        &self,
        new: &NewOperation,
        cache: &ImageCache,
        first: &Transition,
        quota: Option<QuotaCheck<'_>>,
        choose: impl FnMut(&[ImageCache]) -> Option<ChosenCache>,
    ) -> Result<EnsureBegun, StoreError> {
        match self.write_ensure(new, cache, first, quota, choose).await {
            Err(error) => operations::unless_taken(Err(error)).map(EnsureBegun::Create),
            begun => begun,
        }
    }

    async fn write_ensure(
        &self,
        new: &NewOperation,
        cache: &ImageCache,
        first: &Transition,
        quota: Option<QuotaCheck<'_>>,
        mut choose: impl FnMut(&[ImageCache]) -> Option<ChosenCache>,
    ) -> Result<EnsureBegun, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if let Some(key) = &new.key {
            let claimed =
                idempotency::claim(&mut transaction, &cache.team, key, new.operation.id, cache.created_at).await?;
            if claimed != Claimed::Fresh {
                return Ok(EnsureBegun::Create(claimed));
            }
        }
        // Without the lock first: it is only needed if there seems to be none.
        let mut chosen = find(&mut transaction, cache, &mut choose).await?;
        if chosen.is_none() {
            lock(&mut transaction, cache).await?;
            chosen = find(&mut transaction, cache, &mut choose).await?;
        }
        if let Some(chosen) = chosen {
            stand_for(&mut transaction, new, &chosen).await?;
            audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(&chosen.audit)).await?;
            transaction.commit().await?;
            return Ok(EnsureBegun::Found);
        }
        if !quota::admits(&mut transaction, &cache.team, quota).await? {
            return Ok(EnsureBegun::Create(Claimed::OverQuota));
        }
        if !holds::account(&mut transaction, new.account.as_deref()).await? {
            return Ok(EnsureBegun::Create(Claimed::NoAccount));
        }
        image_caches::insert(&mut transaction, cache).await?;
        operations::insert(&mut transaction, &OperationToWrite::begun(new)).await?;
        changes::insert_transition(&mut transaction, cache, first).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(&new.audit)).await?;
        transaction.commit().await?;
        Ok(EnsureBegun::Create(Claimed::Fresh))
    }
}

/// Held until the transaction ends. If two contents have the same lock number, they only wait for each other.
async fn lock(connection: &mut PooledConnection, cache: &ImageCache) -> Result<(), StoreError> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'ensure', $1, $2, $3, encode($4, 'hex')), 0))",
    )
    .bind(cache.team.as_str())
    .bind(&cache.account)
    .bind(cache.spec.region.as_str())
    .bind(fingerprint(&cache.spec))
    .execute(connection)
    .await?;
    Ok(())
}

/// A cache that `choose` accepts, and that nobody will abandon from now on.
async fn find(
    connection: &mut PooledConnection,
    cache: &ImageCache,
    choose: &mut impl FnMut(&[ImageCache]) -> Option<ChosenCache>,
) -> Result<Option<ChosenCache>, StoreError> {
    loop {
        let (caches, owed): (Vec<_>, Vec<_>) = search(&mut *connection, cache).await?.into_iter().unzip();
        let Some(chosen) = choose(&caches) else { return Ok(None) };
        let is_owed = caches.iter().zip(owed).any(|(cache, owed)| owed && cache.id == chosen.cache);
        // One that was abandoned at this moment is not found again.
        if !is_owed || owed_answers::rely_on(connection, chosen.cache).await? {
            return Ok(Some(chosen));
        }
    }
}

#[derive(FromRow)]
struct EnsuredRow {
    #[sqlx(flatten)]
    cache: ImageCacheRow,
    owed: bool,
}

/// The caches, and for each whether its create's caller is still owed its ids.
async fn search(executor: impl PgExecutor<'_>, cache: &ImageCache) -> Result<Vec<(ImageCache, bool)>, StoreError> {
    let sql = format!(
        "SELECT {}, EXISTS (SELECT FROM owed_answers w WHERE w.image_cache = c.id) AS owed
         FROM image_caches c WHERE c.team = $1 AND c.region = $2 AND c.content = $3 AND c.account = $4
           AND c.status IN ({PROMISING})
           -- What is being updated or removed will not be what it is; what was abandoned will be removed.
           AND NOT EXISTS (SELECT FROM operations o WHERE o.image_cache = c.id
               AND (o.abandoned OR (o.state NOT IN ({OVER}) AND o.kind <> 'create')))
         ORDER BY c.id LIMIT $5",
        ImageCacheRow::columns("c")
    );
    let rows: Vec<EnsuredRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(cache.team.as_str())
        .bind(cache.spec.region.as_str())
        .bind(fingerprint(&cache.spec))
        .bind(&cache.account)
        .bind(MOST)
        .fetch_all(executor)
        .await?;
    let read = |row: EnsuredRow| Some((unreadable::read(row.cache.key(), row.cache.try_into())?, row.owed));
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Makes the key that was claimed for a create refer to the cache that was found instead.
async fn stand_for(
    connection: &mut PooledConnection,
    new: &NewOperation,
    chosen: &ChosenCache,
) -> Result<(), StoreError> {
    let Some(key) = &new.key else { return Ok(()) };
    sqlx::query("UPDATE idempotency_keys SET operation = $4, answer = $5 WHERE team = $1 AND action = $2 AND key = $3")
        .bind(new.operation.team.as_str())
        .bind(key.action)
        .bind(&key.key)
        .bind(chosen.operation.uuid())
        .bind(&chosen.answer)
        .execute(connection)
        .await?;
    Ok(())
}
