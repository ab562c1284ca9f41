//! Regions of accounts where so much is missing at the cloud that nothing is evaluated, and the queries to find that
//! out.
//!
//! What must stay true: the start, the end and an operator's confirmation are each one transaction with their audit
//! entry.
//!
//! `app::vanishings` calls it. `domain::reconcile::census` decides how much is too much.

use std::sync::LazyLock;

use chrono::Duration;
use sqlx::FromRow;

use super::tracker::TrackerGroup;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::reconcile::{Census, FAILED_KEPT};
use crate::store::words::{OVER, SHOWN};
use crate::store::writes::audit_entries;
use crate::store::writes::platform_events;
use crate::store::{PlatformEvent, Store, StoreError};

/// Rows that the cloud should show: it has them, nobody has asked to delete them, and they have not expired. `$3` is
/// now, `$4` the last moment from which a list is complete, `$5` how long the cloud keeps failed caches, in seconds.
static SHOULD_SHOW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "c.account = $1 AND c.region = $2 AND c.eci_cache_id IS NOT NULL AND c.gone_at IS NULL
    AND c.status IN ({SHOWN})
    AND COALESCE((c.evidence ->> 'accepted_at')::timestamptz, c.created_at) <= $4
    AND (c.expires_at IS NULL OR c.expires_at > $3)
    AND NOT (c.status = 'failed' AND COALESCE((c.evidence ->> 'accepted_at')::timestamptz, c.created_at)
             <= $3 - make_interval(secs => $5))
    AND NOT EXISTS (SELECT FROM operations o WHERE o.image_cache = c.id AND o.kind = 'delete'
                    AND o.state NOT IN ({OVER}))"
    )
});

/// A region of an account that is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct MassVanishing {
    /// The account and its region.
    #[sqlx(flatten)]
    pub group: TrackerGroup,
    /// When the alarm started.
    pub since: Instant,
    /// How many image caches the cloud should have shown at the last check.
    pub known: i64,
    /// How many of them it did not show.
    pub missing: i64,
    /// How many image caches it showed in total, whoever owns them.
    pub listed: i64,
    /// How many missing ones an operator has confirmed to be gone; if set, the region is evaluated.
    pub accepted_missing: Option<i64>,
    /// Lookups of a sample noted it; no whole list has done so yet.
    pub sampled: bool,
}

const COLUMNS: &str = "account, region, since, known, missing, listed, accepted_missing, sampled";

impl Store {
    /// How a whole list with these cloud ids compares with the rows that it should show. The list contains everything
    /// that existed at `before`.
    pub async fn census(
        &self,
        group: &TrackerGroup,
        ids: &[String],
        before: Instant,
        now: Instant,
    ) -> Result<Census, StoreError> {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (WHERE c.eci_cache_id NOT IN (SELECT unnest($6::text[])))
             FROM image_caches c WHERE {}",
            *SHOULD_SHOW
        );
        let (known, missing) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&group.account)
            .bind(&group.region)
            .bind(now)
            .bind(before)
            .bind(FAILED_KEPT.as_seconds_f64())
            .bind(ids)
            .fetch_one(&self.workers)
            .await?;
        Ok(Census { known, missing, listed: i64::try_from(ids.len()).unwrap_or(i64::MAX) })
    }

    /// Up to `limit` ids of caches of the group, other than `but`, that the cloud has shown and should show.
    pub async fn witnesses(
        &self,
        group: &TrackerGroup,
        but: &[&str],
        lag: Duration,
        now: Instant,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT c.eci_cache_id FROM image_caches c WHERE {} AND c.misses = 0
               AND c.provider_status IS NOT NULL AND c.eci_cache_id <> ALL ($6) ORDER BY c.eci_cache_id LIMIT $7",
            *SHOULD_SHOW
        );
        let ids = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(&group.account)
            .bind(&group.region)
            .bind(now)
            .bind(now - lag)
            .bind(FAILED_KEPT.as_seconds_f64())
            .bind(but)
            .bind(limit)
            .fetch_all(&self.workers)
            .await?;
        Ok(ids)
    }

    /// The alarm of the group, if there is one.
    pub async fn mass_vanishing(&self, group: &TrackerGroup) -> Result<Option<MassVanishing>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM mass_vanishings WHERE account = $1 AND region = $2");
        let found = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        Ok(found.fetch_optional(&self.workers).await?)
    }

    /// All groups that are not evaluated and that no operator has confirmed.
    pub async fn mass_vanishings(&self) -> Result<Vec<MassVanishing>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM mass_vanishings WHERE accepted_missing IS NULL ORDER BY account, region");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.workers).await?)
    }

    /// Records what was seen, by lookups of a sample or by a list, of a group that is not evaluated, and makes it due
    /// for the next comparison. An operator's confirmation covers no more than what was missing when it was given.
    /// `true` if the alarm starts now.
    pub async fn note_mass_vanishing(
        &self,
        group: &TrackerGroup,
        (census, sampled): (Census, bool),
        now: Instant,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let begins: bool = sqlx::query_scalar(
            "INSERT INTO mass_vanishings AS m (account, region, since, seen_at, known, missing, listed, sampled)
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
             ON CONFLICT (account, region) DO UPDATE SET seen_at = EXCLUDED.seen_at, known = EXCLUDED.known,
                 missing = EXCLUDED.missing, listed = EXCLUDED.listed, sampled = m.sampled AND EXCLUDED.sampled,
                 accepted_missing = CASE WHEN m.accepted_missing >= EXCLUDED.missing THEN m.accepted_missing END
             RETURNING xmax = 0",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(now)
        .bind(census.known)
        .bind(census.missing)
        .bind(census.listed)
        .bind(sampled)
        .fetch_one(&mut *transaction)
        .await?;
        if begins {
            wake(&mut transaction, group, now).await?;
            platform_events::tell(&mut transaction, told).await?;
            audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        }
        transaction.commit().await?;
        if begins {
            platform_events::committed(told);
        }
        Ok(begins)
    }

    /// Ends the alarm, because the caches are shown again or are gone. `false` if there was none.
    pub async fn end_mass_vanishing(&self, group: &TrackerGroup, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query("DELETE FROM mass_vanishings WHERE account = $1 AND region = $2")
            .bind(&group.account)
            .bind(&group.region)
            .execute(&mut *transaction)
            .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Records an operator's confirmation that what is missing now is gone. `None` if there is no alarm; nothing was
    /// written then.
    pub async fn accept_mass_vanishing(
        &self,
        group: &TrackerGroup,
        now: Instant,
        entry: &AuditEntry,
    ) -> Result<Option<MassVanishing>, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let sql = format!(
            "UPDATE mass_vanishings SET accepted_missing = missing WHERE account = $1 AND region = $2
             RETURNING {COLUMNS}"
        );
        let accepted = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        let accepted: Option<MassVanishing> = accepted.fetch_optional(&mut *transaction).await?;
        if accepted.is_some() {
            wake(&mut transaction, group, now).await?;
            audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
            transaction.commit().await?;
        }
        Ok(accepted)
    }
}

/// Makes the whole list due now.
async fn wake(
    connection: &mut crate::store::database::pool::PooledConnection,
    group: &TrackerGroup,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reconcile_groups AS g (account, region, due_at, list_at, since) VALUES ($1, $2, $3, $3, $3)
         ON CONFLICT (account, region) DO UPDATE SET due_at = LEAST(g.due_at, EXCLUDED.due_at),
             list_at = LEAST(g.list_at, EXCLUDED.list_at)",
    )
    .bind(&group.account)
    .bind(&group.region)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
