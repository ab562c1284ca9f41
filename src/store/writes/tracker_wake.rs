//! Wakes the tracker, as part of the transaction that gives it something to follow.

use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// Makes the cache's group due at `at`, unless it is due earlier.
pub(in crate::store) async fn wake(
    connection: &mut PooledConnection,
    cache: &ImageCache,
    at: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tracker_groups AS g (account, region, due_at) VALUES ($1, $2, $3)
         ON CONFLICT (account, region) DO UPDATE SET due_at = LEAST(g.due_at, EXCLUDED.due_at)",
    )
    .bind(&cache.account)
    .bind(cache.spec.region.as_str())
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}
