//! Caches that the cloud lists and no row knows: stored as findings, and removed when they are gone or adopted.
//!
//! They belong to no team: only the platform lists them, and only the platform adopts them.

use crate::store::writes::events;
use crate::store::writes::holds;
use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use super::tracker::TrackerGroup;
use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::filter::FoundFilter;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::ImageCache;
use crate::domain::operation::Operation;
use crate::domain::region::Region;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _, table};
use crate::store::input::{About, NewEvent};
use crate::store::rows::OperationRow;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::writes::audit_entries;
use crate::store::{Store, StoreError};

table! {
    /// A cache of the cloud that no row knows.
    #[derive(Debug, Clone, FromRow)]
    pub struct FoundCache of "found_caches" {
        /// The finding's id, which sorts by the time when it was found.
        pub id: Uuid = new.id,
        /// The cloud account that holds it.
        pub account: String = new.account.as_str(),
        /// The region that holds it.
        pub region: String = new.region.as_str(),
        /// The cloud's id.
        pub eci_cache_id: String = new.eci_cache_id.as_str(),
        /// Its name at the cloud.
        pub name: String = new.name.as_str(),
        /// Its images, as the cloud writes them.
        pub images: Vec<String> = new.images.as_slice(),
        /// Its size in GiB, if the cloud reports it.
        pub size_gib: Option<i32> = new.size_gib,
        /// The cloud's status when it was found.
        pub status: String = new.status.as_str(),
        /// When the cloud says that it was created.
        pub created_at: Option<Instant> = new.created_at,
        /// When it was found.
        pub found_at: Instant = new.found_at,
        /// The create of ours that left it behind. If set, the cache is to be deleted.
        pub orphan_of: Option<Uuid> = new.orphan_of,
        /// The time until which a delete that was sent may still be carried out.
        pub removing_until: Option<Instant>,
    }
    written one by one from |new: &'a FoundCache| {}
}

static KEEP: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO found_caches AS f ({}) SELECT {} FROM {}
         -- One that was away, or taken over, and is nobody's again, is found anew.
         ON CONFLICT (account, region, eci_cache_id) DO UPDATE SET {}, ended_at = NULL, removing_until = NULL
         WHERE f.ended_at IS NOT NULL",
        FoundCache::names(ColumnSet::All),
        FoundCache::values(ColumnSet::All),
        Numbers::default().one::<FoundCache>(ColumnSet::All),
        FoundCache::overwrite(ColumnSet::All, &["account", "region", "eci_cache_id", "created_at"]),
    )
});

impl Store {
    /// Which of the cloud's `ids` neither a row nor a current finding of the group has.
    pub async fn unmanaged(&self, group: &TrackerGroup, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let ids = sqlx::query_scalar(
            "SELECT s.id FROM unnest($3::text[]) AS s(id)
             WHERE NOT EXISTS (SELECT FROM image_caches c WHERE (c.account, c.region, c.eci_cache_id) = ($1, $2, s.id))
               AND NOT EXISTS (SELECT FROM found_caches f WHERE (f.account, f.region, f.eci_cache_id) = ($1, $2, s.id)
                   AND f.ended_at IS NULL)",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(ids)
        .fetch_all(&self.workers)
        .await?;
        Ok(ids)
    }

    /// Those of these operations that this database has; `None` in place of one that cannot be read.
    pub async fn operations_with(
        &self,
        ids: &[OperationId],
    ) -> Result<HashMap<OperationId, Option<Operation>>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let sql = format!("SELECT {} FROM operations o WHERE id = ANY ($1)", OperationRow::columns("o"));
        let rows: Vec<OperationRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(&self.workers).await?;
        let read = |row: OperationRow| (row.id().into(), unreadable::read(row.key(), row.try_into()));
        Ok(rows.into_iter().map(read).collect())
    }

    /// Stores a finding and its audit entry. `false` if it is already known; nothing was written then.
    pub async fn keep_found(&self, found: &FoundCache, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let parameters = StatementParameters::default().one::<FoundCache>(ColumnSet::All, &found);
        let done = parameters.query(&KEEP)?.execute(&mut *transaction).await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Ends the group's findings that are not among the cloud's `ids` or that a row has by now. A cache found after
    /// `before` may be missing from that list and is left.
    pub async fn end_found(
        &self,
        group: &TrackerGroup,
        ids: &[String],
        before: Instant,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE found_caches f SET ended_at = $4
             WHERE f.account = $1 AND f.region = $2 AND f.ended_at IS NULL
               AND ((f.orphan_of IS NULL AND f.found_at <= $5 AND f.eci_cache_id NOT IN (SELECT unnest($3::text[])))
                    OR EXISTS (SELECT FROM image_caches c
                        WHERE (c.account, c.region, c.eci_cache_id) = (f.account, f.region, f.eci_cache_id)))",
        )
        .bind(&group.account)
        .bind(&group.region)
        .bind(ids)
        .bind(now)
        .bind(before)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected())
    }

    /// Claims an orphan to delete it; the delete may be carried out until the given time, and nobody can adopt it
    /// before. `false` if it was adopted, or is gone.
    pub async fn claim_orphan(&self, orphan: &FoundCache, until: Instant) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        holds::cloud_cache(&mut transaction, [&orphan.account, &orphan.region, &orphan.eci_cache_id]).await?;
        let done = sqlx::query(
            "UPDATE found_caches f SET removing_until = $2 WHERE f.id = $1 AND f.ended_at IS NULL
               AND NOT EXISTS (SELECT FROM image_caches c
                   WHERE (c.account, c.region, c.eci_cache_id) = (f.account, f.region, f.eci_cache_id))",
        )
        .bind(orphan.id)
        .bind(until)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Records that the delete was certainly not carried out. An earlier delete may still be: `until` is the end of
    /// this one.
    pub async fn release_orphan(&self, orphan: &FoundCache, before: Option<Instant>) -> Result<(), StoreError> {
        sqlx::query("UPDATE found_caches SET removing_until = $2 WHERE id = $1")
            .bind(orphan.id)
            .bind(before)
            .execute(&self.workers)
            .await?;
        Ok(())
    }

    /// The group's orphans that are not deleted yet.
    pub async fn orphans(&self, group: &TrackerGroup, limit: i64) -> Result<Vec<FoundCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM found_caches f
             WHERE account = $1 AND region = $2 AND ended_at IS NULL AND orphan_of IS NOT NULL
             ORDER BY id LIMIT $3",
            FoundCache::columns("f")
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&group.account).bind(&group.region).bind(limit);
        Ok(query.fetch_all(&self.workers).await?)
    }

    /// Records that an orphan was deleted, with its event (about the image cache of its create) and audit entry.
    /// `false` if that was recorded already.
    pub async fn end_orphan(
        &self,
        orphan: &FoundCache,
        cache: &ImageCache,
        event: &NewEvent,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.workers.begin().await?;
        let done = sqlx::query("UPDATE found_caches SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(orphan.id)
            .bind(event.at)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        events::insert(&mut transaction, About::Cache(cache), event).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        event.dispatch.committed();
        Ok(true)
    }

    /// Up to `limit` current findings that may be adopted, newest first, older than `before`.
    pub async fn found_caches(
        &self,
        filter: &FoundFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<FoundCache>, StoreError> {
        let columns = FoundCache::columns("f");
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new(format!(
            "SELECT {columns} FROM found_caches f WHERE ended_at IS NULL AND orphan_of IS NULL"
        ));
        if let Some(before) = before {
            query.push(" AND id < ").push_bind(before);
        }
        // Destructured completely, so that a new filter field that is not used here does not compile.
        let FoundFilter { account, region, name, found_after } = filter;
        for (condition, text) in [
            (" AND account = ", account.as_deref()),
            (" AND region = ", region.as_ref().map(Region::as_str)),
            (" AND name = ", name.as_deref()),
        ] {
            if let Some(text) = text {
                query.push(condition).push_bind(text);
            }
        }
        if let Some(after) = found_after {
            query.push(" AND found_at >= ").push_bind(after);
        }
        // A cache adopted since then is no finding any more, even before the next comparison ends it.
        query.push(" AND NOT EXISTS (SELECT FROM image_caches c WHERE c.account = f.account AND c.region = f.region ");
        query.push("AND c.eci_cache_id = f.eci_cache_id) ORDER BY id DESC LIMIT ").push_bind(limit);
        Ok(query.build_query_as().fetch_all(&self.requests).await?)
    }
}
