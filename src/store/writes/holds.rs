//! What a transaction holds so that it stays: a cloud account, and a cache of the cloud that is taken over or removed.

use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// Holds an account that has a row until the transaction has ended. `false`: it is gone, or nothing may be made in it
/// any more.
pub(in crate::store) async fn account(
    connection: &mut PooledConnection,
    name: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(name) = name else { return Ok(true) };
    let held: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM cloud_accounts WHERE name = $1 AND disabled_at IS NULL FOR KEY SHARE")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    Ok(held.is_some())
}

/// Holds a cache of the cloud, by account, region and id, until the transaction has ended: it is either taken over or
/// removed. A lock of its own, because neither of the two need have a row.
pub(in crate::store) async fn cloud_cache(
    connection: &mut PooledConnection,
    cache: [&str; 3],
) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("cloud cache {}", cache.join(" ")))
        .execute(connection)
        .await?;
    Ok(())
}
