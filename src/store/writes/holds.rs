//! Locks that a transaction holds so that something stays as it is: a cloud account, or a cloud cache that is being
//! adopted or deleted.

use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// Locks an account that has a row until the transaction ends. `false` if it is deleted, or accepts nothing new.
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

/// Locks a cache of the cloud, by account, region and id, until the transaction ends: it is either adopted or deleted.
/// This is a separate lock because neither side needs to have a row.
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
