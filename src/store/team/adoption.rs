//! Records an adopted cache: its row, the operation that says who adopted it, its transition, its event, its audit
//! entry and the tracker's wake-up, all or nothing.

use super::image_caches;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::Operation;
use crate::store::database::pool::PooledConnection;
use crate::store::input::CacheWrite;
use crate::store::rows::OperationToWrite;
use crate::store::writes::changes;
use crate::store::writes::holds;
use crate::store::writes::operations;
use crate::store::writes::quota::{self, QuotaCheck};
use crate::store::writes::tracker_wake;
use crate::store::{Store, StoreError};

/// The unique index that allows a cloud cache only one row.
pub(in crate::store) const ONE_ROW: &str = "image_caches_provider";

/// A cache to adopt.
#[derive(Debug)]
pub struct NewAdoption {
    /// A create that has already succeeded without being sent.
    pub operation: Operation,
    /// The row, its first transition, its event and its audit entry.
    pub write: CacheWrite,
    /// When the tracker should poll; `None` if there is nothing to follow.
    pub look_at: Option<Instant>,
    /// The cloud account, if it has a row that must not be deleted.
    pub account: Option<String>,
}

/// The result of an adoption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// The cache now belongs to the team.
    Done,
    /// A row has it by now: nothing was written.
    Taken,
    /// It may be in the process of being deleted: nothing was written.
    BeingRemoved,
    /// The team's quota does not allow it: nothing was written.
    OverQuota,
    /// The cloud account was just deleted or disabled: nothing was written.
    NoAccount,
}

impl Store {
    /// Adopts a cache of the cloud.
    pub async fn adopt(&self, new: &NewAdoption, quota: Option<QuotaCheck<'_>>) -> Result<Adopted, StoreError> {
        match self.write_adoption(new, quota).await {
            Err(error) if error.is_constraint(ONE_ROW) => Ok(Adopted::Taken),
            done => done,
        }
    }

    async fn write_adoption(&self, new: &NewAdoption, quota: Option<QuotaCheck<'_>>) -> Result<Adopted, StoreError> {
        let mut transaction = self.requests.begin().await?;
        if !quota::admits(&mut transaction, &new.operation.team, quota).await? {
            return Ok(Adopted::OverQuota);
        }
        if !holds::account(&mut transaction, new.account.as_deref()).await? {
            return Ok(Adopted::NoAccount);
        }
        if !end_finding(&mut transaction, &new.write.next, new.operation.created_at).await? {
            return Ok(Adopted::BeingRemoved);
        }
        image_caches::insert(&mut transaction, &new.write.next).await?;
        operations::insert(&mut transaction, &OperationToWrite::done(&new.operation)).await?;
        // The row was just written, so it cannot have changed.
        changes::apply(&mut transaction, &self.stamp, &new.write).await?;
        if let Some(at) = new.look_at {
            tracker_wake::wake(&mut transaction, &new.write.next, at).await?;
        }
        transaction.commit().await?;
        new.write.committed();
        Ok(Adopted::Done)
    }
}

/// Ends the finding about it, under the lock that is also taken to delete an orphan. `false` if it may be in the
/// process of being deleted.
async fn end_finding(connection: &mut PooledConnection, cache: &ImageCache, now: Instant) -> Result<bool, StoreError> {
    let id = cache.eci_cache_id.as_deref().unwrap_or_default();
    holds::cloud_cache(connection, [&cache.account, cache.spec.region.as_str(), id]).await?;
    let removing: Option<bool> = sqlx::query_scalar(
        "SELECT COALESCE(removing_until > $4, false) FROM found_caches
         WHERE (account, region, eci_cache_id) = ($1, $2, $3) AND ended_at IS NULL FOR UPDATE",
    )
    .bind(&cache.account)
    .bind(cache.spec.region.as_str())
    .bind(&cache.eci_cache_id)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    if removing == Some(true) {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE found_caches SET ended_at = $4
         WHERE (account, region, eci_cache_id) = ($1, $2, $3) AND ended_at IS NULL",
    )
    .bind(&cache.account)
    .bind(cache.spec.region.as_str())
    .bind(&cache.eci_cache_id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(true)
}
