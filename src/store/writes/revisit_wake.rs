//! Wakes the reconciler, as part of the transaction in which a cache vanishes: it is looked up again soon.

use crate::domain::image_cache::ImageCache;
use crate::domain::reconcile::pace::first_revisit;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// Makes the cache's group due when the cache is to be looked up again, unless it is due earlier. A group that was
/// never compared is due anyway.
pub(in crate::store) async fn wake(connection: &mut PooledConnection, cache: &ImageCache) -> Result<(), StoreError> {
    sqlx::query("UPDATE reconcile_groups SET due_at = LEAST(due_at, $3) WHERE account = $1 AND region = $2")
        .bind(&cache.account)
        .bind(cache.spec.region.as_str())
        .bind(first_revisit(cache.updated_at))
        .execute(connection)
        .await?;
    Ok(())
}
