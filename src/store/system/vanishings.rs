//! Regions of accounts where so much is missing at the cloud that nothing is judged; and what is asked to find that
//! out.
//!
//! What must stay true: a beginning, an end and an operator's word are one transaction with their audit entry.
//!
//! Who calls it: `app::absence`. What it does not do: decide what is too much (`domain::reconcile::census`).

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

/// Rows that the cloud should show: it has them, nobody has asked to remove them, and their time is not over. `$3` is
/// now, `$4` the last moment from which a list knows everything, `$5` how long the cloud keeps what failed, in seconds.
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

/// A region of an account that is not judged.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct MassVanishing {
    /// The account and its region.
    #[sqlx(flatten)]
    pub group: TrackerGroup,
    /// When the alarm began.
    pub since: Instant,
    /// Image caches that the cloud should have shown when it was last looked at.
    pub known: i64,
    /// Those of them that it did not show.
    pub missing: i64,
    /// Image caches that it showed, whoever's.
    pub listed: i64,
    /// So many missing ones an operator has said to be gone: it is judged.
    pub accepted_missing: Option<i64>,
}

const COLUMNS: &str = "account, region, since, known, missing, listed, accepted_missing";

impl Store {
    /// How a whole list, with these ids of the cloud, compares with the rows that it should show. It knows everything
    /// that was there at `before`.
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

    /// Up to `limit` ids of caches of the group that the cloud has shown and should show, others than `but`.
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

    /// Whether the group is not judged, and since when.
    pub async fn mass_vanishing(&self, group: &TrackerGroup) -> Result<Option<MassVanishing>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM mass_vanishings WHERE account = $1 AND region = $2");
        let found = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&group.account).bind(&group.region);
        Ok(found.fetch_optional(&self.workers).await?)
    }

    /// All groups that are not judged, and of which no operator has said that it is so.
    pub async fn mass_vanishings(&self) -> Result<Vec<MassVanishing>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM mass_vanishings WHERE accepted_missing IS NULL ORDER BY account, region");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.workers).await?)
    }

    /// Notes what was seen of a group that is not judged, and makes it due for the next comparison. An operator's word
    /// covers no more than what was missing when it was given. `true`: it begins now.
    pub async fn note_mass_vanishing(
        &self,
        group: &TrackerGroup,
        census: Census,
        now: Instant,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let begins: bool = sqlx::query_scalar(
            "INSERT INTO mass_vanishings AS m (account, region, since, seen_at, known, missing, listed)
             VALUES ($1, $2, $3, $3, $4, $5, $6)
             ON CONFLICT (account, region) DO UPDATE SET seen_at = EXCLUDED.seen_at, known = EXCLUDED.known,
                 missing = EXCLUDED.missing, listed = EXCLUDED.listed,
                 accepted_missing = CASE WHEN m.accepted_missing >= EXCLUDED.missing THEN m.accepted_missing END
             RETURNING xmax = 0",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(now)
        .bind(census.known)
        .bind(census.missing)
        .bind(census.listed)
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

    /// The caches are shown again, or are gone: the group is judged. `false`: it was judged already.
    pub async fn end_mass_vanishing(&self, group: &TrackerGroup, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query("DELETE FROM mass_vanishings WHERE account = $1 AND region = $2")
            .bind(&group.account)
            .bind(&group.region)
            .execute(&mut *transaction)
            .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// An operator says that what is missing now is gone. `None`: the group is judged already, nothing was written.
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

/// The whole list is to be read now.
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
