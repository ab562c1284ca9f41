//! Waking the tracker: part of the transaction that gives it something to follow.

use std::collections::BTreeMap;

use super::Error;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::store::pool::Connection;

/// Makes the cache's group due at `at`, unless it is due earlier.
pub(super) async fn wake(connection: &mut Connection, cache: &ImageCache, at: Instant) -> Result<(), Error> {
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

/// The same of several groups, each by account and region; they are taken in this order.
pub(super) async fn wake_all(
    connection: &mut Connection,
    groups: &BTreeMap<(&str, &str), Instant>,
) -> Result<(), Error> {
    if groups.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tracker_groups AS g (account, region, due_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS u (account, region, due_at)
         ON CONFLICT (account, region) DO UPDATE SET due_at = LEAST(g.due_at, EXCLUDED.due_at)",
    )
    .bind(groups.keys().map(|(account, _)| *account).collect::<Vec<_>>())
    .bind(groups.keys().map(|(_, region)| *region).collect::<Vec<_>>())
    .bind(groups.values().copied().collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
