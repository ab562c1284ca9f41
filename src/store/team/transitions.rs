//! The status changes of one image cache.

use sqlx::AssertSqlSafe;

use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::Transition;
use crate::store::rows::TransitionRow;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::{Store, StoreError};

impl Store {
    /// Up to `limit` transitions of one image cache, oldest first, after number `after`.
    pub async fn transitions(
        &self,
        team: &TeamId,
        cache: CacheId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Transition>, StoreError> {
        let read = |place: Option<i64>, wanted: i64| self.transition_rows(team, cache, place.unwrap_or(after), wanted);
        let key = |row: &TransitionRow| row.sequence();
        unreadable::filled(limit, read, key, |row| unreadable::read(row.key(), row.try_into())).await
    }

    async fn transition_rows(
        &self,
        team: &TeamId,
        cache: CacheId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<TransitionRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM transitions t WHERE team = $1 AND image_cache = $2 AND sequence > $3
             ORDER BY sequence LIMIT $4",
            TransitionRow::columns("t")
        );
        let rows: Vec<TransitionRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.as_str())
            .bind(cache.uuid())
            .bind(after)
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        Ok(rows)
    }
}
