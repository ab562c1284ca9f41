//! Counts what a team has, so that two requests at once cannot both be the last that fits.
//!
//! What must stay true: a transaction that may add to what is counted takes the team's lock, counts, and holds the lock
//! until the commit, so that whoever takes it next sees what was added. The order of locks is: idempotency key, lock of
//! a content, this lock, operations, image caches. Requests of teams without a quota take no lock.
//!
//! The transactions that record a create, an update or an adoption call it. It does not judge.

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::image_cache::spec::DEFAULT_SIZE_GIB;
use crate::domain::policy::{Holdings, Shape};
use crate::store::columns::sql;
use crate::store::database::pool::PooledConnection;
use crate::store::words::COUNTED;
use crate::store::{Store, StoreError};

/// The check that judges what the team has, within the transaction.
pub struct QuotaCheck<'a> {
    /// The time from which builds count.
    pub since: Instant,
    /// Whether the request is allowed; called with what the team has before it, once for each transaction that is
    /// tried.
    pub admits: &'a mut (dyn FnMut(&Holdings) -> bool + Send),
}

impl QuotaCheck<'_> {
    /// For one try of several.
    pub(in crate::store) fn lent(&mut self) -> QuotaCheck<'_> {
        QuotaCheck { since: self.since, admits: &mut *self.admits }
    }
}

impl std::fmt::Debug for QuotaCheck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quota").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Store {
    /// What the team has now, with the builds since `since`.
    pub async fn holdings(&self, team: &TeamId, since: Instant) -> Result<Holdings, StoreError> {
        let mut connection = self.requests.acquire().await?;
        count(&mut connection, team, since).await
    }
}

/// Whether the request is allowed. Without a quota it always is, and nothing is locked or counted.
pub(in crate::store) async fn admits(
    connection: &mut PooledConnection,
    team: &TeamId,
    quota: Option<QuotaCheck<'_>>,
) -> Result<bool, StoreError> {
    let Some(quota) = quota else { return Ok(true) };
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('quota:' || $1, 0))")
        .bind(team.as_str())
        .execute(&mut *connection)
        .await?;
    let holdings = count(connection, team, quota.since).await?;
    Ok((quota.admits)(&holdings))
}

async fn count(connection: &mut PooledConnection, team: &TeamId, since: Instant) -> Result<Holdings, StoreError> {
    let shapes: Vec<(String, i32, i32, i32, i64)> = sqlx::query_as(
        sql!("SELECT region, size, standard, flash, count(*) FROM (
             SELECT c.region,
                 -- Of one that is being updated, the greater of what it is and what it shall be.
                 greatest((c.spec ->> 'size_gib')::integer, (o.spec ->> 'size_gib')::integer, $2) AS size,
                 greatest((c.spec ->> 'standard_copy_count')::integer, (o.spec ->> 'standard_copy_count')::integer, 1) AS standard,
                 greatest((c.spec ->> 'flash_copy_count')::integer, (o.spec ->> 'flash_copy_count')::integer,
                     CASE WHEN (c.spec ->> 'flash')::boolean OR (o.spec ->> 'flash')::boolean THEN 1 ELSE 0 END) AS flash
             FROM image_caches c
             LEFT JOIN operations o ON o.image_cache = c.id AND o.kind = 'update' AND o.state = 'running'
             WHERE c.team = $1 AND c.status IN ({COUNTED})) AS shapes
         GROUP BY region, size, standard, flash"),
    )
    .bind(team.as_str())
    .bind(DEFAULT_SIZE_GIB)
    .fetch_all(&mut *connection)
    .await?;
    // An adopted cache was built by somebody else: its create was never sent.
    let builds: Vec<(String, i64)> = sqlx::query_as(
        "SELECT spec ->> 'region', count(*) FROM operations
         WHERE team = $1 AND created_at >= $2 AND kind IN ('create', 'update') AND state <> 'refused'
           AND NOT (state = 'succeeded' AND attempts = 0)
         GROUP BY 1",
    )
    .bind(team.as_str())
    .bind(since)
    .fetch_all(connection)
    .await?;
    let shape = |(region, size_gib, standard_copies, flash_copies, count): (String, i32, i32, i32, i64)| {
        let region = crate::store::values::word(region.parse().ok(), "image_caches", "region")?;
        Ok((Shape { region, size_gib, standard_copies, flash_copies }, count))
    };
    let build = |(region, count): (String, i64)| {
        Ok((crate::store::values::word(region.parse().ok(), "operations", "spec")?, count))
    };
    let (shapes, builds) = (shapes.into_iter().map(shape), builds.into_iter().map(build));
    Ok(Holdings {
        shapes: shapes.collect::<Result<_, StoreError>>()?,
        builds: builds.collect::<Result<_, StoreError>>()?,
    })
}
