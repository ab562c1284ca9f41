//! The status changes of one image cache.

use super::rows::TransitionRow;
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::Transition;

impl Store {
    /// Up to `limit` transitions of one image cache, oldest first, after number `after`.
    pub async fn transitions(
        &self,
        team: &TeamId,
        cache: CacheId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Transition>, Error> {
        let rows: Vec<TransitionRow> = sqlx::query_as(
            "SELECT * FROM transitions WHERE team = $1 AND image_cache = $2 AND sequence > $3 ORDER BY sequence LIMIT $4",
        )
        .bind(team.as_str())
        .bind(cache.uuid())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
